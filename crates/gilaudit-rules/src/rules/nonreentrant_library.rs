//! Flags a library's shared handle that is used by all threads without a lock.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api;
use crate::engine::values::Root;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "nonreentrant-library",
    summary: "a library's shared handle that is used by all threads without a lock",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("nonreentrant_library.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.is_init() {
        return;
    }
    for call in unit.calls() {
        let Some(known) = api::nonreentrant(call.name) else { continue };
        if unit.is_locked_at(call.node)
            || unit.is_unparsed(call.span)
            || !unit.analysis.index.functions(unit.project, call.name).is_empty()
        {
            continue;
        }
        let Some(handle) = known.handle.and_then(|index| call.args.get(index).copied()) else { continue };
        // Only a handle that belongs to the whole process is surely shared.
        let roots = unit.roots(handle, call.node);
        let name = roots.iter().find_map(|root| match root {
            Root::Global(name) => unit
                .project
                .globals
                .iter()
                .any(|global| global.name == *name && !global.thread_local)
                .then(|| unit.text(*name)),
            Root::Static(local) => Some(unit.text(unit.body.locals[local.0 as usize].name)),
            _ => None,
        });
        let Some(name) = name else { continue };
        let message =
            format!("'{}' uses '{name}', which all threads share, without a lock: {}", call.name, known.reason);
        let mut finding = unit.finding(rule, call.expr, message);
        finding.confidence = if unit.is_callable() { Confidence::Medium } else { Confidence::Low };
        finding.help = Some(known.fix.to_owned());
        out.push(finding);
    }
}
