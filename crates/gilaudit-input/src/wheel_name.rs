//! A wheel's file name: `NAME-VERSION(-BUILD)-PYTHON-ABI-PLATFORM.whl`.

use gilaudit_model::{Distribution, WheelTags};

/// What a wheel's file name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WheelName {
    pub(crate) distribution: Distribution,
    pub(crate) tags: WheelTags,
}

impl WheelName {
    /// Reads a file name; `None` when it is not that of a wheel.
    pub(crate) fn parse(file_name: &str) -> Option<Self> {
        // No file system has longer names; an archive may.
        if file_name.len() > 255 {
            return None;
        }
        let stem = file_name.strip_suffix(".whl")?;
        let parts: Vec<&str> = stem.split('-').collect();
        let (name, version, python, abi, platform) = match parts.as_slice() {
            [name, version, python, abi, platform] | [name, version, _, python, abi, platform] => {
                (*name, *version, *python, *abi, *platform)
            }
            _ => return None,
        };
        if [name, version, python, abi, platform].contains(&"") {
            return None;
        }
        let distribution = Distribution { name: name.to_owned(), version: version.to_owned() };
        Some(Self { distribution, tags: WheelTags::parse(python, abi, platform) })
    }
}

/// Whether two spellings name one distribution (PEP 503).
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    normalized(a).eq(normalized(b))
}

/// A name in lower case with runs of `-`, `_` and `.` made one `-`.
fn normalized(name: &str) -> impl Iterator<Item = char> + '_ {
    let separator = |letter: char| matches!(letter, '-' | '_' | '.');
    let mut in_run = false;
    name.chars().filter_map(move |letter| {
        let repeated = in_run && separator(letter);
        in_run = separator(letter);
        (!repeated).then(|| if in_run { '-' } else { letter.to_ascii_lowercase() })
    })
}

/// Whether two spellings are one version (PEP 440). A file name has `_` where a local version has `+` or `-`.
pub(crate) fn same_version(a: &str, b: &str) -> bool {
    let parse = |text: &str| text.parse::<pep440_rs::Version>().or_else(|_| text.replacen('_', "+", 1).parse());
    match (parse(a), parse(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => same_name(a, b),
    }
}

/// Every combination of two wheels' tags is the same, in whatever order.
pub(crate) fn same_tags(a: &WheelTags, b: &WheelTags) -> bool {
    let same = |a: &[String], b: &[String]| a.iter().all(|tag| b.contains(tag)) && b.iter().all(|tag| a.contains(tag));
    same(&a.python, &b.python) && same(&a.abi, &b.abi) && same(&a.platform, &b.platform)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let wheel = WheelName::parse("x_y-1.2-1build-cp315-abi3.abi3t-manylinux_2_28_x86_64.whl").unwrap();
        assert_eq!(wheel.distribution, Distribution { name: "x_y".into(), version: "1.2".into() });
        assert_eq!(wheel.tags.abi, ["abi3", "abi3t"]);
        assert_eq!(wheel.tags.platform, ["manylinux_2_28_x86_64"]);
        for bad in ["x.whl", "x-1-py3-none.whl", "a-b-c-d-e-f-g.whl", "x-1-py3-none-any.zip", "x--py3-none-any.whl", ""]
        {
            assert_eq!(WheelName::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn spellings() {
        assert!(same_name("Zope.Interface", "zope_interface") && same_name("a--b", "a.b") && !same_name("ab", "a-b"));
        assert!(
            same_version("1.0", "1.0.0") && same_version("1.0rc1", "1.0-RC1") && same_version("1.0_cu12", "1.0+cu12")
        );
        assert!(!same_version("1.0", "1.1") && same_version("odd one", "odd one"));
    }
}
