//! Flags an object of the caller's that is changed for a while and put back.

use gilaudit_model::source::{ExprId, ExprKind, LocalId, Name, UnaryOp};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api;
use crate::engine::cfg::NodeId;
use crate::engine::flow::Call;
use crate::engine::index::is_shared;
use crate::engine::members::writes_to;
use crate::engine::values::{Source, callee};
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
        let ExprKind::Field { base, name, .. } = unit.kind(place) else {
            through_accessor(unit, rule, expr, out);
            continue;
        };
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

/// `SHAPE(x)[i] = other; f(x); SHAPE(x)[i] = old;` where `old` was asked of `x` before: what an accessor of an object gives is changed for
/// the time of a call.
fn through_accessor(unit: &Unit<'_>, rule: &Rule, expr: ExprId, out: &mut Vec<Finding>) {
    let ExprKind::Assign { op: None, target, value } = unit.kind(expr) else { return };
    let (Some(node), Some((object, accessor))) = (unit.cfg.node_of(expr), accessed(unit, target)) else { return };
    let Some(saved) = unit.local(value).filter(|_| !unit.is_locked_at(node)) else { return };
    let Some(span) = Some(unit.expr(expr).span).filter(|span| !unit.is_unparsed(*span)) else { return };
    let about_object = |call: &Call<'_>| call.args.iter().any(|arg| unit.local(*arg) == Some(object));
    let reaching = unit.values.reaching(&unit.cfg, saved, node);
    let [read] = reaching.as_slice() else { return };
    let Source::Value(asked) = read.source else { return };
    if !unit.call(asked).is_some_and(|call| about_object(&call)) || !is_shared_local(unit, object, node) {
        return;
    }
    // The first change: of the same place, after the value was saved, with a call that gets the object behind it.
    let before = unit.cfg.before(node, |at| at == read.node);
    let changed = unit.exprs().find(|(other, kind, at)| match kind {
        ExprKind::Assign { op: None, target, value } => {
            *other != expr
                && before.binary_search(at).is_ok()
                && *at != read.node
                && unit.local(*value) != Some(saved)
                && accessed(unit, *target) == Some((object, accessor))
        }
        _ => false,
    });
    let Some((changed, _, first)) = changed else { return };
    let exposed = unit.cfg.after(first, |at| at == node);
    let used = unit.calls().any(|call| {
        exposed.binary_search(&call.node).is_ok() && before.binary_search(&call.node).is_ok() && about_object(&call)
    });
    if !used {
        return;
    }
    let message = format!(
        "what '{}' gives of a shared object is changed for a while and put back: other threads see the changed value",
        unit.text(accessor)
    );
    let mut finding = unit.finding(rule, changed, message);
    finding.confidence = if unit.is_callable() { Confidence::Medium } else { Confidence::Low };
    finding.help = Some("work on a copy, or pass the changed value as an argument".to_owned());
    finding.related.push(unit.analysis.related(unit.function.file, span, "put back here"));
    out.push(finding);
}

/// The object and the accessor of `ACCESSOR(object)[i]` and `*ACCESSOR(object)`.
fn accessed(unit: &Unit<'_>, target: ExprId) -> Option<(LocalId, Name)> {
    let (ExprKind::Index { base, .. } | ExprKind::Unary { op: UnaryOp::Deref, operand: base }) =
        unit.kind(unit.strip(target))
    else {
        return None;
    };
    let call = unit.call(base)?;
    let object = unit.local(*call.args.first()?)?;
    Some((object, callee(unit.body, unit.strip(base))?))
}

/// Whether other threads can have the object in a local.
fn is_shared_local(unit: &Unit<'_>, object: LocalId, at: NodeId) -> bool {
    let is_pointer = unit.body.locals.get(object.0 as usize).is_some_and(|local| local.ty.pointers > 0);
    let mut definitions = unit.values.reaching(&unit.cfg, object, at).into_iter();
    is_pointer
        && definitions.all(|definition| match definition.source {
            Source::Value(value) => !unit.call(value).is_some_and(|call| unit.makes(call.expr)),
            _ => true,
        })
}
