//! Flags `GILProtected`, which nothing protects without the GIL.

use gilaudit_model::source::rust::RustFile;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::rust;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "gil-protected",
    summary: "a GILProtected value, which nothing protects without the GIL",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("gil_protected.md"),
    checks: &[Check::Rust(check)],
};

fn check(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    for place in rust::mentions(facts, "GILProtected") {
        let message =
            format!("{}: it does not exist in free-threaded builds, where no GIL protects the value", place.what);
        let mut finding = analysis.finding(rule, facts.file, place.span, message);
        finding.function = place.function;
        finding.help = Some("use std::sync::Mutex with MutexExt::lock_py_attached (PyO3 0.24), or PyOnceLock (PyO3 0.26) for what is set once; GILProtected is gone in PyO3 0.28".to_owned());
        out.push(finding);
    }
}
