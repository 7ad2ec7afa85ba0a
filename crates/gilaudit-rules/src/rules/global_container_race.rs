//! Flags a look into a dict or list of the whole process and a change that relies on it, without a lock around both.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::check_act::{self, Pair};
use crate::engine::containers::{self, Container, Race};
use crate::engine::values::Root;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "global-container-race",
    summary: "a look into a container of the whole process and a change that relies on it, without a lock",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("global_container_race.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for pair in check_act::pairs(unit) {
        let roots = unit.roots(pair.container, pair.check.node);
        let global = !roots.is_empty() && roots.iter().all(|root| matches!(root, Root::Global(_) | Root::Static(_)));
        if !global {
            continue;
        }
        let message = format!(
            "'{}' relies on what '{}' said about a container of the whole process: another thread can change it in between",
            pair.act.name, pair.check.name
        );
        let mut finding = unit.finding(rule, pair.act.expr, message);
        finding.confidence = if unit.is_callable() { Confidence::Medium } else { Confidence::Low };
        finding.help = Some(advice(&pair));
        finding.related.push(unit.related(pair.check.expr, "looked up here"));
        out.push(finding);
    }
    for race in containers::races(unit, |it| matches!(it, Container::Process(_))) {
        let Container::Process(name) = race.used.container else { continue };
        let what = format!("'{}', a container of the whole process,", unit.text(name));
        out.push(report(unit, rule, &race, &what));
    }
}

/// A finding about a C++ container; `what` says which.
pub(crate) fn report(unit: &Unit<'_>, rule: &Rule, race: &Race, what: &str) -> Finding {
    let (used, other) = (race.used, race.other);
    let verb = if used.changes { "changes" } else { "looks into" };
    let message = format!(
        "'{}' {verb} {what} without a lock, while another thread can be in '{}': the containers of C++ are not safe for that",
        used.method, other.method
    );
    let mut finding = unit.finding(rule, used.expr, message);
    finding.confidence = if unit.is_callable() { Confidence::Medium } else { Confidence::Low };
    finding.help = Some("hold one mutex around each step that belongs together, from the look to the change and until what was found has a reference of its own; a std::mutex must not be held while Python code runs".to_owned());
    if other.expr != used.expr || other.function != used.function {
        let function = unit.project.function(other.function);
        let span = function.body.expr(other.expr).span;
        let how = if other.changes { "changed here" } else { "looked into here" };
        finding.related.push(unit.analysis.related(function.file, span, how));
    }
    finding
}

/// The one call that does both, or a lock.
pub(crate) fn advice(pair: &Pair<'_>) -> String {
    let section = "hold Py_BEGIN_CRITICAL_SECTION on the container (new in Python 3.13; pythoncapi-compat has it for older ones) around both";
    match pair.act.name {
        name if pair.check.name.starts_with("PyDict") && check_act::removes(name) => {
            format!(
                "PyDict_Pop (new in Python 3.13; pythoncapi-compat has it for older ones) does both in one step; or {section}"
            )
        }
        "PyDict_SetItem" | "PyObject_SetItem" => format!(
            "PyDict_SetDefaultRef (new in Python 3.13; pythoncapi-compat has it for older ones) keeps the first value and gives it to all threads; or {section}"
        ),
        _ => section.to_owned(),
    }
}
