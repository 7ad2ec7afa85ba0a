//! How much a policy lets a rule matter.

use gilaudit_model::Severity;

/// What `rules:` says about one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Its findings are not reported.
    Off,
    /// Its findings have this severity.
    At(Severity),
}

impl Level {
    /// All levels, strictest first.
    pub const ALL: [Self; 4] =
        [Self::At(Severity::Error), Self::At(Severity::Warning), Self::At(Severity::Note), Self::Off];

    /// The word used in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::At(severity) => severity.as_str(),
        }
    }
}
