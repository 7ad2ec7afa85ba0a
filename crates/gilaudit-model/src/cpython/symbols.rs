//! Which names of the C API each build of CPython exports.
//!
//! `symbols.txt` lists the names that not all of the builds known here export, by the builds that do; `symbols.py` made it from the
//! interpreters themselves. Of a name that is not in it nothing is said: all builds have it, or none of CPython ever had.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::{Linked, Target};

const LIST: &str = include_str!("symbols.txt");

/// For each name the builds that export it, one bit each.
static EXPORTED_BY: LazyLock<HashMap<&str, u8>> = LazyLock::new(|| {
    let mut builds = 0;
    let mut names = HashMap::new();
    for line in LIST.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix('=') {
            Some(list) => builds = list.split(' ').filter_map(|build| build.parse::<Target>().ok()).map(bit).sum(),
            None => {
                names.insert(line, builds);
            }
        }
    }
    names
});

fn bit(target: Target) -> u8 {
    let version = target.version.minor().saturating_sub(13);
    1u8.checked_shl(2 * u32::from(version) + u32::from(target.free_threaded)).unwrap_or(0)
}

/// The names that the file takes from the interpreter and that `target` does not export. The loader refuses the file for the first of
/// them: CPython opens extensions with `RTLD_NOW`, so that functions, too, are looked for at once (3.13.15 to 3.15.0rc2,
/// `Include/internal/pycore_import.h`, and `Python/dynload_shlib.c`). It is loaded without a weak one.
pub fn missing_symbols<'a>(linked: &'a Linked, target: &Target) -> Vec<&'a str> {
    let lacks = |name: &str| EXPORTED_BY.get(name).is_some_and(|builds| builds & bit(*target) == 0);
    let strong = linked.python.iter().filter(|name| !name.weak);
    strong.map(|name| name.name.as_str()).filter(|name| lacks(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PythonName;

    fn missing(name: &str, target: &str) -> bool {
        let python = vec![PythonName { name: name.to_owned(), weak: false }];
        !missing_symbols(&Linked { python, ..Linked::default() }, &target.parse().unwrap()).is_empty()
    }

    #[test]
    fn the_table_knows_versions_and_builds() {
        assert!(missing("PyUnstable_Module_SetGIL", "3.14"));
        assert!(!missing("PyUnstable_Module_SetGIL", "3.14t"));
        assert!(missing("PyModule_FromSlotsAndSpec", "3.14t"));
        assert!(!missing("PyModule_FromSlotsAndSpec", "3.15t"));
        // Gone before 3.13.
        assert!(missing("PyUnicode_AsUnicode", "3.13"));
        // Exported by all of them, and by none.
        assert!(!missing("PyModule_Create2", "3.13t"));
        assert!(!missing("PyArray_API", "3.13t"));
    }

    #[test]
    fn a_weak_symbol_may_be_missing() {
        let python = vec![PythonName { name: "PyUnstable_Module_SetGIL".to_owned(), weak: true }];
        let linked = Linked { python, ..Linked::default() };
        assert!(missing_symbols(&linked, &"3.14".parse().unwrap()).is_empty());
    }
}
