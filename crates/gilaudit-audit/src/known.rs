//! What is known of a report's findings from an earlier run.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::identity::Identity;

/// A known finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Entry {
    /// The path, or the module with its distribution.
    pub place: String,
    /// The rule.
    pub rule: String,
    /// The function that it is in.
    pub function: Option<String>,
    /// The line, or the platform of a module.
    pub text: String,
    /// How many before it look the same.
    pub ordinal: usize,
    /// The hash that is compared.
    pub fingerprint: String,
}

impl Entry {
    pub(crate) fn new(rule: &str, function: Option<&str>, identity: &Identity) -> Self {
        Self {
            place: identity.place.clone(),
            rule: rule.to_owned(),
            function: function.map(str::to_owned),
            text: identity.text.clone(),
            ordinal: identity.ordinal,
            fingerprint: identity.fingerprint.clone(),
        }
    }
}

/// A report measured against a baseline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// The file, as it was named.
    pub file: String,
    /// The fingerprints of what is known, by place.
    pub(crate) known: BTreeMap<String, BTreeSet<String>>,
    /// Entries of which nothing was found.
    pub stale: Vec<Entry>,
}

impl Compared {
    /// Whether a finding is known.
    pub fn knows(&self, identity: &Identity) -> bool {
        self.known.get(&identity.place).is_some_and(|known| known.contains(&identity.fingerprint))
    }
}
