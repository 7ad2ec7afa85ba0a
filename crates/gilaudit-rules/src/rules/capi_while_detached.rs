//! Flags a call of the Python API without an attached thread state.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api::{self, LockFamily};
use crate::engine::regions;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "capi-while-detached",
    summary: "a call of the Python API without an attached thread state",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("capi_while_detached.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for call in unit.calls() {
        if !unit.locks.is_detached(call.node)
            || unit.is_unparsed(call.span)
            || !api::is_exported(call.name)
            || api::is_detach_safe(call.name)
        {
            continue;
        }
        // The calls that attach and detach are the ends of regions themselves; an attached thread state within a region is one.
        if api::lock_primitive(call.name).is_some()
            || unit.locks.maybe_held(call.node).any(|lock| lock.family == LockFamily::Gil)
        {
            continue;
        }
        if call.name.starts_with("PyMem_")
            || call.name.starts_with("PyObject_Malloc")
            || call.name.starts_with("PyObject_Free")
        {
            continue;
        }
        let is_own = !unit.analysis.index.functions(unit.project, call.name).is_empty();
        if is_own {
            continue;
        }
        let message = format!(
            "'{}' needs an attached thread state, and here there is none: it races with the collector, which stops attached threads only",
            call.name
        );
        let mut finding = unit.finding(rule, call.expr, message);
        finding.help = Some("move the call behind Py_END_ALLOW_THREADS, or attach around it with Py_BLOCK_THREADS and Py_UNBLOCK_THREADS".to_owned());
        if let Some((_, Some(begin))) = regions::open_at(unit, call.node, LockFamily::Detached) {
            finding.related.push(unit.analysis.related(unit.function.file, begin.0, "detached here"));
        }
        out.push(finding);
    }
}
