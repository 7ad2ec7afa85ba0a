//! Flags a critical section that is left without its end.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api::LockFamily;
use crate::engine::cfg::Step;
use crate::engine::regions;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "exit-inside-section",
    summary: "a critical section that is left without its end",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("exit_inside_section.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for node in unit.cfg.ids() {
        let kind = match unit.cfg.node(node).step {
            Step::Return(_) => "'return'",
            Step::Throw => "'throw'",
            _ => continue,
        };
        if !unit.reachable[node.0 as usize] || unit.is_unparsed(unit.cfg.node(node).span) {
            continue;
        }
        let Some((lock, begin)) = regions::open_at(unit, node, LockFamily::Section) else { continue };
        let _ = lock;
        // The functions come in pairs that a caller may close; only the macros open a scope.
        let Some(begin) = begin.filter(|begin| begin.1) else { continue };
        let message = format!(
            "{kind} leaves the critical section without its end: the lock stays taken, and the thread's list of sections points into a frame that is gone"
        );
        let mut finding = unit.finding_at(rule, unit.cfg.node(node).span, message);
        finding.help = Some(
            "set a result and leave by 'goto' to a label in front of Py_END_CRITICAL_SECTION, or by 'break'".to_owned(),
        );
        finding.related.push(unit.analysis.related(unit.function.file, begin.0, "begins here"));
        out.push(finding);
    }
}
