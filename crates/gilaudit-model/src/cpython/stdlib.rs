//! Which modules belong to the standard library.
//!
//! None of them turns the GIL on: CPython's own extension modules all declare that they do not need it (for builtins see
//! `Python/import.c`; the shared ones of 3.13 to 3.15 were imported one by one). So imports of them are not followed.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::{Os, Target};

const LIST: &str = include_str!("stdlib.txt");

static NAMES: LazyLock<HashMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let entries = LIST.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut words = line.split(' ');
        words.next().map(|name| (name, words.collect()))
    });
    entries.collect()
});

/// Whether `module`, dotted, is one of the target's standard library on this system. Without a system, on any.
pub fn is_stdlib(module: &str, target: &Target, os: Option<Os>) -> bool {
    let top = module.split('.').next().unwrap_or_default();
    let Some(limits) = NAMES.get(top) else { return false };
    limits.iter().all(|limit| match (*limit, os) {
        ("windows", os) => os.is_none_or(|os| os == Os::Windows),
        ("posix", os) => os != Some(Os::Windows),
        ("macos", os) => os.is_none_or(|os| os == Os::MacOs),
        (minors, _) => minors.split(',').any(|minor| minor.parse() == Ok(target.version.minor())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;

    #[test]
    fn by_version_and_system() {
        let target = |text: &str| text.parse::<Target>().unwrap();
        for version in Version::ALL {
            let target = target(&format!("{version}t"));
            assert!(is_stdlib("os.path", &target, None) && is_stdlib("_ssl", &target, Some(Os::Linux)));
            assert!(!is_stdlib("numpy", &target, None) && !is_stdlib("distutils", &target, None));
            assert!(!is_stdlib("winreg", &target, Some(Os::Linux)) && is_stdlib("winreg", &target, Some(Os::Windows)));
            assert!(is_stdlib("fcntl", &target, Some(Os::Linux)) && !is_stdlib("fcntl", &target, Some(Os::Windows)));
        }
        assert!(
            !is_stdlib("annotationlib", &target("3.13t"), None) && is_stdlib("annotationlib", &target("3.14"), None)
        );
        assert!(is_stdlib("sre_parse", &target("3.14t"), None) && !is_stdlib("sre_parse", &target("3.15t"), None));
    }
}
