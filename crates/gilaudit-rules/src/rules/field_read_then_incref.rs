//! Flags a reference in a shared object that is read and then counted in two steps.

use gilaudit_model::source::{ExprId, ExprKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::cfg::NodeId;
use crate::engine::index::is_shared;
use crate::engine::values::Source;
use crate::engine::{borrow, exempt, members};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "field-read-then-incref",
    summary: "a reference in a shared object that is read and then counted in two steps",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("field_read_then_incref.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.is_init() || unit.is_lifecycle() || exempt::is_polyfill(unit) || !unit.is_callable() {
        return;
    }
    let mut first: Option<Finding> = None;
    for call in unit.calls() {
        let Some(arg) = call.args.first().copied().filter(|_| borrow::is_incref(call.name)) else { continue };
        if unit.is_locked_at(call.node) || unit.is_unparsed(call.span) {
            continue;
        }
        let Some(place) = read_from(unit, arg, call.node) else { continue };
        let ExprKind::Field { base, name, .. } = unit.kind(place) else { continue };
        if !is_shared(unit, base, call.node) || is_just_stored(unit, place, call.node) {
            continue;
        }
        let Some(key) = members::key(unit, place) else { continue };
        let Some(owner) = key.owner.filter(|owner| unit.project.structs[owner.0 as usize].is_object) else { continue };
        let field = unit.project.structs[owner.0 as usize].fields.iter().find(|field| field.name == name);
        if field.is_some_and(|field| field.ty.atomic || field.ty.pointers != 1) {
            continue;
        }
        // Only a member whose old value is released while others can read it can go away under the reader.
        let mut writers = members::live_accesses(unit, key)
            .filter(|access| access.writes() && unit.analysis.index.callable[access.function.0 as usize]);
        let Some(writer) = writers.find(|writer| members::releases_old_value(unit, writer, name)) else { continue };
        let message = format!(
            "'{}' is read and its reference count raised in two steps without a lock: another thread can release the object in between",
            unit.text(name)
        );
        let mut finding = unit.finding(rule, call.expr, message);
        finding.confidence = if writer.function == unit.id { Confidence::Medium } else { Confidence::High };
        finding.help = Some(
            "read it and take the reference in one Py_BEGIN_CRITICAL_SECTION on the object (new in Python 3.13; pythoncapi-compat has it for older ones); for a plain attribute use PyMemberDef with Py_T_OBJECT_EX"
                .to_owned(),
        );
        let function = unit.project.function(writer.function);
        finding.related.push(unit.analysis.related(
            function.file,
            function.body.expr(writer.expr).span,
            "written here",
        ));
        // One finding a function: one section repairs them all.
        match &mut first {
            Some(known) => known.related.push(unit.related(call.expr, format!("'{}', too", unit.text(name)))),
            None => first = Some(finding),
        }
    }
    out.extend(first);
}

/// Whether the member has what this function has just put there itself: an object that lives for ever.
fn is_just_stored(unit: &Unit<'_>, place: ExprId, at: NodeId) -> bool {
    members::last_stored(unit, place, at).is_some_and(|values| values.iter().all(|value| is_immortal(unit, *value)))
}

/// The member that a value was read from: directly, or through a local that nothing else was stored in.
fn read_from(unit: &Unit<'_>, value: ExprId, at: NodeId) -> Option<ExprId> {
    let value = unit.strip(value);
    if let ExprKind::Field { .. } = unit.kind(value) {
        return Some(value);
    }
    let mut found = None;
    for definition in unit.values.reaching(&unit.cfg, unit.local(value)?, at) {
        match definition.source {
            Source::Value(value) if is_immortal(unit, value) => {}
            Source::Value(value) if !unit.is_locked_at(definition.node) && found.is_none() => {
                found = Some(member_or_none(unit, value)?);
            }
            _ => return None,
        }
    }
    found
}

/// The member in `self->a`, and in `self->a ? self->a : Py_None`.
fn member_or_none(unit: &Unit<'_>, value: ExprId) -> Option<ExprId> {
    let value = unit.strip(value);
    match unit.kind(value) {
        ExprKind::Field { .. } => Some(value),
        ExprKind::Conditional { then, otherwise, .. } => {
            let (then, otherwise) = (unit.strip(then), unit.strip(otherwise));
            match (unit.kind(then), unit.kind(otherwise)) {
                (ExprKind::Field { .. }, _) if is_immortal(unit, otherwise) => Some(then),
                (_, ExprKind::Field { .. }) if is_immortal(unit, then) => Some(otherwise),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a value is one of the objects that are never freed.
fn is_immortal(unit: &Unit<'_>, value: ExprId) -> bool {
    let value = match unit.kind(unit.strip(value)) {
        ExprKind::Unary { op: gilaudit_model::source::UnaryOp::AddressOf, operand } => unit.strip(operand),
        _ => unit.strip(value),
    };
    matches!(unit.kind(value), ExprKind::Name(name)
        if matches!(unit.text(name), "Py_None" | "Py_True" | "Py_False" | "Py_NotImplemented" | "Py_Ellipsis" | "_Py_NoneStruct"))
}
