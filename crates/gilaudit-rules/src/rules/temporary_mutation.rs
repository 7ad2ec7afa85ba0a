//! Flags an object of the caller's that is changed for a while and put back.

use gilaudit_model::source::ExprKind;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api;
use crate::engine::index::is_shared;
use crate::engine::members::writes_to;
use crate::engine::values::Source;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "temporary-mutation",
    summary: "a member of a shared object that is changed for a while and then put back",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("temporary_mutation.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.is_init() || unit.is_lifecycle() {
        return;
    }
    for (expr, kind, node) in unit.exprs() {
        let ExprKind::Assign { op: None, target, value } = kind else { continue };
        let place = unit.strip(target);
        let ExprKind::Field { base, name, .. } = unit.kind(place) else { continue };
        let Some(saved) = unit.local(value).filter(|_| is_shared(unit, base, node) && !unit.is_locked_at(node)) else {
            continue;
        };
        let Some(wanted) = unit.path(place) else { continue };
        // The value comes from the same member, read earlier.
        let read =
            unit.values.reaching(&unit.cfg, saved, node).into_iter().find(|definition| match definition.source {
                Source::Value(value) => {
                    let value = unit.strip(value);
                    matches!(unit.kind(value), ExprKind::Field { .. })
                        && unit.path(value).is_some_and(|path| path == wanted)
                }
                _ => false,
            });
        let Some(read) = read else { continue };
        let between = unit.cfg.after(read.node, |at| at == node);
        let changed = writes_to(unit, place)
            .into_iter()
            .find(|write| write.node != node && between.binary_search(&write.node).is_ok());
        let Some(changed) = changed else { continue };
        let exposed = unit.cfg.after(changed.node, |at| at == node);
        // Other threads are most likely to see it where Python code runs or the thread state is detached.
        let runs =
            |name: &str| matches!(api::runs_python(name), Some(api::RunsPython::Yes)) || name.starts_with("PyObject_");
        if !unit.calls().any(|call| exposed.binary_search(&call.node).is_ok() && runs(call.name))
            || unit.is_unparsed(unit.expr(expr).span)
        {
            continue;
        }
        let message = format!(
            "'{}' of a shared object is changed for a while and put back: other threads see the changed value",
            unit.text(name)
        );
        let mut finding = unit.finding(rule, changed.expr, message);
        finding.confidence = if unit.is_callable() { Confidence::Medium } else { Confidence::Low };
        finding.help = Some(
            "work on a copy, or pass the changed value as an argument; a lock helps only if all readers take it"
                .to_owned(),
        );
        finding.related.push(unit.related(expr, "put back here"));
        out.push(finding);
    }
}
