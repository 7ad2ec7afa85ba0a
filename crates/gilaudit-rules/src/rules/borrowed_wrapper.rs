//! Points at a function that returns a borrowed reference, as if its callers knew.

use gilaudit_model::source::{ExprId, ExprKind, FunctionId};
use gilaudit_model::{Confidence, Finding, Related, Severity};

use crate::engine::analysis::Unit;
use crate::engine::cfg::Step;
use crate::engine::values::{Root, callee};
use crate::engine::{api, borrow, exempt};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "borrowed-wrapper",
    summary: "a function that returns a borrowed reference which other threads can take away",
    severity: Severity::Note,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("borrowed_wrapper.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.is_init() || unit.function.result.pointers != 1 || exempt::is_polyfill(unit) {
        return;
    }
    let gives = |name: &str| {
        api::borrowed(name).filter(|api| {
            matches!(api.rule, "borrowed-list-item" | "borrowed-dict-item" | "borrowed-weakref" | "sequence-fast-items")
        })
    };
    if !unit.calls().any(|call| gives(call.name).is_some()) {
        return;
    }
    let mut returned = None;
    for node in unit.cfg.ids().filter(|node| unit.reachable[node.0 as usize]) {
        let Step::Return(Some(value)) = unit.cfg.node(node).step else { continue };
        for root in unit.roots(value, node) {
            match root {
                Root::Constant => {}
                Root::Call(call) => {
                    let Some(found) = unit.call(call) else { return };
                    let Some(api) = gives(found.name) else { return };
                    let container = api.owner.and_then(|index| found.args.get(index).copied());
                    let Some(container) = container else { return };
                    // The macro that puts another item in its place does not release this one: it is handed over.
                    let replaced = unit.calls().any(|other| {
                        matches!(other.name, "PyList_SET_ITEM" | "PyTuple_SET_ITEM")
                            && other.args.first().is_some_and(|set| unit.same(*set, container))
                    });
                    if replaced || borrow::is_protected(unit, container, found.node) || counted(unit, call) {
                        return;
                    }
                    returned.get_or_insert((value, found, api));
                }
                // One of several ways gives a new reference, or what is not known.
                _ => return,
            }
        }
    }
    let Some((value, call, api)) = returned.filter(|(_, call, _)| !unit.is_unparsed(call.span)) else { return };
    let callers = callers(unit);
    let message = format!(
        "'{}' returns the borrowed reference that '{}' gave: no caller can make it safe, because the object can be gone before it returns",
        unit.name(),
        call.name
    );
    let mut finding = unit.finding(rule, value, message);
    finding.help = Some(format!("return a strong reference: call {}, and let the callers release it", api.advice()));
    finding.related.extend(callers);
    out.push(finding);
}

/// Whether a reference is made of what a call gave.
fn counted(unit: &Unit<'_>, given: ExprId) -> bool {
    unit.calls()
        .filter(|call| borrow::is_incref(call.name))
        .any(|call| call.args.first().is_some_and(|arg| unit.roots(*arg, call.node).contains(&Root::Call(given))))
}

/// Most callers that a finding names.
const MOST: usize = 3;

/// Where the function is called.
fn callers(unit: &Unit<'_>) -> Vec<Related> {
    let sites = unit.analysis.index.callers.get(&unit.function.name);
    let mut callers: Vec<FunctionId> = sites.into_iter().flatten().map(|site| site.caller).collect();
    callers.sort_unstable();
    callers.dedup();
    let call_in = |id: FunctionId| {
        let function = unit.project.function(id);
        let call = (0..function.body.exprs.len() as u32).map(ExprId).find(|expr| {
            matches!(function.body.kind(*expr), ExprKind::Call { .. })
                && callee(&function.body, *expr) == Some(unit.function.name)
        })?;
        Some(unit.analysis.related(function.file, function.body.expr(call).span, "its caller gets it here"))
    };
    callers.into_iter().filter_map(call_in).take(MOST).collect()
}
