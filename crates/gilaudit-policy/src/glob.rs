//! Globs over module names.

use globset::{GlobBuilder, GlobMatcher};

/// Longer patterns are refused: a module name is shorter, and a pattern becomes a program.
const LONGEST: usize = 300;

/// A glob over dotted module names. `*` stands for any characters, dots included: `lxml.*` is every module below `lxml` and not `lxml`
/// itself.
#[derive(Clone, Debug)]
pub(crate) struct ModuleGlob {
    pub(crate) written: String,
    matcher: GlobMatcher,
}

impl ModuleGlob {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("the glob is empty".to_owned());
        }
        if text.len() > LONGEST {
            return Err(format!("the glob is longer than {LONGEST} bytes"));
        }
        if let Some(odd) = text.chars().find(|c| c.is_whitespace() || "/\\".contains(*c)) {
            return Err(format!("'{text}' can match no module: a module name has no {odd:?}"));
        }
        match GlobBuilder::new(text).literal_separator(false).empty_alternates(true).build() {
            Ok(glob) => Ok(Self { written: text.to_owned(), matcher: glob.compile_matcher() }),
            Err(error) => Err(format!("'{text}' is not a glob: {}", error.kind())),
        }
    }

    pub(crate) fn matches(&self, module: &str) -> bool {
        self.matcher.is_match(module)
    }

    /// Whether it surely matches everything that `other` matches. May say no where the answer is yes.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let plain = |text: &str| !text.contains(['*', '?', '[', ']', '{', '}']);
        if self.written == other.written || (plain(&other.written) && self.matches(&other.written)) {
            return true;
        }
        // `lxml.*` covers `lxml.html.*`: whatever the other matches begins with its text before the first special character.
        match self.written.strip_suffix('*') {
            Some(prefix) if plain(prefix) => {
                let fixed = other.written.find(['*', '?', '[', ']', '{', '}']).unwrap_or(other.written.len());
                other.written[..fixed].starts_with(prefix)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> ModuleGlob {
        ModuleGlob::parse(text).unwrap()
    }

    #[test]
    fn modules() {
        assert!(glob("lxml.*").matches("lxml.etree"));
        assert!(glob("lxml.*").matches("lxml.html.diff"));
        assert!(!glob("lxml.*").matches("lxml"));
        assert!(!glob("lxml.*").matches("lxmlx.etree"));
        assert!(glob("lxml{,.*}").matches("lxml"));
        assert!(glob("_cffi_[ab]*").matches("_cffi_backend"));
        assert!(!glob("lxml").matches("lxml.etree"));
    }

    #[test]
    fn bad_globs() {
        for bad in ["", "lxml.[", "lxml.{a", "lxml/etree", "a b", "a\\b"] {
            assert!(ModuleGlob::parse(bad).is_err(), "{bad}");
        }
        assert!(ModuleGlob::parse(&"{a,".repeat(5000)).is_err());
    }

    #[test]
    fn covering() {
        assert!(glob("lxml.*").covers(&glob("lxml.etree")));
        assert!(glob("lxml.*").covers(&glob("lxml.html.*")));
        assert!(glob("*").covers(&glob("[ab]?")));
        assert!(!glob("lxml.*").covers(&glob("lxml*")));
        assert!(!glob("lxml.html.*").covers(&glob("lxml.*")));
        assert!(!glob("a[bc]*").covers(&glob("ab*")));
    }
}
