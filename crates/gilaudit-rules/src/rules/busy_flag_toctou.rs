//! Flags a "busy" flag that is tested and set without a lock.

use gilaudit_model::source::ExprKind;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::flow::Call;
use crate::engine::index::is_shared;
use crate::engine::members::{emptiness_tests, key, live_accesses, writes_to};
use crate::engine::values::strip;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "busy-flag-toctou",
    summary: "a flag that says 'in use' is tested and set without a lock",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("busy_flag_toctou.md"),
    checks: &[Check::Function(check)],
};

/// Words that say what such a flag is for; without one the flag must be set back in the same function.
const WORDS: [&str; 10] =
    ["busy", "in_use", "inuse", "processing", "running", "active", "locked", "entered", "in_progress", "reentr"];

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.is_init() || unit.is_lifecycle() {
        return;
    }
    for test in emptiness_tests(unit) {
        let ExprKind::Field { base, name, .. } = unit.kind(unit.strip(test.place)) else { continue };
        if unit.is_locked_at(test.node)
            || !is_shared(unit, base, test.node)
            || unit.is_unparsed(unit.expr(test.condition).span)
        {
            continue;
        }
        if unit.type_of(unit.strip(test.place)).is_some_and(|ty| ty.atomic || ty.pointers > 0) {
            continue;
        }
        let constant =
            |value: Option<gilaudit_model::source::ExprId>| match value.map(|value| unit.kind(unit.strip(value))) {
                Some(ExprKind::Number(value)) => value,
                _ => None,
            };
        let writes = writes_to(unit, test.place);
        let after = unit.cfg.after(test.empty, |node| node == test.node);
        let set = writes.iter().find(|write| {
            after.binary_search(&write.node).is_ok()
                && !unit.is_locked_at(write.node)
                && constant(write.value).is_some_and(|value| value != 0)
        });
        let Some(set) = set else { continue };
        let reset = writes.iter().any(|write| constant(write.value) == Some(0));
        let member = unit.text(name).to_ascii_lowercase();
        // In use already: the function gives up at once, without setting it.
        let filled = unit.cfg.after(test.filled, |node| node == test.node);
        let gives_up = filled.binary_search(&set.node).is_err();
        // `begin` and `end`: who comes second gets an error.
        let refuses = || {
            let raises = |call: &Call<'_>| call.name.starts_with("PyErr_") && filled.binary_search(&call.node).is_ok();
            unit.calls().any(|call| raises(&call)) && is_cleared_elsewhere(unit, test.place)
        };
        if !gives_up || !(reset || WORDS.iter().any(|word| member.contains(word)) || refuses()) {
            continue;
        }
        let message = format!(
            "'{}' is tested and set in two steps without a lock: two threads can both find it clear and go on",
            unit.text(name)
        );
        let mut finding = unit.finding(rule, test.condition, message);
        finding.confidence = if unit.is_callable() { Confidence::Medium } else { Confidence::Low };
        finding.help = Some(
            "test and set it in one critical section on the object (Py_BEGIN_CRITICAL_SECTION, new in Python 3.13; pythoncapi-compat has \
             it for older ones), or with an atomic exchange"
                .to_owned(),
        );
        finding.related.push(unit.related(set.expr, "set here"));
        out.push(finding);
    }
}

/// Whether another function that runs while others have the object sets the flag back to 0: `begin` and `end`.
fn is_cleared_elsewhere(unit: &Unit<'_>, place: gilaudit_model::source::ExprId) -> bool {
    let Some(key) = key(unit, place) else { return false };
    live_accesses(unit, key).filter(|access| access.writes() && access.function != unit.id).any(|access| {
        let body = &unit.project.function(access.function).body;
        body.exprs.iter().any(|expr| match expr.kind {
            ExprKind::Assign { op: None, target, value } => {
                strip(body, target) == access.expr && body.kind(strip(body, value)) == ExprKind::Number(Some(0))
            }
            _ => false,
        })
    })
}
