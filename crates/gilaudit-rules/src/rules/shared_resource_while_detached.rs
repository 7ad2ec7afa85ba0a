//! Flags a resource of the whole process that is used in several steps without the GIL or a lock.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api::LockFamily;
use crate::engine::{exempt, regions};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "shared-resource-while-detached",
    summary: "a resource of the whole process that is used in several steps without the GIL or a lock",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("shared_resource_while_detached.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if exempt::is_single_threaded(unit) {
        return;
    }
    let mut reported: Vec<&str> = Vec::new();
    for call in unit.calls() {
        if !unit.locks.is_detached(call.node) || unit.locks.is_locked(call.node) || unit.is_unparsed(call.span) {
            continue;
        }
        let Some(stream) = regions::stdio_stream(unit, &call) else { continue };
        if reported.contains(&stream) {
            continue;
        }
        // One call locks the stream itself; what several of them write together can be torn apart.
        let again = unit.calls().any(|other| {
            other.expr != call.expr
                && unit.locks.is_detached(other.node)
                && !unit.locks.is_locked(other.node)
                && regions::stdio_stream(unit, &other) == Some(stream)
        });
        if !again && unit.cfg.node(call.node).loops == 0 {
            continue;
        }
        reported.push(stream);
        let message = format!(
            "'{stream}' belongs to the whole process and is used here in several steps while other threads run: their output and this one's mix"
        );
        let mut finding = unit.finding(rule, call.expr, message);
        finding.help = Some("guard the steps with one mutex (PyMutex, new in Python 3.13) or with flockfile and funlockfile; or put the text together first and write it in one call".to_owned());
        if let Some((_, Some(begin))) = regions::open_at(unit, call.node, LockFamily::Detached) {
            finding.related.push(unit.analysis.related(unit.function.file, begin.0, "detached here"));
        }
        out.push(finding);
    }
}
