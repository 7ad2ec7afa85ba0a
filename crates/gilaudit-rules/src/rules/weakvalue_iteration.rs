//! Flags a loop over a `WeakValueDictionary` itself.

use gilaudit_model::source::python::{PythonFile, UseKind, Value};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::threads::number;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "weakvalue-iteration",
    summary: "a loop over a dictionary with weak values, which lose entries at any time before Python 3.14",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("weakvalue_iteration.md"),
    checks: &[Check::Python(check)],
};

fn check(analysis: &Analysis<'_>, file: &PythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let threads = &analysis.threads;
    let number = number(analysis.project, file);
    for it in threads.uses().iter().filter(|it| it.by.0 == number && it.kind == UseKind::Iterate && !it.locked) {
        if threads.value(&it.what) != Value::WeakValues {
            continue;
        }
        let thread = threads.concurrent(it.by, it.by, &it.what).or_else(|| {
            let others = threads.uses().iter().filter(|other| other.what == it.what);
            let mut others = others.filter(|other| !matches!(other.kind, UseKind::GetItem | UseKind::Iterate));
            others.find_map(|other| {
                threads.concurrent(it.by, other.by, &it.what).or_else(|| threads.concurrent(other.by, it.by, &it.what))
            })
        });
        let message = format!(
            "'{}' has weak values: another thread that drops the last reference to one removes its entry while this loop goes through it",
            it.what.name()
        );
        let mut finding = threads.finding(analysis, rule, it.by, it.span, thread, message);
        finding.help = Some(
            "go through a copy, x.copy() or list(x.valuerefs()), or hold a lock over the loop and over every change (iterating became safe in Python 3.14)"
                .to_owned(),
        );
        out.push(finding);
    }
}
