//! Flags a call that can run Python code while a mutex is held whose waiters stay attached.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "python-under-plain-lock",
    summary: "a call that can run Python code while a mutex is held whose waiters stay attached",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("python_under_plain_lock.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for call in unit.calls() {
        if unit.is_unparsed(call.span) || api::runs_python(call.name) != Some(api::RunsPython::Yes) {
            continue;
        }
        let held = unit.locks.held(call.node).find(|lock| lock.family.blocks_attached());
        let Some(lock) = held.filter(|_| !unit.locks.is_detached(call.node)) else { continue };
        let message = format!(
            "'{}' can run Python code while a mutex is held whose waiters stay attached: it deadlocks with a thread that waits for the mutex when the world is stopped, or when the code needs the same mutex",
            call.name
        );
        let mut finding = unit.finding(rule, call.expr, message);
        finding.confidence = if matches!(call.name, "Py_DECREF" | "Py_XDECREF" | "Py_CLEAR") {
            Confidence::Low
        } else {
            Confidence::Medium
        };
        finding.help = Some("call it before the lock or after the unlock; keep references to release until after the unlock; or use a PyMutex (new in Python 3.13), whose waiters detach".to_owned());
        if let Some((_, _, span)) = unit.locks.acquisitions().find(|(_, other, _)| *other == lock) {
            finding.related.push(unit.analysis.related(unit.function.file, span, "locked here"));
        }
        out.push(finding);
    }
}
