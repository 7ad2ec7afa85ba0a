//! Conditions of `#[cfg(…)]` and `cfg!(…)` in a free-threaded build of CPython, with three outcomes.
//!
//! The names are those that `pyo3-build-config` sets, and those that build scripts commonly give to an interpreter.

use gilaudit_model::{Version, Versions};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// Whether code with these attributes is no part of a free-threaded extension: for other builds and interpreters, or a test.
pub(super) fn is_left_out(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("test"))
        || Version::ALL.iter().all(|version| !may_hold(attributes, *version))
}

/// The versions of Python for which code with these attributes may be there.
pub(super) fn versions(attributes: &[Attribute]) -> Versions {
    let possible = Version::ALL.into_iter().filter(|version| may_hold(attributes, *version));
    possible.fold(Versions::NONE, Versions::with)
}

fn may_hold(attributes: &[Attribute], version: Version) -> bool {
    let conditions = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    conditions.filter_map(|it| it.parse_args::<Meta>().ok()).all(|it| evaluate_for(&it, Some(version)) != Some(false))
}

/// What is known of a condition, whichever version is built for.
pub(super) fn evaluate(condition: &Meta) -> Option<bool> {
    evaluate_for(condition, None)
}

fn evaluate_for(condition: &Meta, version: Option<Version>) -> Option<bool> {
    match condition {
        Meta::Path(path) => {
            let name = path.get_ident()?.to_string();
            match name.as_str() {
                "Py_GIL_DISABLED" | "CPython" => Some(true),
                "test" | "PyPy" | "GraalPy" | "RustPython" | "doctest" => Some(false),
                _ => {
                    // A free-threaded interpreter is at least 3.13.
                    let minor: u32 = name.strip_prefix("Py_3_")?.parse().ok()?;
                    match version {
                        Some(version) => Some(minor <= u32::from(version.minor())),
                        None => (minor <= 13).then_some(true),
                    }
                }
            }
        }
        Meta::List(list) => {
            let parts = parse_list(list.tokens.clone())?;
            let mut parts = parts.iter().map(|part| evaluate_for(part, version));
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
    use gilaudit_model::{Version, Versions};

    use super::{evaluate, is_left_out, versions};

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
        assert_eq!(value("not(CPython)"), Some(false));
    }

    #[test]
    fn versions_of_python() {
        let of = |text: &str| syn::parse_str::<syn::ItemFn>(&format!("{text} fn f() {{}}")).unwrap().attrs;
        assert_eq!(versions(&of("")), Versions::ALL);
        assert_eq!(versions(&of("#[cfg(all(Py_3_13, not(Py_3_14)))]")), Versions::only(Version::V3_13));
        assert_eq!(versions(&of("#[cfg(Py_3_15)] #[cfg(unix)]")), Versions::only(Version::V3_15));
        assert_eq!(versions(&of("#[cfg(not(Py_GIL_DISABLED))]")), Versions::NONE);
        assert!(is_left_out(&of("#[cfg(not(Py_3_13))]")));
        assert!(is_left_out(&of("#[cfg(Py_3_14)] #[cfg(not(Py_3_14))]")));
        assert!(!is_left_out(&of("#[cfg(not(Py_3_15))]")));
    }
}
