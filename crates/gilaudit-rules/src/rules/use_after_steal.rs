//! Flags a variable that is used after its reference was given to a container that other threads can change.

use gilaudit_model::source::ExprKind;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::borrow::{self, Use};
use crate::engine::flow::Call;
use crate::engine::values::Root;
use crate::engine::{api, exempt, members};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "use-after-steal",
    summary: "a variable that is used after its reference was given to a container that others can change",
    severity: Severity::Warning,
    confidence: Confidence::Low,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("use_after_steal.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for call in unit.calls() {
        // What a thread keeps for itself, and modules that are being made, others do not change.
        let container = match call.name {
            "PyList_SetItem"
            | "PyList_SET_ITEM"
            | "PyStructSequence_SetItem"
            | "PyCell_SET"
            | "Py_SETREF"
            | "Py_XSETREF" => call.args.first().copied(),
            _ => continue,
        };
        let Some(container) = container else { continue };
        let Some(stolen) = api::steals(call.name).next().and_then(|index| call.args.get(index)) else { continue };
        let Some(local) = unit.local(*stolen) else { continue };
        let declared = &unit.body.locals[local.0 as usize];
        if declared.is_static
            || unit.is_init()
            || unit.is_lifecycle()
            || unit.is_unparsed(call.span)
            || unit.is_locked_at(call.node)
            || !can_change(unit, container, &call)
            || exempt::is_polyfill(unit)
        {
            continue;
        }
        let counted = unit.calls().any(|other| {
            borrow::is_incref(other.name) && other.args.first().is_some_and(|arg| unit.local(*arg) == Some(local))
        });
        // Several references: a getter gave one more, or another variable has it.
        if counted || unit.values.address_taken(local) {
            continue;
        }
        let (used, place) = borrow::local_use(unit, local, call.node);
        let Some(place) = place.filter(|_| used > Use::Tested) else { continue };
        let name = unit.text(declared.name);
        let message = format!(
            "'{name}' is used after '{}' took its reference: another thread can replace the item, and the object is gone",
            call.name
        );
        let mut finding = unit.finding(rule, place, message);
        // Of seven on code that nobody had looked at none was true: somebody has to find the object, and replace it in that moment.
        finding.confidence = Confidence::Low;
        finding.help = Some(format!(
            "give Py_NewRef({name}) (new in Python 3.10) to '{}' and release '{name}' after its last use; or use it before",
            call.name
        ));
        finding.related.push(unit.related(call.expr, "given away here"));
        out.push(finding);
    }
}

/// Whether other threads have the container and something can replace the item.
fn can_change(unit: &Unit<'_>, container: gilaudit_model::source::ExprId, call: &Call<'_>) -> bool {
    if matches!(call.name, "Py_SETREF" | "Py_XSETREF") {
        // A member: others must write it, too.
        let ExprKind::Field { base, .. } = unit.kind(unit.strip(container)) else { return false };
        let Some(key) = members::key(unit, container) else { return false };
        return crate::engine::index::is_shared(unit, base, call.node)
            && members::live_accesses(unit, key).any(|access| access.writes() && access.function != unit.id);
    }
    let roots = unit.roots(container, call.node);
    let outside = |root: &Root| matches!(root, Root::Field(_) | Root::Global(_) | Root::Static(_) | Root::Parameter(_));
    !roots.is_empty()
        && roots.iter().all(outside)
        && !members::is_made_here(unit, container)
        && !borrow::is_protected(unit, container, call.node)
}
