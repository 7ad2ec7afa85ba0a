//! Flags a counter or set of flags in a shared object that is changed without a lock.

use gilaudit_model::source::ExprKind;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::code;
use crate::engine::exempt;
use crate::engine::index::{Role, is_shared};
use crate::engine::members::{key, live_accesses};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "nonatomic-rmw",
    summary: "a member of a shared object that is read, changed and written back without a lock",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("nonatomic_rmw.md"),
    checks: &[Check::Function(check), Check::Code(code::members::buffer_count)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.is_init() || unit.is_lifecycle() || exempt::is_polyfill(unit) {
        return;
    }
    let buffer = unit
        .analysis
        .index
        .roles_of(unit.function.name)
        .iter()
        .any(|role| matches!(role, Role::Slot(slot) if slot == "bf_getbuffer" || slot == "bf_releasebuffer"));
    for (expr, kind, node) in unit.exprs() {
        let place = match kind {
            ExprKind::Update { operand, .. } => operand,
            ExprKind::Assign { op: Some(_), target, .. } => target,
            _ => continue,
        };
        let place = unit.strip(place);
        let ExprKind::Field { base, name, .. } = unit.kind(place) else { continue };
        if unit.is_locked_at(node) || !is_shared(unit, base, node) || unit.is_unparsed(unit.expr(expr).span) {
            continue;
        }
        // The buffer that is being described is the caller's own.
        let is_view = unit.type_of(unit.strip(base)).is_some_and(|ty| unit.text(ty.base) == "Py_buffer");
        if is_view || unit.type_of(place).is_some_and(|ty| ty.atomic) {
            continue;
        }
        let Some(key) = key(unit, place) else { continue };
        let is_object = key.owner.is_some_and(|owner| unit.project.structs[owner.0 as usize].is_object);
        let other = live_accesses(unit, key)
            .find(|access| access.function != unit.id && unit.analysis.index.callable[access.function.0 as usize]);
        let member = unit.text(name);
        let message = format!(
            "'{member}' is read, changed and written back without a lock: a change that another thread makes in between is lost"
        );
        let mut finding = unit.finding(rule, expr, message);
        if buffer {
            finding.severity = Severity::Error;
        }
        finding.confidence = match (buffer, unit.is_callable() && is_object, other) {
            (true, ..) => Confidence::High,
            (false, true, Some(_)) => Confidence::Medium,
            _ => Confidence::Low,
        };
        finding.help = Some(
            "change it inside Py_BEGIN_CRITICAL_SECTION on the object (new in Python 3.13; pythoncapi-compat has it for older ones), or \
             make it atomic"
                .to_owned(),
        );
        if let Some(other) = other {
            let function = unit.project.function(other.function);
            let what = if other.writes() { "also written here" } else { "also read here" };
            finding.related.push(unit.analysis.related(function.file, function.body.expr(other.expr).span, what));
        }
        out.push(finding);
    }
}
