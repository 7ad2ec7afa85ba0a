//! Flags an attached or detached thread state that is not undone on some way out.

use std::collections::{HashMap, HashSet};

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
    // By what ends it: worked out once, whatever how often it is begun.
    let mut known: HashMap<&str, Ends> = HashMap::new();
    for call in unit.calls() {
        let (names, what): (&[&str], &str) = match call.name {
            "PyGILState_Ensure" => (&["PyGILState_Release"], "PyGILState_Release"),
            "PyThreadState_Ensure" => (&["PyThreadState_Release"], "PyThreadState_Release"),
            "PyEval_SaveThread" => (&["PyEval_RestoreThread", "PyEval_AcquireThread"], "PyEval_RestoreThread"),
            _ => continue,
        };
        if unit.is_unparsed(call.span) || regions::is_handed_on(unit, call.expr) {
            continue;
        }
        if is_ended_under_its_condition(unit, call.node, names) {
            continue;
        }
        let Ends { ended, leaving } = known.entry(what).or_insert_with(|| Ends::new(unit, names));
        // A function that never ends it hands it to its caller: a pair of functions.
        if ended.is_empty() {
            continue;
        }
        let open = unit.cfg.after(call.node, |at| ended.contains(&at) || at == EXIT);
        let leaves = open.iter().find(|at| {
            matches!(unit.cfg.node(**at).step, Step::Return(_) | Step::Throw)
                && !ended.contains(at)
                && leaving.contains(at)
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

/// Whether it is begun where a condition holds, and ended where the same one holds: what it asks about does not change in between.
fn is_ended_under_its_condition(unit: &Unit<'_>, begun: NodeId, names: &[&str]) -> bool {
    let conditions = guards(unit, begun);
    !conditions.is_empty()
        && unit
            .calls()
            .filter(|call| regions::ends(unit, call, names))
            .any(|call| guards(unit, call.node).iter().any(|(text, yes)| conditions.contains(&(text, *yes))))
}

/// The conditions of the branches that lead to a step and nowhere past it: their text, and whether they have to be true.
fn guards<'p>(unit: &Unit<'p>, node: NodeId) -> Vec<(&'p str, bool)> {
    let mut found = Vec::new();
    let mut at = node;
    for _ in 0..32 {
        let [before] = unit.cfg.node(at).predecessors else { break };
        if let (Step::Branch(condition), [yes, no]) = (unit.cfg.node(*before).step, unit.cfg.node(*before).successors)
            && yes != no
        {
            let plain = unit.source(condition).trim_start_matches('!').trim();
            let negated = unit.source(condition).trim_start().starts_with('!');
            found.push((plain, (*yes == at) != negated));
        }
        at = *before;
    }
    found
}

/// The steps that end what was begun, and those from which control gets to the exit without meeting one.
struct Ends {
    ended: HashSet<NodeId>,
    leaving: HashSet<NodeId>,
}

impl Ends {
    fn new(unit: &Unit<'_>, names: &[&str]) -> Self {
        let calls = unit.calls().filter(|call| regions::ends(unit, call, names));
        let ended: HashSet<NodeId> = calls.map(|call| call.node).collect();
        let leaving = unit.cfg.before(EXIT, |at| ended.contains(&at)).into_iter().collect();
        Self { ended, leaving }
    }
}
