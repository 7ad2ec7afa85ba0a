//! Conditions of `#[cfg(…)]` and `cfg!(…)` in a free-threaded build of CPython, with three outcomes.

use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// Whether code with these attributes is no part of a free-threaded extension: for other builds and interpreters, or a test.
pub(super) fn is_left_out(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute.parse_args::<Meta>().is_ok_and(|condition| evaluate(&condition) == Some(false))
    })
}

/// What is known of a condition.
pub(super) fn evaluate(condition: &Meta) -> Option<bool> {
    match condition {
        Meta::Path(path) => {
            let name = path.get_ident()?.to_string();
            match name.as_str() {
                "Py_GIL_DISABLED" => Some(true),
                "test" | "PyPy" | "GraalPy" | "RustPython" | "doctest" => Some(false),
                _ => {
                    // A free-threaded interpreter is at least 3.13.
                    let minor: u32 = name.strip_prefix("Py_3_")?.parse().ok()?;
                    (minor <= 13).then_some(true)
                }
            }
        }
        Meta::List(list) => {
            let parts = parse_list(list.tokens.clone())?;
            let mut parts = parts.iter().map(evaluate);
            if list.path.is_ident("not") {
                parts.next()?.map(|value| !value)
            } else if list.path.is_ident("all") {
                parts
                    .try_fold(true, |all, part| match part {
                        Some(false) => Err(Some(false)),
                        Some(true) => Ok(all),
                        None => Ok(false),
                    })
                    .map_or_else(|known| known, |all| all.then_some(true))
            } else if list.path.is_ident("any") {
                let parts: Vec<Option<bool>> = parts.collect();
                if parts.contains(&Some(true)) {
                    Some(true)
                } else {
                    parts.iter().all(Option::is_some).then_some(false)
                }
            } else {
                None
            }
        }
        Meta::NameValue(_) => None,
    }
}

/// The parts of `a, b(c), d = "e"`.
pub(super) fn parse_list(tokens: proc_macro2::TokenStream) -> Option<Punctuated<Meta, Token![,]>> {
    Punctuated::<Meta, Token![,]>::parse_terminated.parse2(tokens).ok()
}

/// The attributes with those that `#[cfg_attr(…)]` adds where its condition may hold.
pub(super) fn effective(attributes: &[Attribute]) -> Vec<Meta> {
    let mut out = Vec::new();
    for attribute in attributes {
        if !attribute.path().is_ident("cfg_attr") {
            out.push(attribute.meta.clone());
            continue;
        }
        let Meta::List(list) = &attribute.meta else { continue };
        let Some(parts) = parse_list(list.tokens.clone()) else { continue };
        let mut parts = parts.into_iter();
        if parts.next().is_some_and(|condition| evaluate(&condition) != Some(false)) {
            out.extend(parts);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::evaluate;

    #[test]
    fn conditions() {
        let value = |text: &str| evaluate(&syn::parse_str(text).unwrap());
        assert_eq!(value("Py_GIL_DISABLED"), Some(true));
        assert_eq!(value("not(Py_GIL_DISABLED)"), Some(false));
        assert_eq!(value("all(Py_3_14, not(Py_GIL_DISABLED))"), Some(false));
        assert_eq!(value("all(Py_3_12, Py_GIL_DISABLED)"), Some(true));
        assert_eq!(value("all(Py_3_14, Py_GIL_DISABLED)"), None);
        assert_eq!(value("any(PyPy, GraalPy)"), Some(false));
        assert_eq!(value("any(PyPy, feature = \"x\")"), None);
        assert_eq!(value("any(test, Py_3_13)"), Some(true));
        assert_eq!(value("unix"), None);
    }
}
