//! Flags a region without an attached thread state that is left without its end.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api::LockFamily;
use crate::engine::cfg::Step;
use crate::engine::regions;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "jump-out-of-allow-threads",
    summary: "a region without an attached thread state that is left without its end",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("jump_out_of_allow_threads.md"),
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
        let Some((_, Some(begin))) = regions::open_at(unit, node, LockFamily::Detached) else { continue };
        if !begin.1 {
            continue;
        }
        let message =
            format!("{kind} leaves Py_BEGIN_ALLOW_THREADS without its end: the caller goes on without a thread state");
        let mut finding = unit.finding_at(rule, unit.cfg.node(node).span, message);
        finding.help = Some(
            "keep the result in a local and leave after Py_END_ALLOW_THREADS, or say Py_BLOCK_THREADS before"
                .to_owned(),
        );
        finding.related.push(unit.analysis.related(unit.function.file, begin.0, "detached here"));
        out.push(finding);
    }
}
