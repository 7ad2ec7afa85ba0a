//! Flags a list of free objects that all threads take from without a lock.

use gilaudit_model::source::ExprKind;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::globals;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "free-list",
    summary: "a list of free objects that all threads take from without a lock",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("free_list.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.is_init() {
        return;
    }
    for (expr, kind, node) in unit.exprs() {
        // `list[--n]`, `list[n++] = x`
        let ExprKind::Index { base, index } = kind else { continue };
        let index = unit.strip(index);
        let counter = match unit.kind(index) {
            ExprKind::Update { operand, .. } => operand,
            // `list[n] = x; n++;`
            ExprKind::Name(_) | ExprKind::Field { .. } if is_counted(unit, index) => index,
            _ => continue,
        };
        let find = |expr| globals::process_wide(unit, expr).or_else(|| globals::handed_in(unit, expr));
        let (Some((name, ty)), Some(_)) = (find(base), find(counter)) else { continue };
        // The list can be a member of the variable.
        let pointers = unit.type_of(unit.strip(base)).unwrap_or(ty).pointers;
        if unit.is_locked_at(node) || pointers == 0 || unit.is_unparsed(unit.expr(expr).span) {
            continue;
        }
        let message = format!(
            "'{}' is a list of free objects without a lock: two threads can take the same one",
            unit.text(name)
        );
        let mut finding = unit.finding(rule, expr, message);
        finding.help = Some("leave it out in the free-threaded build (#ifndef Py_GIL_DISABLED), whose allocator is fast; or make it thread-local".to_owned());
        out.push(finding);
    }
}

/// Whether this function also counts this variable up or down.
fn is_counted(unit: &Unit<'_>, counter: gilaudit_model::source::ExprId) -> bool {
    unit.exprs().any(|(_, kind, _)| matches!(kind, ExprKind::Update { operand, .. } if unit.same(operand, counter)))
}
