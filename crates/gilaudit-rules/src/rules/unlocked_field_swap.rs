//! Flags a reference in an object that is replaced without a lock while others read it.

use gilaudit_model::source::ExprKind;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::borrow;
use crate::engine::exempt;
use crate::engine::index::{Access, AccessKind, Role};
use crate::engine::members::{key, live_accesses};
use crate::engine::swaps;
use crate::engine::values::{callee, strip};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "unlocked-field-swap",
    summary: "a reference in a shared object that is replaced without a lock",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("unlocked_field_swap.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.is_init() || unit.is_lifecycle() || !unit.is_callable() || exempt::is_polyfill(unit) {
        return;
    }
    let mut first: Option<Finding> = None;
    for replaced in unit.analysis.swaps().replaced(unit) {
        if unit.is_locked_at(replaced.node) || unit.is_unparsed(unit.expr(replaced.expr).span) {
            continue;
        }
        let place = replaced.place;
        let ExprKind::Field { base, name, .. } = unit.kind(place) else { continue };
        let Some(key) = key(unit, place).filter(|_| swaps::is_of_shared(unit, &replaced)) else { continue };
        // Who can hold the old value: a live reader in another function that takes no lock.
        let readers = || {
            live_accesses(unit, key).filter(|access| {
                access.function != unit.id
                    && access.kind == AccessKind::Read
                    && !access.locked
                    && unit.analysis.index.callable[access.function.0 as usize]
            })
        };
        let reader = readers().find(|access| takes_reference(unit, access)).or_else(|| readers().next());
        // A struct that headers of CPython define, which are not here, is one by its name.
        let owner_is_object = match key.owner {
            Some(owner) => unit.project.structs[owner.0 as usize].is_object,
            None => unit.type_of(base).is_some_and(|ty| {
                let text = unit.text(ty.base);
                text.starts_with("Py") && text.ends_with("Object") && ty.pointers == 1
            }),
        };
        let member = unit.text(name);
        let consequence = "two threads can both release the old value, and a reader can use it after it is gone";
        let message = match unit.call(replaced.expr) {
            Some(call) => format!("'{}' replaces '{member}' without a lock: {consequence}", call.name),
            None => format!("'{member}' is replaced, and its old value released, without a lock: {consequence}"),
        };
        let mut finding = unit.finding(rule, replaced.expr, message);
        // What Python calls races with itself, whoever reads; a helper does if somebody relies on what it takes away.
        let by_python = |role: &Role| matches!(role, Role::Method(_) | Role::Getter | Role::Setter | Role::Slot(_));
        let called = unit.analysis.index.roles_of(unit.function.name).iter().any(by_python);
        let relied_on = key.owner.is_some() && reader.is_some_and(|reader| takes_reference(unit, reader));
        finding.confidence = match owner_is_object && !unit.analysis.is_initialising(unit.id) {
            true if called || relied_on => Confidence::Medium,
            _ => Confidence::Low,
        };
        finding.help = Some(
            "swap the member inside Py_BEGIN_CRITICAL_SECTION on the object (new in Python 3.13; pythoncapi-compat has it for older ones) \
             and release the old value after its end"
                .to_owned(),
        );
        if let Some(reader) = reader {
            let function = unit.project.function(reader.function);
            let span = function.body.expr(reader.expr).span;
            finding.related.push(unit.analysis.related(function.file, span, "read here without a lock"));
        }
        // One finding a function: the others are where the first one is repaired.
        match &mut first {
            Some(known) if known.confidence >= finding.confidence => {
                if known.related.len() < MOST_RELATED {
                    known.related.push(unit.related(replaced.expr, format!("'{member}', too")));
                }
            }
            _ => first = Some(finding),
        }
    }
    out.extend(first);
}

/// Most places that a finding names.
const MOST_RELATED: usize = 6;

/// Whether a read is the one of a reference that is about to be counted, or handed to Python: what a swap in between makes dangle.
fn takes_reference(unit: &Unit<'_>, read: &Access) -> bool {
    let body = &unit.project.function(read.function).body;
    body.exprs.iter().enumerate().any(|(index, expr)| match expr.kind {
        ExprKind::Call { args, .. } => {
            let call = gilaudit_model::source::ExprId(index as u32);
            let name = callee(body, call).map_or("", |name| unit.text(name));
            (borrow::is_incref(name) || name.starts_with("PyObject_") || name.starts_with("PyNumber_"))
                && body.list(args).iter().any(|arg| strip(body, *arg) == read.expr)
        }
        _ => false,
    })
}
