//! Flags `#[pyclass(unsendable)]`, which panics in other threads.

use gilaudit_model::source::rust::RustFile;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::rust;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "unsendable",
    summary: "a class that panics when another thread uses it",
    severity: Severity::Note,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("unsendable.md"),
    checks: &[Check::Rust(check)],
};

fn check(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    for it in facts.structs.iter().filter(|it| it.pyclass == Some(true)) {
        let message = format!(
            "an object of the unsendable class '{}' panics when another thread than the one that made it uses it",
            it.name
        );
        let mut finding = rust::finding(analysis, facts, rule, None, it.span, message);
        finding.help =
            Some("make the fields Send and Sync (atomics, std::sync::Mutex), then drop unsendable".to_owned());
        out.push(finding);
    }
}
