//! Flags a reference count that is written directly.

use gilaudit_model::source::{ExprId, ExprKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::exempt;
use crate::engine::index::{Passed, passed};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "refcount-manipulation",
    summary: "a reference count that is written directly",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("refcount_manipulation.md"),
    checks: &[Check::Function(check)],
};

/// Whether the object is one that this function makes and that nobody else has yet.
fn is_being_made(unit: &Unit<'_>, expr: ExprId, kind: ExprKind) -> bool {
    let (Some(node), ExprKind::Call { args, .. }) = (unit.cfg.node_of(expr), kind) else { return false };
    unit.body.list(args).first().is_some_and(|object| passed(unit, *object, node) == Passed::Private)
}

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if exempt::is_polyfill(unit) {
        return;
    }
    for (expr, kind, _) in unit.exprs() {
        let what = match kind {
            ExprKind::Call { .. } => match unit.call(expr).map(|call| call.name) {
                Some(name @ ("Py_SET_REFCNT" | "_Py_NewReference" | "_Py_RefcntAdd" | "_Py_SetRefcnt")) => {
                    name.to_owned()
                }
                _ => continue,
            },
            ExprKind::Assign { target, .. } | ExprKind::Update { operand: target, .. } => {
                match unit.kind(unit.strip(target)) {
                    ExprKind::Field { name, .. } if unit.text(name) == "ob_refcnt" => "ob_refcnt".to_owned(),
                    _ => continue,
                }
            }
            _ => continue,
        };
        if unit.is_unparsed(unit.expr(expr).span) || is_being_made(unit, expr, kind) {
            continue;
        }
        let message = format!(
            "'{what}' sets a reference count that other threads change at the same time; in the free-threaded build it is split in two"
        );
        let mut finding = unit.finding(rule, expr, message);
        finding.help = Some("take and release references; for weak caches use PyUnstable_EnableTryIncRef and PyUnstable_TryIncRef (new in Python 3.14; pythoncapi-compat has them), to bring an object back use tp_finalize".to_owned());
        out.push(finding);
    }
}
