//! Names of init functions.

use gilaudit_model::{HookKind, cpython};

/// The names of the init functions that an interpreter looks for in a file of this path, in its order. Empty when the file name
/// gives no module name.
pub(crate) fn hooks(path: &str) -> Vec<(HookKind, String)> {
    let stem = cpython::module_stem(path.rsplit('/').next().unwrap_or_default());
    // The file of a package is named after its folder: pkg/__init__.cpython-314t-….so is the module pkg.
    let short = if stem == "__init__" { path.rsplit('/').nth(1).unwrap_or_default() } else { stem };
    if short.is_empty() {
        return Vec::new();
    }
    vec![(HookKind::Export, symbol("PyModExport", short)), (HookKind::Init, symbol("PyInit", short))]
}

/// CPython 3.15.0rc2 `Python/importdl.c`, `get_encoded_name`, and `Python/dynload_shlib.c`, `"%.20s_%.200s"`; alike in 3.13.
fn symbol(prefix: &str, name: &str) -> String {
    let (u, encoded) =
        if name.is_ascii() { ("", name.to_owned()) } else { ("U", punycode::encode(name).unwrap_or_default()) };
    let cut: String = encoded.replace('-', "_").chars().take(200).collect();
    format!("{prefix}{u}_{cut}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str) -> Vec<String> {
        hooks(path).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn as_cpython_forms_them() {
        assert_eq!(names("lxml/etree.cpython-314t-x86_64-linux-gnu.so"), ["PyModExport_etree", "PyInit_etree"]);
        assert_eq!(names("a/tomli/__init__.cpython-314t-darwin.so"), ["PyModExport_tomli", "PyInit_tomli"]);
        // PEP 489: punycode, with the hyphen replaced.
        assert_eq!(names("spam_é.so"), ["PyModExportU_spam__fsa", "PyInitU_spam__fsa"]);
        assert_eq!(names("a-b.so"), ["PyModExport_a_b", "PyInit_a_b"]);
        assert_eq!(names(".so"), [""; 0]);
    }
}
