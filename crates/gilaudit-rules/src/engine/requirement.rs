//! What a requirement of the build allows: `setuptools<75`, `requires-python = ">=3.9,<3.13"`.

use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};

/// The specifiers of a requirement, if it is one of a tool: `<75` of `setuptools[core] <75`. A requirement with a marker holds for some
/// builds only, and says nothing of the others.
pub(crate) fn of_tool<'r>(requirement: &'r str, tool: &str) -> Option<&'r str> {
    let requirement = requirement.trim();
    let end = requirement
        .find(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | '_' | '.'))
        .unwrap_or(requirement.len());
    let (name, rest) = requirement.split_at_checked(end)?;
    let same = name.to_ascii_lowercase().replace(['_', '.'], "-") == tool;
    let rest = rest.trim_start();
    let rest = if rest.starts_with('[') { rest.split_once(']')?.1 } else { rest };
    (same && !rest.contains([';', '@'])).then(|| rest.trim().trim_start_matches('(').trim_end_matches(')'))
}

/// Whether specifiers allow no version from `first` on. What cannot be read allows everything.
pub(crate) fn keeps_below(specifiers: &str, first: [u64; 2]) -> bool {
    let Ok(parsed) = VersionSpecifiers::from_str(specifiers) else { return false };
    if parsed.is_empty() {
        return false;
    }
    let first = Version::new(first);
    let named = parsed.iter().map(|specifier| specifier.version().clone());
    // What lies between the bounds that are named lies right after one of them.
    let mut candidates: Vec<Version> = vec![first.clone(), Version::new([u64::from(u32::MAX)])];
    for version in named {
        let mut after = version.release().to_vec();
        after.push(1);
        candidates.extend([Version::new(after), version]);
    }
    !candidates.iter().any(|version| *version >= first && parsed.contains(version))
}

#[cfg(test)]
mod tests {
    use super::{keeps_below, of_tool};

    #[test]
    fn names_and_markers() {
        assert_eq!(of_tool("setuptools<75", "setuptools"), Some("<75"));
        assert_eq!(of_tool("Setuptools [core] >= 61, <70", "setuptools"), Some(">= 61, <70"));
        assert_eq!(of_tool("meson_python", "meson-python"), Some(""));
        assert_eq!(of_tool("setuptools-rust<2", "setuptools"), None);
        assert_eq!(of_tool("setuptools<75; python_version < '3.9'", "setuptools"), None);
        assert_eq!(of_tool("", "setuptools"), None);
    }

    #[test]
    fn bounds() {
        for below in ["<75", "==70.1", "~=70.1.0", "<=75.6", ">=60,<75.7", "==75.6.*"] {
            assert!(keeps_below(below, [75, 7]), "{below}");
        }
        for above in [
            "",
            ">=61",
            "<80",
            "==80.*",
            "~=80.1",
            ">80,<81",
            "!=75.7",
            "~=75.0",
            "<76.0.0",
            "nonsense",
            ">=61,!=74.1.*",
        ] {
            assert!(!keeps_below(above, [75, 7]), "{above}");
        }
        assert!(keeps_below(">=3.8,<3.13", [3, 13]) && !keeps_below(">=3.8,<4", [3, 13]));
    }
}
