//! Flags a look into a dict or list of the whole process and a change that relies on it, without a lock around both.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::check_act::{self, Pair};
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
