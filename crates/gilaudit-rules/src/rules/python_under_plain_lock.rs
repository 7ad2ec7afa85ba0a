//! Flags a call that can run Python code while a mutex is held.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api::{self, LockFamily};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "python-under-plain-lock",
    summary: "a call that can run Python code while a mutex is held",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("python_under_plain_lock.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.locks.locks.iter().all(|lock| !excludes(lock.family)) {
        return;
    }
    for call in unit.calls() {
        let Some(lock) = unit.locks.held(call.node).find(|lock| excludes(lock.family)) else { continue };
        if unit.is_unparsed(call.span) || unit.locks.is_detached(call.node) {
            continue;
        }
        // Leaving and entering the interpreter is the business of other rules.
        let direct =
            api::runs_python(call.name) == Some(api::RunsPython::Yes) && api::lock_primitive(call.name).is_none();
        let called = unit.project.names.get(call.name).filter(|name| unit.analysis.index.runs_python.contains(name));
        if !direct && called.is_none() {
            continue;
        }
        let danger = if lock.family.blocks_attached() {
            "whose waiters stay attached: it deadlocks with a thread that waits for the mutex when the world is stopped, or when the code needs the same mutex"
        } else {
            "that no thread gets before it is done: it deadlocks when the code needs the same mutex, here or in a thread that it waits for"
        };
        let message = format!("'{}' can run Python code while a mutex is held {danger}", call.name);
        let mut finding = unit.finding(rule, call.expr, message);
        finding.confidence = if matches!(call.name, "Py_DECREF" | "Py_XDECREF" | "Py_CLEAR") {
            Confidence::Low
        } else {
            Confidence::Medium
        };
        finding.help = Some(if lock.family.blocks_attached() {
            "call it before the lock or after the unlock; keep references to release until after the unlock; or use a PyMutex (new in Python 3.13), whose waiters detach".to_owned()
        } else {
            "call it before the lock or after the unlock; keep references to release until after the unlock".to_owned()
        });
        if let Some((_, _, span)) = unit.locks.acquisitions().find(|(_, other, _)| *other == lock) {
            finding.related.push(unit.analysis.related(unit.function.file, span, "locked here"));
        }
        out.push(finding);
    }
}

/// Whether a lock of this family is kept while Python code runs: a critical section is not.
fn excludes(family: LockFamily) -> bool {
    family.blocks_attached() || family == LockFamily::PyMutex
}
