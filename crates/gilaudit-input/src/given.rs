//! What the user named.

use std::path::PathBuf;

/// An input as the user named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A file or folder: wheel, sdist, binary, folder, virtual environment, `site-packages`.
    Path(PathBuf),
    /// A distribution to download for the target: `pypi:NAME` or `pypi:NAME==VERSION`.
    Pypi {
        /// The name, as given.
        name: String,
        /// The version; the newest that the target can install without one.
        version: Option<String>,
    },
    /// The environment of the active Python. Asking it is the one thing that is executed, apart from pip for [`Given::Pypi`].
    ActiveEnvironment,
}

impl Given {
    /// Reads `pypi:NAME`, `pypi:NAME==VERSION`, or else a path. The error says what is wrong with a `pypi:` name; a file whose
    /// name starts with `pypi:` can be given as `./pypi:…`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(requirement) = text.strip_prefix("pypi:") else { return Ok(Self::Path(text.into())) };
        let (name, version) = match requirement.split_once("==") {
            Some((name, version)) => (name, Some(version)),
            None => (requirement, None),
        };
        // Also what keeps an option of pip from being smuggled in as a name.
        if !is_distribution_name(name) {
            return Err(format!(
                "'{name}' is not the name of a distribution: expected pypi:NAME or pypi:NAME==VERSION"
            ));
        }
        if let Some(version) = version
            && version.parse::<pep440_rs::Version>().is_err()
        {
            return Err(format!("'{version}' is not a version: expected pypi:NAME==VERSION"));
        }
        Ok(Self::Pypi { name: name.to_owned(), version: version.map(str::to_owned) })
    }
}

/// Whether text is a distribution name by the specification: ASCII letters, digits, `.`, `_` and `-`, the last three not at an end.
fn is_distribution_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let ends = [text.bytes().next(), text.bytes().last()];
    text.bytes().all(inner) && ends.iter().all(|end| end.is_some_and(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_distributions() {
        let pypi = |name: &str, version: Option<&str>| {
            Ok(Given::Pypi { name: name.to_owned(), version: version.map(str::to_owned) })
        };
        assert_eq!(Given::parse("dist/x.whl"), Ok(Given::Path("dist/x.whl".into())));
        assert_eq!(Given::parse("./pypi:x"), Ok(Given::Path("./pypi:x".into())));
        assert_eq!(Given::parse("pypi:lxml"), pypi("lxml", None));
        assert_eq!(Given::parse("pypi:zope.interface==6.1.0rc1"), pypi("zope.interface", Some("6.1.0rc1")));
    }

    #[test]
    fn no_options_of_pip() {
        for text in [
            "pypi:",
            "pypi:--index-url=x",
            "pypi:-r",
            "pypi:x y",
            "pypi:x==",
            "pypi:x== --pre",
            "pypi:x>=1",
            "pypi:x[y]",
        ] {
            assert!(Given::parse(text).is_err(), "{text}");
        }
    }
}
