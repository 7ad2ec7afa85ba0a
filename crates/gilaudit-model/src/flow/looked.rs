//! A compiled file as functions, and how much of it was looked at.

use std::collections::BTreeMap;

use super::Function;
use crate::{Layout, Place};

/// The code of one compiled file, as far as it was followed.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// The functions that were followed, by address.
    pub functions: Vec<Function>,
    /// What others provide, by number.
    pub imports: Vec<String>,
    /// The layout of objects that it was compiled for.
    pub layout: Option<Layout>,
    /// Variables of the process, by address, that followed functions write.
    pub statics: BTreeMap<u64, Static>,
    /// How much was looked at.
    pub looked: Looked,
}

/// A variable that the whole process shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Static {
    /// Where it is.
    pub at: Place,
    /// Its symbol, if the file has one, and the distance from it.
    pub symbol: Option<(String, u64)>,
}

impl std::fmt::Display for Static {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.symbol, &self.at.section) {
            (Some((symbol, 0)), _) => f.write_str(symbol),
            (Some((symbol, distance)), _) => write!(f, "{symbol}+{distance:#x}"),
            (None, Some((section, offset))) => write!(f, "{section}+{offset:#x}"),
            (None, None) => write!(f, "address {:#x}", self.at.address),
        }
    }
}

/// How much of a file's code was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// The functions that were found.
    pub functions: usize,
    /// Those of them that were not followed although they do something that is asked about, by reason.
    pub not_followed: BTreeMap<&'static str, usize>,
    /// Why nothing could be looked at.
    pub nothing: Option<&'static str>,
}

impl Looked {
    /// How many functions were looked at.
    pub fn seen(&self) -> usize {
        self.functions.saturating_sub(self.not_followed.values().sum())
    }
}
