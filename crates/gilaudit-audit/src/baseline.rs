//! A file of the findings that are known, so that a run fails for new ones only.
//!
//! It is JSON, one entry a finding, with what a reviewer wants to see (rule, place, function, text) and the fingerprint that is
//! compared. Line numbers are not in it: see `identity.rs`.

use std::collections::{BTreeMap, BTreeSet};

use gilaudit_model::Action;
use serde::{Deserialize, Serialize};

use crate::identity::{Identity, REFUSED};
use crate::report::Report;

pub use crate::known::{Compared, Entry};

/// The name and version of the format.
const SCHEMA: &str = "gilaudit-baseline/1";

/// The findings that are known.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Baseline {
    schema: String,
    /// What is known, sorted.
    pub findings: Vec<Entry>,
}

impl Baseline {
    /// Everything that is found now.
    pub fn of(report: &Report) -> Self {
        let mut findings: Vec<Entry> = report
            .findings()
            .filter(|seen| seen.finding.suppressed.is_none())
            .map(|seen| Entry::new(seen.finding.rule, seen.finding.function.as_deref(), seen.identity))
            .collect();
        let refused = report.answers.extensions.iter().filter(|judged| judged.decision.action == Action::Refuse);
        findings.extend(refused.map(|judged| Entry::new(REFUSED, None, &Identity::of_refusal(&judged.extension))));
        findings.sort();
        findings.dedup();
        Self { schema: SCHEMA.to_owned(), findings }
    }

    /// Reads the text of a baseline file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let baseline: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if baseline.schema != SCHEMA {
            return Err(format!("its schema is '{}' and not '{SCHEMA}'", baseline.schema));
        }
        Ok(baseline)
    }

    /// The text of a baseline file: an entry a line, so that a change of it is easy to review and to merge.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        let entries: Vec<String> = self.findings.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        let entries = entries.join(",\n    ");
        let gap = if entries.is_empty() { "" } else { "\n    " };
        let end = if entries.is_empty() { "" } else { "\n  " };
        Ok(format!("{{\n  \"schema\": \"{SCHEMA}\",\n  \"findings\": [{gap}{entries}{end}]\n}}\n"))
    }

    /// The same report, measured against this, which is the contents of `file`.
    #[must_use]
    pub fn against(self, mut report: Report, file: &str) -> Report {
        report.baseline = Some(self.compare(file.to_owned(), &report));
        report
    }

    fn compare(self, file: String, report: &Report) -> Compared {
        let now: BTreeSet<Entry> = Self::of(report).findings.into_iter().collect();
        let here: BTreeSet<(&str, &str)> =
            now.iter().map(|entry| (entry.place.as_str(), entry.fingerprint.as_str())).collect();
        let is_stale = |entry: &&Entry| !here.contains(&(entry.place.as_str(), entry.fingerprint.as_str()));
        let stale = self.findings.iter().filter(is_stale).cloned().collect();
        let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for entry in self.findings {
            known.entry(entry.place).or_default().insert(entry.fingerprint);
        }
        Compared { file, known, stale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Conclusion;
    use crate::sample;

    #[test]
    fn what_is_known_does_not_fail() {
        let mut report = sample::report();
        report.answers.problems.clear();
        assert_eq!(report.conclusion(), Conclusion::Fails);
        let baseline = Baseline::of(&report);
        let text = baseline.to_text().unwrap();
        assert_eq!(Baseline::parse(&text), Ok(baseline.clone()));
        let all = baseline.clone().against(report.clone(), "known.json");
        assert_eq!((all.conclusion(), all.baseline.as_ref().unwrap().stale.len()), (Conclusion::Passes, 0));
        // One finding that is not in it fails, and one that is no more is stale.
        let mut less = baseline;
        less.findings.retain(|entry| entry.rule != "borrowed-list-item");
        less.findings.push(Entry { fingerprint: "0".repeat(16), ..less.findings[0].clone() });
        let some = less.against(report, "known.json");
        assert_eq!((some.conclusion(), some.baseline.as_ref().unwrap().stale.len()), (Conclusion::Fails, 1));
        assert_eq!(some.findings().filter(|seen| some.fails(seen)).count(), 1);
    }

    #[test]
    fn an_unread_input_is_never_known() {
        let report = sample::report();
        let baseline = Baseline::of(&report);
        assert_eq!(baseline.against(report, "known.json").conclusion(), Conclusion::NotRead);
    }

    #[test]
    fn other_files_are_refused() {
        assert!(Baseline::parse("{}").is_err());
        assert!(
            Baseline::parse(r#"{"schema": "gilaudit-report/1", "findings": []}"#)
                .unwrap_err()
                .contains("gilaudit-report/1")
        );
        let empty = Baseline { schema: SCHEMA.to_owned(), findings: Vec::new() };
        assert_eq!(Baseline::parse(&empty.to_text().unwrap()), Ok(empty));
    }
}
