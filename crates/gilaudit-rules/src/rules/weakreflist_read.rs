//! Flags the list of weak references of an object that is read without a lock.

use gilaudit_model::source::ExprKind;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::cfg::Step;
use crate::engine::index::emptiness_test;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "weakreflist-read",
    summary: "the list of weak references of an object that is read without a lock",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("weakreflist_read.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for node in unit.cfg.ids() {
        let Step::Branch(condition) = unit.cfg.node(node).step else { continue };
        let Some((place, _)) = emptiness_test(unit.body, condition) else { continue };
        let ExprKind::Field { name, .. } = unit.kind(place) else { continue };
        let member = unit.text(name).to_ascii_lowercase();
        if !(member.contains("weakref") || member.contains("wr_list") || member == "weaklist")
            || unit.is_unparsed(unit.expr(condition).span)
        {
            continue;
        }
        let cleared = unit.calls().find(|call| {
            call.name == "PyObject_ClearWeakRefs" && unit.cfg.after(node, |_| false).binary_search(&call.node).is_ok()
        });
        let Some(cleared) = cleared else { continue };
        let mut finding = unit.finding(
            rule,
            condition,
            format!("'{}' is read without a lock while another thread can add a weak reference", unit.text(name)),
        );
        finding.help =
            Some("call PyObject_ClearWeakRefs without the test: it does nothing when there are none".to_owned());
        finding.related.push(unit.related(cleared.expr, "call it always"));
        out.push(finding);
    }
}
