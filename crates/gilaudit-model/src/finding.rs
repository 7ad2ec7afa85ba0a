//! What a rule found.

use std::str::FromStr;

use crate::Origin;

/// How much a finding matters if it is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Likely to hurt.
    Warning,
    /// Wrong.
    Error,
}

impl Severity {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Note, Self::Warning, Self::Error]
            .into_iter()
            .find(|severity| severity.as_str() == text)
            .ok_or_else(|| format!("'{text}' is not a severity: note, warning or error"))
    }
}

/// How sure the rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// The pattern is there; whether it can go wrong was not proved.
    Low,
    /// Likely.
    Medium,
    /// Proved as far as a static tool can.
    High,
}

impl Confidence {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl FromStr for Confidence {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Low, Self::Medium, Self::High]
            .into_iter()
            .find(|confidence| confidence.as_str() == text)
            .ok_or_else(|| format!("'{text}' is not a confidence: low, medium or high"))
    }
}

/// The place of a finding inside its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Location {
    /// The file as a whole.
    File,
    /// A span of source text; 1-based, columns in characters.
    Text {
        /// First line.
        line: u32,
        /// First column.
        column: u32,
        /// Last line.
        end_line: u32,
        /// Column just after the last character.
        end_column: u32,
    },
    /// A virtual address in a compiled file.
    Address(u64),
}

/// Another place that belongs to a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Related {
    /// What is there.
    pub message: String,
    /// The file.
    pub origin: Origin,
    /// The place in it.
    pub location: Location,
}

/// A rule matched at a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file.
    pub origin: Origin,
    /// The place in it.
    pub location: Location,
    /// The rule's id.
    pub rule: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// How sure the rule is.
    pub confidence: Confidence,
    /// Whether it only says that the code is not ready to declare support, not that it is wrong today.
    pub readiness: bool,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The enclosing function, for sources.
    pub function: Option<String>,
    /// The module it belongs to, where known.
    pub module: Option<String>,
    /// Other places that belong to it.
    pub related: Vec<Related>,
    /// Why it was suppressed, if it was.
    pub suppressed: Option<String>,
    /// Where it is in machine code; `None` when it was found in sources, or is about a file as a whole.
    pub code: Option<Box<CodePlace>>,
}

/// A place in machine code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodePlace {
    /// The section, and the offset in it.
    pub section: Option<(String, u64)>,
    /// The symbol of the function, if the file has one.
    pub symbol: Option<String>,
    /// The name by which Python sees the function: `Template.expand`.
    pub python_name: Option<String>,
}
