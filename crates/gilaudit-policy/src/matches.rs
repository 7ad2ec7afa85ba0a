//! `match`: which extensions an exception is about.

use std::fmt;
use std::str::FromStr;

use gilaudit_model::{Distribution, Extension};
use pep440_rs::{Version, VersionSpecifiers};

use crate::glob::ModuleGlob;

/// What an exception matches: every condition that is there must hold, and at least one is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Match {
    pub(crate) module: Option<ModuleGlob>,
    pub(crate) distribution: Option<DistributionRange>,
    pub(crate) sha256: Option<Sha256>,
}

impl Match {
    pub(crate) fn matches(&self, extension: &Extension) -> bool {
        self.module.as_ref().is_none_or(|glob| glob.matches(&extension.module))
            && self
                .distribution
                .as_ref()
                .is_none_or(|range| extension.distribution.as_ref().is_some_and(|found| range.contains(found)))
            && self.sha256.as_ref().is_none_or(|hash| hash.matches(extension))
    }

    /// Whether it surely matches everything that `other` matches. May say no where the answer is yes.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        fn covered<T>(mine: Option<&T>, theirs: Option<&T>, covers: fn(&T, &T) -> bool) -> bool {
            mine.is_none_or(|mine| theirs.is_some_and(|theirs| covers(mine, theirs)))
        }
        covered(self.module.as_ref(), other.module.as_ref(), ModuleGlob::covers)
            && covered(self.distribution.as_ref(), other.distribution.as_ref(), DistributionRange::covers)
            && covered(self.sha256.as_ref(), other.sha256.as_ref(), |mine, theirs| mine == theirs)
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let conditions = [
            self.module.as_ref().map(|glob| format!("module {}", glob.written)),
            self.distribution.as_ref().map(|range| format!("distribution {}", range.written)),
            self.sha256.as_ref().map(|hash| format!("sha256 {}", hash.0)),
        ];
        f.write_str(&conditions.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// A distribution by name, and which of its versions: `lxml >=5, <6`.
#[derive(Clone, Debug)]
pub(crate) struct DistributionRange {
    pub(crate) written: String,
    name: String,
    versions: VersionSpecifiers,
}

impl DistributionRange {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let name_end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).unwrap_or(text.len());
        let (name, rest) = text.split_at(name_end);
        let edges = [name.bytes().next(), name.bytes().next_back()];
        if !edges.into_iter().all(|edge| edge.is_some_and(|byte| byte.is_ascii_alphanumeric())) {
            return Err(format!("'{text}' does not begin with the name of a distribution"));
        }
        let versions = VersionSpecifiers::from_str(rest.trim()).map_err(|error| {
            // The error draws the place on more lines; the first one says what is wrong.
            let error = error.to_string();
            let first = error.lines().next().unwrap_or_default().trim_end_matches(':');
            let first = first.strip_prefix("Failed to parse version: ").unwrap_or(first);
            format!("'{}' is not a PEP 440 version specifier: {first}", rest.trim())
        })?;
        Ok(Self { written: text.to_owned(), name: normalized(name), versions })
    }

    /// Whether a found distribution is one of these. A version that is not PEP 440 is in no range.
    pub(crate) fn contains(&self, found: &Distribution) -> bool {
        self.name == normalized(&found.name)
            && (self.versions.is_empty()
                || Version::from_str(&found.version).is_ok_and(|version| self.versions.contains(&version)))
    }

    /// Surely holds all of `other`: the same name, and every bound of its own is one of the other's too.
    fn covers(&self, other: &Self) -> bool {
        self.name == other.name && self.versions.iter().all(|bound| other.versions.iter().any(|theirs| theirs == bound))
    }
}

/// PEP 503: names differ neither in case nor in runs of `-`, `_` and `.`.
fn normalized(name: &str) -> String {
    let parts: Vec<&str> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_ascii_lowercase()
}

/// The SHA-256 of a file, in lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sha256(pub(crate) String);

impl Sha256 {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        let found = text.chars().count();
        Err(if text.chars().all(|c| c.is_ascii_hexdigit()) {
            format!("a SHA-256 has 64 hexadecimal digits, and this has {found}")
        } else {
            "this is not a SHA-256: it has characters other than hexadecimal digits".to_owned()
        })
    }

    /// Compared with the hash of the bytes read and with nothing else: `record_sha256` is only what the package claims of itself.
    fn matches(&self, extension: &Extension) -> bool {
        extension.sha256.as_deref().is_some_and(|found| found.eq_ignore_ascii_case(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(range: &str, name: &str, version: &str) -> bool {
        DistributionRange::parse(range)
            .unwrap()
            .contains(&Distribution { name: name.to_owned(), version: version.to_owned() })
    }

    #[test]
    fn distributions() {
        assert!(contains("lxml", "LXML", "whatever"));
        assert!(contains("Zope.Interface >=5", "zope_interface", "5.0"));
        assert!(contains("lxml >=5, <6", "lxml", "5.4.0"));
        assert!(contains("lxml>=5,<6", "lxml", "5.4.0"));
        assert!(!contains("lxml >=5, <6", "lxml", "6.0"));
        assert!(!contains("lxml >=5", "lxml", "not a version"));
        assert!(contains("lxml ==6.*", "lxml", "6.1.3+local"));
        assert!(contains("lxml ~=6.1", "lxml", "6.4"));
    }

    #[test]
    fn bad_distributions() {
        for bad in ["", ">=5", "lxml >=", "lxml 5", "lxml >=5 <6", "-lxml", "lxml; extra", "lxml[html]"] {
            assert!(DistributionRange::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hashes() {
        assert!(Sha256::parse(&"aB".repeat(32)).is_ok());
        assert!(Sha256::parse(&"a".repeat(63)).unwrap_err().contains("63"));
        assert!(Sha256::parse(&"x".repeat(64)).is_err());
    }
}
