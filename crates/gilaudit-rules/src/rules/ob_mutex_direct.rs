//! Flags the lock inside an object's header that is used directly.

use gilaudit_model::source::ExprKind;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::exempt;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "ob-mutex-direct",
    summary: "the lock inside an object's header that is used directly",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("ob_mutex_direct.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for (expr, kind, _) in unit.exprs() {
        let ExprKind::Field { name, .. } = kind else { continue };
        if unit.text(name) != "ob_mutex" || exempt::is_polyfill(unit) || unit.is_unparsed(unit.expr(expr).span) {
            continue;
        }
        let mut finding = unit.finding(
            rule,
            expr,
            "'ob_mutex' belongs to critical sections: locking it directly can deadlock with them".to_owned(),
        );
        finding.help = Some(
            "use Py_BEGIN_CRITICAL_SECTION (new in Python 3.13; pythoncapi-compat has it for older ones)".to_owned(),
        );
        out.push(finding);
    }
}
