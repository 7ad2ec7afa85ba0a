//! Flags a flag or pointer tested outside a lock by plain reads and again inside it.

use gilaudit_model::source::ExprKind;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::index::is_shared;
use crate::engine::{globals, members};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "double-checked-locking",
    summary: "a flag or pointer tested outside a lock by plain reads and again inside it",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("double_checked_locking.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if !unit.locks.locks.iter().any(|lock| lock.family.is_lock()) {
        return;
    }
    for test in members::emptiness_tests(unit) {
        // What was read under the lock and is only looked at behind it needs none.
        if unit.is_locked_at(test.node)
            || unit.is_locked_at(test.read)
            || unit.is_unparsed(unit.expr(test.condition).span)
            || unit.is_init()
        {
            continue;
        }
        let shared = match unit.kind(unit.strip(test.place)) {
            ExprKind::Field { base, .. } => is_shared(unit, base, test.node),
            _ => globals::process_wide(unit, test.place).is_some(),
        };
        if !shared || unit.type_of(unit.strip(test.place)).is_some_and(|ty| ty.atomic) {
            continue;
        }
        let inside = members::emptiness_tests(unit).into_iter().find(|inner| {
            inner.node != test.node && unit.locks.is_locked(inner.node) && unit.same(inner.place, test.place)
        });
        let Some(inside) = inside else { continue };
        let stored = members::writes_to(unit, test.place).into_iter().find(|write| unit.locks.is_locked(write.node));
        let Some(stored) = stored else { continue };
        let mut finding = unit.finding(rule, test.condition, "this test reads without a lock what is stored under one: it can see the flag or pointer before what it stands for".to_owned());
        finding.help = Some("load it with acquire order and store it with release order, as the last step (atomic_load_explicit, atomic_store_explicit); or always take the lock".to_owned());
        finding.related.push(unit.related(inside.condition, "tested again here, under the lock"));
        finding.related.push(unit.related(stored.expr, "stored here"));
        out.push(finding);
    }
}
