//! `warnings`: filters over what a policy warns of, written as for `python -W`.
//!
//! `action:message:category:module:line`, everything after the action optional; the last filter that matches decides, as with `-W`.
//! One thing differs on purpose. CPython raises the warning inside its import machinery, so that the module field of a real `-W`
//! never names the extension. Here it does: it is a glob over the extension's name.

use gilaudit_model::cpython;

use crate::diagnostic::Place;
use crate::glob::ModuleGlob;
use crate::suggest::nearest;

/// What a filter does with a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing is said.
    Ignore,
    /// It becomes an error.
    Error,
    /// It is shown. `python -W` tells apart how often; a report shows each once.
    Show,
}

/// The actions of `-W`. CPython `Lib/warnings.py`, `_getaction` (3.13 to 3.15).
const ACTIONS: [(&str, Effect); 7] = [
    ("ignore", Effect::Ignore),
    ("error", Effect::Error),
    ("default", Effect::Show),
    ("always", Effect::Show),
    ("all", Effect::Show),
    ("module", Effect::Show),
    ("once", Effect::Show),
];

/// The built-in warning categories, and whether a `RuntimeWarning` is one.
const CATEGORIES: [(&str, bool); 12] = [
    ("Warning", true),
    ("RuntimeWarning", true),
    ("BytesWarning", false),
    ("DeprecationWarning", false),
    ("EncodingWarning", false),
    ("FutureWarning", false),
    ("ImportWarning", false),
    ("PendingDeprecationWarning", false),
    ("ResourceWarning", false),
    ("SyntaxWarning", false),
    ("UnicodeWarning", false),
    ("UserWarning", false),
];

/// One filter.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) written: String,
    pub(crate) effect: Effect,
    message: String,
    pub(crate) module: Option<ModuleGlob>,
    pub(crate) place: Place,
}

impl Filter {
    /// Reads a filter, or says what is wrong and what to write instead.
    pub(crate) fn parse(text: &str, place: Place) -> Result<Self, (String, Option<String>)> {
        let fields: Vec<&str> = text.split(':').map(str::trim).collect();
        let field = |index: usize| fields.get(index).copied().unwrap_or_default();
        if fields.len() > 5 {
            return Err((
                format!("'{text}' has {} fields, and a warning filter has five at most", fields.len()),
                Some("action:message:category:module:line".to_owned()),
            ));
        }
        let Some((_, effect)) = ACTIONS.iter().find(|(name, _)| *name == field(0)) else {
            let names = ACTIONS.map(|(name, _)| name);
            let hint = nearest(field(0), names)
                .map_or_else(|| format!("one of {}", names.join(", ")), |name| format!("did you mean '{name}'?"));
            return Err((format!("unknown warning action '{}'", field(0)), Some(hint)));
        };
        let category = match field(2) {
            "" => Some(true),
            name => CATEGORIES.iter().find(|(known, _)| *known == name).map(|(_, matches)| *matches),
        };
        match category {
            Some(true) => {}
            Some(false) => {
                let error =
                    format!("matches nothing: the warning about the GIL is a RuntimeWarning, not a {}", field(2));
                return Err((error, None));
            }
            None => {
                let hint =
                    nearest(field(2), CATEGORIES.map(|(name, _)| name)).map(|name| format!("did you mean '{name}'?"));
                return Err((format!("unknown warning category '{}'", field(2)), hint));
            }
        }
        let module = match field(3) {
            "" => None,
            text => Some(ModuleGlob::parse(text).map_err(|error| (error, None))?),
        };
        if !field(4).is_empty() && field(4).parse::<u32>().is_err() {
            return Err((format!("'{}' is not a line number", field(4)), None));
        }
        Ok(Self { written: text.to_owned(), effect: *effect, message: field(1).to_lowercase(), module, place })
    }

    /// Whether it is about the warning for this module. As with `-W`, the message is a literal beginning, upper and lower case alike.
    fn matches(&self, module: &str) -> bool {
        self.module.as_ref().is_none_or(|glob| glob.matches(module))
            && (self.message.is_empty() || cpython::warning(module).to_lowercase().starts_with(&self.message))
    }

    /// What it selects, as written.
    pub(crate) fn selection(&self) -> (&str, Option<&str>) {
        (&self.message, self.module.as_ref().map(|glob| glob.written.as_str()))
    }
}

/// The filter that decides about the warning for this module: the last that matches.
pub(crate) fn find<'p>(filters: &'p [Filter], module: &str) -> Option<&'p Filter> {
    filters.iter().rev().find(|filter| filter.matches(module))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> Result<Filter, (String, Option<String>)> {
        let place = Place { file: "p".into(), line: 1, column: 1, end_line: 1, end_column: 1 };
        Filter::parse(text, place)
    }

    #[test]
    fn reads_like_python_w() {
        assert!(filter("ignore").unwrap().matches("lxml.etree"));
        assert!(filter("error::RuntimeWarning:lxml.*").unwrap().matches("lxml.etree"));
        assert!(!filter("error::RuntimeWarning:lxml.*").unwrap().matches("hiredis.hiredis"));
        let by_message = "ignore:the global interpreter lock (GIL) has been enabled to load module 'lxml";
        assert!(filter(by_message).unwrap().matches("lxml.etree"));
        assert!(!filter(by_message).unwrap().matches("hiredis.hiredis"));
        assert_eq!(filter("ignroe").unwrap_err().1.unwrap(), "did you mean 'ignore'?");
        assert!(filter("ignore::DeprecationWarning").unwrap_err().0.starts_with("matches nothing"));
        assert_eq!(filter("ignore::RuntimeWarnin").unwrap_err().1.unwrap(), "did you mean 'RuntimeWarning'?");
        assert!(filter("ignore::::x").unwrap_err().0.contains("line number"));
        assert!(filter("a:b:c:d:1:f").is_err());
        assert!(filter("").is_err());
    }

    #[test]
    fn the_last_one_wins() {
        let filters = [filter("error").unwrap(), filter("ignore:::lxml.*").unwrap()];
        assert_eq!(find(&filters, "lxml.etree").unwrap().effect, Effect::Ignore);
        assert_eq!(find(&filters, "hiredis").unwrap().effect, Effect::Error);
    }
}
