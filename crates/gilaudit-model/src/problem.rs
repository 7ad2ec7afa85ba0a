//! Inputs that could not be audited.

use crate::Origin;

/// The stage at which an input could not be audited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Finding or downloading it.
    Find,
    /// Opening or reading the bytes.
    Open,
    /// Reading the archive that holds it.
    Archive,
    /// Reading its metadata (RECORD, METADATA, WHEEL, file name).
    Metadata,
    /// Reading its structure.
    Parse,
    /// A size, count or time limit.
    Limits,
    /// gilaudit itself failed.
    Internal,
}

impl Stage {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Find => "find",
            Self::Open => "open",
            Self::Archive => "archive",
            Self::Metadata => "metadata",
            Self::Parse => "parse",
            Self::Limits => "limits",
            Self::Internal => "internal",
        }
    }
}

/// An input that could not be audited, or only in part: at which stage, and why. Never silence, never an abort.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The input.
    pub origin: Origin,
    /// Where it failed.
    pub stage: Stage,
    /// Whether an audit that has this problem must not exit 0: a named input, or a member named like an extension, that was not read.
    /// False for what is worth saying but left nothing unread (a line of RECORD that does not parse).
    pub unread: bool,
    /// What is wrong, lower case, no final period.
    pub error: String,
}
