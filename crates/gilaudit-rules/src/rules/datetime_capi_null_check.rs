//! Flags a test of PyDateTimeAPI that decides whether to import it.

use gilaudit_model::source::ExprKind;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::cfg::Step;
use crate::engine::index::emptiness_test;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "datetime-capi-null-check",
    summary: "a test of PyDateTimeAPI that decides whether to import it",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("datetime_capi_null_check.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for node in unit.cfg.ids() {
        let Step::Branch(condition) = unit.cfg.node(node).step else { continue };
        let Some((place, _)) = emptiness_test(unit.body, condition) else { continue };
        if !matches!(unit.kind(place), ExprKind::Name(name) if unit.text(name) == "PyDateTimeAPI")
            || unit.is_init()
            || unit.is_unparsed(unit.expr(condition).span)
        {
            continue;
        }
        // A test that only reports a failure of the import is fine.
        let imported = unit.calls().find(|call| {
            call.name.starts_with("PyDateTime_IMPORT")
                && unit.cfg.after(node, |_| false).binary_search(&call.node).is_ok()
        });
        let Some(imported) = imported else { continue };
        let mut finding =
            unit.finding(rule, condition, "'PyDateTimeAPI' is tested and set in two steps without a lock".to_owned());
        finding.help = Some("call PyDateTime_IMPORT in the module's Py_mod_exec slot; from Python 3.15 on it may be called again from any thread".to_owned());
        finding.related.push(unit.related(imported.expr, "imported here"));
        out.push(finding);
    }
}
