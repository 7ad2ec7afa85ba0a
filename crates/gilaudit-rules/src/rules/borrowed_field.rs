//! Flags a member that is used as a borrowed reference while another function can replace it.

use gilaudit_model::source::{ExprId, ExprKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api::{self, RunsPython};
use crate::engine::flow::Call;
use crate::engine::index::{FieldKey, is_shared};
use crate::engine::values::Source;
use crate::engine::{borrow, exempt, members};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "borrowed-field",
    summary: "a member of a shared object that is handed to a call without a reference of its own, while another function replaces it",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("borrowed_field.md"),
    checks: &[Check::Function(check)],
};

/// Most places that a finding names.
const MOST_RELATED: usize = 6;

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.is_init()
        || unit.is_lifecycle()
        || !unit.is_callable()
        || exempt::is_polyfill(unit)
        || exempt::is_single_threaded(unit)
        || unit.analysis.swaps().is_empty()
    {
        return;
    }
    let mut first: Option<Finding> = None;
    for call in unit.calls() {
        let Some(level) = uses(unit, &call) else { continue };
        if unit.is_locked_at(call.node) || unit.is_unparsed(call.span) {
            continue;
        }
        for arg in call.args {
            let Some((field, key)) = borrowed_from(unit, *arg, &call) else { continue };
            // One that replaces it here knows what it does with the old one; the others are who takes it away.
            let mut swaps = unit.analysis.swaps().of(key).iter().filter(|swap| swap.function != unit.id);
            let ours = |swap: &&crate::engine::swaps::Swap| swap.locked || !swap.initialising;
            let Some(swap) = swaps.clone().find(|it| !it.initialising).or_else(|| swaps.find(ours)) else { continue };
            let member = unit.text(key.name);
            let message = format!(
                "'{member}' is handed to '{}' without a reference of its own: another thread can replace it, which frees the object while it is used",
                call.name
            );
            let mut finding = unit.finding(rule, call.expr, message);
            // Only a `tp_init` replaces it, under a lock: its author expects that it runs again.
            finding.confidence = match level {
                RunsPython::Yes if !swap.initialising => Confidence::High,
                _ => Confidence::Medium,
            };
            finding.help = Some(
                "take a strong reference under a critical section on the object (Py_BEGIN_CRITICAL_SECTION, new in Python 3.13; \
                 pythoncapi-compat has it for older ones), hand that over and release it afterwards; the functions that replace the \
                 member need the same section"
                    .to_owned(),
            );
            let function = unit.project.function(swap.function);
            let span = function.body.expr(swap.expr).span;
            let how = if swap.locked { "replaced here" } else { "replaced here, without a lock" };
            finding.related.push(unit.analysis.related(function.file, span, how));
            // One finding a function: one section repairs them all.
            match &mut first {
                Some(known) if known.confidence >= finding.confidence => {
                    if known.related.len() < MOST_RELATED && field != call.expr {
                        known.related.push(unit.related(call.expr, format!("'{member}', too")));
                    }
                }
                _ => first = Some(finding),
            }
        }
    }
    out.extend(first);
}

/// Whether a call uses the objects that it is handed for long enough that they can go away meanwhile, and how surely.
fn uses(unit: &Unit<'_>, call: &Call<'_>) -> Option<RunsPython> {
    let counts = borrow::is_incref(call.name)
        || matches!(
            call.name,
            "Py_DECREF" | "Py_XDECREF" | "Py_DecRef" | "Py_CLEAR" | "Py_SETREF" | "Py_XSETREF" | "Py_VISIT"
        );
    if counts || api::is_atomic(call.name) || api::lock_primitive(call.name).is_some() || call.name.contains("_Check") {
        return None;
    }
    // `Py_TYPE(self->x)->tp_name`: what is read belongs to the type, which the object keeps.
    if call.name == "Py_TYPE" {
        let read =
            unit.parent(call.expr).is_some_and(|it| matches!(unit.kind(it), ExprKind::Field { arrow: true, .. }));
        return read.then_some(RunsPython::Maybe);
    }
    // They count the reference in a second step, or walk through the object.
    if matches!(call.name, "Py_BuildValue" | "PyTuple_Pack" | "PyUnicode_FromFormat" | "PyUnicode_Concat") {
        return Some(RunsPython::Maybe);
    }
    api::runs_python(call.name).filter(|level| *level != RunsPython::No)
}

/// The member that an argument is, directly or through a local that got no reference of its own.
fn borrowed_from(unit: &Unit<'_>, arg: ExprId, call: &Call<'_>) -> Option<(ExprId, FieldKey)> {
    let arg = unit.strip(arg);
    if let ExprKind::Field { .. } = unit.kind(arg) {
        return shared_reference(unit, arg, call).map(|key| (arg, key));
    }
    let local = unit.local(arg)?;
    let counted = unit.calls().any(|other| {
        borrow::is_incref(other.name) && other.args.first().is_some_and(|first| unit.local(*first) == Some(local))
    });
    if counted {
        return None;
    }
    unit.values.reaching(&unit.cfg, local, call.node).iter().find_map(|definition| match definition.source {
        Source::Value(value) if !unit.is_locked_at(definition.node) => {
            let value = unit.strip(value);
            shared_reference(unit, value, call).map(|key| (value, key))
        }
        _ => None,
    })
}

/// The key of a member that holds a reference, of an object that other threads can have, and that this function does not write itself.
fn shared_reference(unit: &Unit<'_>, field: ExprId, call: &Call<'_>) -> Option<FieldKey> {
    let ExprKind::Field { base, name, .. } = unit.kind(field) else { return None };
    let key = members::key(unit, field)?;
    let owner = &unit.project.structs[key.owner?.0 as usize];
    let declared = owner.fields.iter().find(|field| field.name == name)?;
    let holds = owner.is_object && declared.ty.pointers == 1 && !declared.ty.array && !declared.ty.atomic;
    if !holds || !is_shared(unit, base, call.node) || exempt::is_frozen(unit, field) {
        return None;
    }
    let writes = unit.analysis.index.fields.get(&key).into_iter().flatten();
    let mut own = writes.filter(|access| access.function == unit.id && access.writes());
    own.next().is_none().then_some(key)
}
