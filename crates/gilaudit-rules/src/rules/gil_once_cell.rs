//! Flags `GILOnceCell`, which may run its initialiser several times.

use gilaudit_model::source::rust::RustFile;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::rust;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "gil-once-cell",
    summary: "a GILOnceCell, whose initialiser can run in several threads at once",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("gil_once_cell.md"),
    checks: &[Check::Rust(check)],
};

fn check(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    for place in rust::mentions(facts, "GILOnceCell") {
        let message = format!(
            "{}: without the GIL several threads can run its initialiser, and all but one of the values are thrown away",
            place.what
        );
        let mut finding = analysis.finding(rule, facts.file, place.span, message);
        finding.function = place.function;
        let has_replacement =
            facts.framework.as_ref().and_then(|it| it.oldest).is_some_and(|oldest| oldest >= (0, 26, 0));
        finding.help = Some(match has_replacement {
            true => "use pyo3::sync::PyOnceLock".to_owned(),
            false => "use PyOnceLock (PyO3 0.26), or std::sync::OnceLock with OnceLockExt::get_or_init_py_attached (PyO3 0.23)".to_owned(),
        });
        out.push(finding);
    }
}
