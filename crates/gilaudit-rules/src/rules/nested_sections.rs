//! Flags a critical section inside another one.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api::LockFamily;
use crate::engine::regions;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "nested-sections",
    summary: "a critical section inside another one",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("nested_sections.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for (node, lock, span) in unit.locks.acquisitions() {
        if lock.family != LockFamily::Section || unit.is_unparsed(span) || !unit.reachable[node.0 as usize] {
            continue;
        }
        let Some((outer, Some(begin))) = regions::open_at(unit, node, LockFamily::Section) else { continue };
        if outer.path == lock.path {
            continue;
        }
        let mut finding = unit.finding_at(
            rule,
            span,
            "beginning a critical section inside another can suspend the outer one: its object may change in between"
                .to_owned(),
        );
        finding.help =
            Some("lock both at once with Py_BEGIN_CRITICAL_SECTION2, or end the outer section first".to_owned());
        finding.related.push(unit.analysis.related(unit.function.file, begin.0, "the outer section begins here"));
        out.push(finding);
    }
}
