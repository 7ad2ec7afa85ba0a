//! Flags a critical section inside which the thread state is detached.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api::LockFamily;
use crate::engine::regions;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "detach-inside-section",
    summary: "a critical section inside which the thread state is detached",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("detach_inside_section.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for (node, lock, span) in unit.locks.acquisitions() {
        if lock.family != LockFamily::Detached || unit.is_unparsed(span) || !unit.reachable[node.0 as usize] {
            continue;
        }
        let Some((_, Some(begin))) = regions::open_at(unit, node, LockFamily::Section) else { continue };
        let mut finding = unit.finding_at(rule, span, "detaching the thread state releases the critical section's lock: other threads can change the object meanwhile".to_owned());
        finding.help = Some("detach outside the section, or guard with a PyMutex (new in Python 3.13), which stays locked; check what was read before again after".to_owned());
        finding.related.push(unit.analysis.related(unit.function.file, begin.0, "the section begins here"));
        out.push(finding);
    }
}
