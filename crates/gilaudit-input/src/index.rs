//! What an index has of a distribution, from what pip says while it chooses.
//!
//! pip reads the index as the user has set it up, and with `-vv` it names every file there, those that it passes over included. That
//! wording changes from version to version, the names of the files do not: every word that ends in the name of a file of this
//! distribution counts.

use std::collections::BTreeMap;

use gilaudit_model::Target;
use pep440_rs::Version;

use crate::sdist;
use crate::wheel_name::{WheelName, same_name};

/// The versions of a distribution that an index has, each with whether there is a source distribution of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    versions: BTreeMap<Version, bool>,
}

/// What there is to say of the version that pip took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) error: String,
    /// Whether something newer was not read.
    pub(crate) unread: bool,
}

impl Listed {
    /// Reads what pip printed.
    pub(crate) fn from_output(name: &str, text: &str) -> Self {
        let mut listed = Self::default();
        for word in text.split_whitespace().filter(|word| word.contains(['/', '\\'])) {
            let file = word.split(['#', '?']).next().unwrap_or_default();
            let file = file.rsplit(['/', '\\']).next().unwrap_or_default().trim_end_matches([',', ')', ':']);
            let file = file.replace("%2B", "+").replace("%2b", "+");
            if let Some((version, is_sdist)) = version_of(name, &file) {
                let has_sdist = listed.versions.entry(version).or_default();
                *has_sdist |= is_sdist;
            }
        }
        listed
    }

    /// Whether there is a source distribution: of this version, if one is named.
    pub(crate) fn has_sdist(&self, version: Option<&str>) -> bool {
        let wanted = version.map(str::parse::<Version>);
        self.versions.iter().any(|(version, has_sdist)| match &wanted {
            None => *has_sdist,
            Some(wanted) => *has_sdist && wanted.as_ref().is_ok_and(|wanted| wanted == version),
        })
    }

    /// What to say when the newest version was meant and pip took `taken`; `None` when that is the newest.
    pub(crate) fn told(&self, name: &str, taken: &str, target: &Target) -> Option<Told> {
        let Ok(taken) = taken.replace('_', "+").parse::<Version>() else {
            return Some(Told { error: format!("'{taken}' is no version that compares with others"), unread: true });
        };
        let newest = self.versions.iter().rev().find(|(version, _)| !version.any_prerelease());
        let ask = format!("pypi:{name}=={taken} asks for this one");
        match newest {
            Some((newest, has_sdist)) if *newest != taken => {
                let what = if taken.any_prerelease() { "the pre-release " } else { "" };
                let why = if *has_sdist {
                    format!("of which pip would build the source distribution for {target}")
                } else {
                    format!("which has nothing that {target} can install")
                };
                let error = format!("pip took {what}{taken}; the newest on the index is {newest}, {why}: {ask}");
                Some(Told { error, unread: true })
            }
            None if taken.any_prerelease() => {
                let error = format!("pip took the pre-release {taken}: the index has no release");
                Some(Told { error, unread: false })
            }
            None if self.versions.is_empty() => {
                let error =
                    format!("pip took {taken}; whether the index has a newer one was not to be told from what it said");
                Some(Told { error, unread: false })
            }
            _ => None,
        }
    }
}

/// The version of a file of this distribution, and whether it is a source distribution.
fn version_of(name: &str, file: &str) -> Option<(Version, bool)> {
    if let Some(wheel) = WheelName::parse(file) {
        let version = wheel.distribution.version.replace('_', "+").parse().ok()?;
        return same_name(&wheel.distribution.name, name).then_some((version, false));
    }
    let stem = sdist::stem(file).or_else(|| file.strip_suffix(".zip"))?;
    // Names of source distributions may have a `-` before the version and in it.
    stem.match_indices('-').find_map(|(at, _)| {
        let (own, version) = stem.split_at_checked(at)?;
        let version = version.get(1..)?.parse().ok()?;
        same_name(own, name).then_some((version, true))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
  Skipping link: No sources permitted for demo-x: file:///i/demo-x-1.4.tar.gz#sha256=abc (from u) (requires-python:>=3.9)
Found link https://host/p/demo_x-1.3rc1-cp314-cp314t-manylinux_2_17_x86_64.whl, version: 1.3rc1
  Skipping link: none of the wheel's tags (cp39-abi3-win32) are compatible (run pip debug): https://h/Demo.X-1.2-cp39-abi3-win32.whl#x
Found link file:///i/demo_x-0.0.0-py3-none-any.whl, version: 0.0.0
Found link file:///i/demo_x-1.2%2Bcu12-py3-none-any.whl, version: 1.2+cu12
  Skipping link: wrong project name (not demo-x): file:///i/demo-2.0.tar.gz
";

    #[test]
    fn files_in_what_pip_says() {
        let listed = Listed::from_output("demo.x", OUTPUT);
        let versions: Vec<String> = listed.versions.keys().map(ToString::to_string).collect();
        assert_eq!(versions, ["0.0.0", "1.2", "1.2+cu12", "1.3rc1", "1.4"]);
        assert!(listed.has_sdist(None) && listed.has_sdist(Some("1.4")) && !listed.has_sdist(Some("1.2")));
        assert_eq!(Listed::from_output("x", "").versions.len(), 0);
    }

    #[test]
    fn an_older_one_is_never_taken_silently() {
        let target: Target = "3.14t".parse().unwrap();
        let told = |output: &str, taken: &str| Listed::from_output("demo-x", output).told("demo-x", taken, &target);
        assert_eq!(told(OUTPUT, "1.4"), None);
        let older = told(OUTPUT, "0.0.0").unwrap();
        assert!(
            older.unread
                && older.error.contains("pip took 0.0.0; the newest on the index is 1.4, of which pip would build")
        );
        assert!(told(OUTPUT, "1.3rc1").unwrap().error.contains("the pre-release 1.3rc1"));
        let wheels = OUTPUT.replace("demo-x-1.4.tar.gz", "demo_x-1.4-cp39-abi3-win32.whl");
        assert!(told(&wheels, "0.0.0").unwrap().error.contains("which has nothing that 3.14t can install"));
        let only = "Found link x/demo_x-2.0b1-py3-none-any.whl, version";
        assert_eq!(told(only, "2.0b1").map(|told| told.unread), Some(false));
        assert_eq!(told("", "1.0").map(|told| told.unread), Some(false));
    }
}
