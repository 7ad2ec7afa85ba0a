//! Flags cells in a `#[pyclass]` that several threads share.

use gilaudit_model::source::rust::RustFile;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::rust;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "cell-in-pyclass",
    summary: "a class with a cell that nothing locks",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("cell_in_pyclass.md"),
    checks: &[Check::Rust(check)],
};

fn check(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    for it in facts.structs.iter().filter(|it| it.pyclass == Some(false)) {
        let Some((field, ty, span)) = it.fields.iter().find(|(_, ty, _)| rust::unguarded(ty, false).is_some()) else {
            continue;
        };
        let cell = rust::unguarded(ty, false).unwrap_or_default();
        // PyO3 asks for Sync since 0.23: there it only compiles with an unsafe impl.
        let by_hand = facts.unsafe_impls.iter().find(|by_hand| by_hand.name == it.name);
        if by_hand.is_none() && !rust::is_too_old(analysis, facts.file) {
            continue;
        }
        let message = format!(
            "'{field}' of the class '{}' is a '{cell}', which two threads can change at once through the same object",
            it.name
        );
        let mut finding = rust::finding(analysis, facts, rule, None, *span, message);
        finding.help = Some("use an atomic, or std::sync::Mutex with MutexExt::lock_py_attached (PyO3 0.24); PyO3 0.23 and newer refuse the cell without the unsafe impl".to_owned());
        if let Some(by_hand) = by_hand {
            finding.related.push(analysis.related(facts.file, by_hand.span, "it is made shareable by hand here"));
        }
        out.push(finding);
    }
}
