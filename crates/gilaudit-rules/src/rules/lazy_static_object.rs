//! Flags a static variable that is filled on first use without a lock.

use gilaudit_model::source::{ExprKind, UnaryOp};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::code;
use crate::engine::{exempt, globals, members};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "lazy-static-object",
    summary: "a static variable that is filled on first use without a lock",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("lazy_static_object.md"),
    checks: &[Check::Function(check), Check::Code(code::statics::lazy_static)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.is_init() || exempt::is_single_threaded(unit) || exempt::is_polyfill(unit) {
        return;
    }
    for test in members::emptiness_tests(unit) {
        let through_pointer = matches!(unit.kind(unit.strip(test.place)), ExprKind::Unary { op: UnaryOp::Deref, .. });
        let found = match globals::process_wide(unit, test.place) {
            None if through_pointer => globals::handed_in(unit, test.place)
                .map(|(name, ty)| (name, unit.type_of(unit.strip(test.place)).unwrap_or(ty))),
            found => found,
        };
        let Some((name, ty)) = found else { continue };
        if unit.is_locked_at(test.node) || ty.atomic || unit.is_unparsed(unit.expr(test.condition).span) {
            continue;
        }
        let nodes = members::only_when_empty(unit, &test);
        let write = members::writes_to(unit, test.place).into_iter().find(|write| {
            nodes.binary_search(&write.node).is_ok()
                && !unit.is_locked_at(write.node)
                && write.value.is_none_or(|value| {
                    !matches!(unit.kind(unit.strip(value)), ExprKind::Number(_) | ExprKind::Null | ExprKind::Str)
                })
        });
        let Some(write) = write.filter(|_| ty.pointers > 0) else { continue };
        if write.value.is_some_and(|value| globals::is_one_for_all(unit.project, unit.body, value)) {
            continue;
        }
        let message = format!(
            "'{}' is filled on first use without a lock: two threads can both find it empty and both fill it, and one object leaks or is used half made",
            unit.text(name)
        );
        let mut finding = unit.finding(rule, test.condition, message);
        finding.confidence = if unit.is_callable() { Confidence::High } else { Confidence::Low };
        finding.help = Some(
            "fill it in the module's Py_mod_exec slot, or keep it in the module state; or guard the test and the store with one PyMutex (new in Python 3.13)"
                .to_owned(),
        );
        finding.related.push(unit.related(write.expr, "filled here"));
        out.push(finding);
    }
}
