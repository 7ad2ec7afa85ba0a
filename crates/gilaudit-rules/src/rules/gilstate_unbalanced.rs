//! Flags an attached or detached thread state that is not undone on some way out.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::cfg::{EXIT, NodeId, Step};
use crate::engine::regions;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "gilstate-unbalanced",
    summary: "an attached or detached thread state that is not undone on some way out",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("gilstate_unbalanced.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for (node, call) in unit.calls().map(|call| (call.node, call)).collect::<Vec<_>>() {
        let (ends, what): (&[&str], &str) = match call.name {
            "PyGILState_Ensure" => (&["PyGILState_Release"], "PyGILState_Release"),
            "PyThreadState_Ensure" => (&["PyThreadState_Release"], "PyThreadState_Release"),
            "PyEval_SaveThread" => (&["PyEval_RestoreThread", "PyEval_AcquireThread"], "PyEval_RestoreThread"),
            _ => continue,
        };
        if unit.is_unparsed(call.span) || regions::is_handed_on(unit, call.expr) {
            continue;
        }
        let is_end = |at: NodeId| unit.calls().any(|other| other.node == at && regions::ends(unit, &other, ends));
        let ended: Vec<NodeId> = unit.cfg.ids().filter(|at| is_end(*at)).collect();
        // A function that never ends it hands it to its caller: a pair of functions.
        if ended.is_empty() {
            continue;
        }
        let open = unit.cfg.after(node, |at| ended.contains(&at) || at == EXIT);
        let leaves = open.iter().find(|at| {
            matches!(unit.cfg.node(**at).step, Step::Return(_) | Step::Throw)
                && !ended.contains(at)
                && reaches_exit(unit, **at, &ended)
        });
        let Some(exit) = leaves else { continue };
        let span = unit.cfg.node(*exit).span;
        let message = format!(
            "this way out lacks the '{what}' that '{}' needs: the thread keeps its state, and stop-the-world or the end of the interpreter hang",
            call.name
        );
        let mut finding = unit.finding_at(rule, span, message);
        finding.help = Some(format!("call {what} on every way out"));
        finding.related.push(unit.related(call.expr, "begun here"));
        out.push(finding);
    }
}

/// Whether control gets from here to the exit without meeting an end.
fn reaches_exit(unit: &Unit<'_>, from: NodeId, ended: &[NodeId]) -> bool {
    unit.cfg.after(from, |at| ended.contains(&at)).contains(&EXIT)
}
