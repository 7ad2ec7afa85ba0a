//! Flags a borrowed reference that was taken under a lock and is used after its release.

use gilaudit_model::source::{ExprId, ExprKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::cfg::{NodeId, Step};
use crate::engine::values::Root;
use crate::engine::{api, borrow, exempt};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "borrowed-escapes-lock",
    summary: "a borrowed reference that was taken under a lock and is used after its release",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("borrowed_escapes_lock.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    // Who is called with the lock held gives what it finds to its caller under that lock.
    if !unit.locks.locks.iter().any(|lock| lock.family.is_lock()) || unit.is_init() || unit.is_lock_held() {
        return;
    }
    for call in unit.calls() {
        let Some(api) = api::borrowed(call.name) else { continue };
        let container = api.owner.and_then(|index| call.args.get(index).copied());
        let Some(container) = container.filter(|_| takes_from_container(api.rule)) else { continue };
        if !unit.locks.is_locked(call.node) || unit.is_unparsed(call.span) || exempt::is_polyfill(unit) {
            continue;
        }
        if exempt::is_fresh(unit, container, call.node)
            || exempt::is_call_arguments(unit, container, call.node)
            || exempt::is_frozen(unit, container)
            || exempt::is_checked_tuple(unit, container)
        {
            continue;
        }
        let Some((used, place, released)) = escape(unit, call.expr, call.node) else { continue };
        let message = format!(
            "what '{}' gave is borrowed and used after the lock was released: from then on another thread can remove it from the container",
            call.name
        );
        let mut finding = unit.finding(rule, used, message);
        let roots = unit.roots(container, call.node);
        let shared = !roots.is_empty() && roots.iter().all(|root| !matches!(root, Root::Unknown | Root::Constant));
        finding.confidence = if shared && unit.is_callable() { Confidence::Medium } else { Confidence::Low };
        finding.help = Some(format!(
            "take a reference before the end of the lock (Py_XNewRef, new in Python 3.10) and release it after the last use; or call {}",
            api.advice()
        ));
        finding.related.push(unit.related(place, "taken here, under the lock"));
        finding.related.extend(released.map(|span| unit.analysis.related(unit.function.file, span, "released here")));
        out.push(finding);
    }
}

/// The rules about containers: what protects one keeps its items.
fn takes_from_container(rule: &str) -> bool {
    matches!(rule, "borrowed-list-item" | "borrowed-dict-item" | "sequence-fast-items" | "borrowed-module")
}

/// The first use of a borrowed value where no lock is held any more, though no reference was taken under the lock.
fn escape(
    unit: &Unit<'_>,
    call: ExprId,
    from: NodeId,
) -> Option<(ExprId, ExprId, Option<gilaudit_model::source::Span>)> {
    let (local, stored) = borrow::stored_local(unit, call)?;
    if unit.body.locals.get(local.0 as usize)?.is_static {
        return None;
    }
    let counted = unit.calls().any(|other| {
        borrow::is_incref(other.name)
            && other.args.first().is_some_and(|arg| unit.local(*arg) == Some(local))
            && unit.locks.is_locked(other.node)
    });
    // Another variable, or a member, may hold the reference that keeps it.
    if counted || copied_under_lock(unit, local) {
        return None;
    }
    let (used, at) = unit.uses_after(local, stored).into_iter().find(|(expr, node)| {
        !unit.locks.maybe_held(*node).any(|lock| lock.family.is_lock()) && !is_test(unit, *expr, *node)
    })?;
    let between = unit.cfg.after(from, |node| node == at);
    let released = unit.locks.changes.iter().find(|(node, change, _)| {
        !matches!(change, crate::engine::locks::Change::Acquire(_)) && between.binary_search(node).is_ok()
    });
    Some((used, call, released.map(|(_, _, span)| *span)))
}

fn copied_under_lock(unit: &Unit<'_>, local: gilaudit_model::source::LocalId) -> bool {
    unit.exprs().any(|(_, kind, node)| match kind {
        ExprKind::Assign { op: None, value, .. } => {
            unit.locks.is_locked(node)
                && unit.call(value).is_some_and(|call| {
                    borrow::is_incref(call.name) && call.args.first().is_some_and(|arg| unit.local(*arg) == Some(local))
                })
        }
        _ => false,
    })
}

/// Whether a use only looks at the pointer: compares it, or passes it to `Py_XDECREF` where it was set to `NULL`.
fn is_test(unit: &Unit<'_>, used: ExprId, node: NodeId) -> bool {
    match unit.parent(used).map(|parent| unit.kind(parent)) {
        Some(ExprKind::Binary { op, .. }) => op.is_comparison(),
        Some(ExprKind::Unary { op: gilaudit_model::source::UnaryOp::Not, .. }) => true,
        Some(ExprKind::Conditional { condition, .. }) => condition == used,
        None => matches!(unit.cfg.node(node).step, Step::Branch(_)),
        _ => false,
    }
}
