//! Flags a decision that hangs on an object's reference count being one.

use gilaudit_model::source::{ExprId, ExprKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::cfg::NodeId;
use crate::engine::exempt;
use crate::engine::index::Role;
use crate::engine::values::Source;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "refcount-one",
    summary: "a decision that hangs on an object's reference count being one",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("refcount_one.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if is_dealloc(unit) || exempt::is_polyfill(unit) || in_debug_code(unit) {
        return;
    }
    for (expr, kind, node) in unit.exprs() {
        let ExprKind::Binary { op, left, right } = kind else { continue };
        if !op.is_comparison() || unit.is_unparsed(unit.expr(expr).span) {
            continue;
        }
        let small = |expr| matches!(unit.kind(unit.strip(expr)), ExprKind::Number(Some(1..=3)));
        let counted = match (small(left), small(right)) {
            (false, true) => left,
            (true, false) => right,
            _ => continue,
        };
        if !is_count(unit, counted, node) || is_asserted(unit, expr) {
            continue;
        }
        let mut finding = unit.finding(rule, expr, "the reference count says nothing about who has the object: in the free-threaded build it is split in two, and another thread can take a reference at any time".to_owned());
        finding.help = Some(
            "use PyUnstable_Object_IsUniquelyReferenced (new in Python 3.14; pythoncapi-compat has it for older ones), or PyUnstable_Object_IsUniqueReferencedTemporary (new in 3.14) for an argument of a C function"
                .to_owned(),
        );
        out.push(finding);
    }
}

/// Whether a value is the reference count of an object: read here, or in a local just before.
fn is_count(unit: &Unit<'_>, value: ExprId, at: NodeId) -> bool {
    let value = unit.strip(value);
    match unit.kind(value) {
        ExprKind::Call { .. } => unit.call(value).is_some_and(|call| call.name == "Py_REFCNT"),
        ExprKind::Field { name, .. } => unit.text(name) == "ob_refcnt",
        ExprKind::Local(local) => {
            let reaching = unit.values.reaching(&unit.cfg, local, at);
            !reaching.is_empty()
                && reaching.iter().all(|definition| match definition.source {
                    Source::Value(value) => {
                        unit.call(value).is_some_and(|call| call.name == "Py_REFCNT")
                            || matches!(unit.kind(unit.strip(value)), ExprKind::Field { name, .. } if unit.text(name) == "ob_refcnt")
                    }
                    _ => false,
                })
        }
        _ => false,
    }
}

/// Whether the function only prints or checks counts.
fn in_debug_code(unit: &Unit<'_>) -> bool {
    let name = unit.name().to_ascii_lowercase();
    name.contains("debug") || name.contains("dump") || name.contains("refcnt") || name.contains("refcount")
}

/// Whether it is the function that frees the object: nobody else has it there.
fn is_dealloc(unit: &Unit<'_>) -> bool {
    let roles = unit.analysis.index.roles_of(unit.function.name);
    roles.iter().any(
        |role| matches!(role, Role::Slot(slot) if slot == "tp_dealloc" || slot == "tp_finalize" || slot == "tp_del"),
    )
}

/// Whether an expression is inside an assertion.
fn is_asserted(unit: &Unit<'_>, expr: ExprId) -> bool {
    let mut at = expr;
    while let Some(parent) = unit.parent(at) {
        if unit.call(parent).is_some_and(|call| call.name.to_ascii_lowercase().contains("assert")) {
            return true;
        }
        at = parent;
    }
    false
}
