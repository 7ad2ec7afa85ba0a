//! Flags memory of Python's allocators requested without an attached thread state.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api::LockFamily;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "mem-while-detached",
    summary: "memory of Python's allocators requested without an attached thread state",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("mem_while_detached.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for call in unit.calls() {
        let allocates = matches!(
            call.name,
            "PyMem_Malloc"
                | "PyMem_Calloc"
                | "PyMem_Realloc"
                | "PyMem_Free"
                | "PyMem_MALLOC"
                | "PyMem_REALLOC"
                | "PyMem_FREE"
                | "PyMem_Del"
                | "PyObject_Malloc"
                | "PyObject_Calloc"
                | "PyObject_Realloc"
                | "PyObject_Free"
                | "PyMem_New"
                | "PyMem_Resize"
        );
        if !allocates || !unit.locks.is_detached(call.node) || unit.is_unparsed(call.span) {
            continue;
        }
        if unit.locks.maybe_held(call.node).any(|lock| lock.family == LockFamily::Gil) {
            continue;
        }
        let message =
            format!("'{}' needs an attached thread state: the allocator keeps its memory per thread state", call.name);
        let mut finding = unit.finding(rule, call.expr, message);
        finding.help = Some("use PyMem_RawMalloc and PyMem_RawFree, or call it outside the region".to_owned());
        out.push(finding);
    }
}
