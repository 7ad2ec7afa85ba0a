//! Flags a shared variable that threads count in: `total += n` loses changes.

use gilaudit_model::source::python::{PythonFile, UseKind, Value};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::threads::{Shared, number};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "global-augassign",
    summary: "a shared variable that several threads add to without a lock",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("global_augassign.md"),
    checks: &[Check::Python(check)],
};

fn check(analysis: &Analysis<'_>, file: &PythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let threads = &analysis.threads;
    let number = number(analysis.project, file);
    for it in threads.uses_in(number).iter().filter(|it| !it.locked) {
        // `items += more` extends a list in place, in one step.
        let counts = match it.kind {
            UseKind::Augment => !threads.value(&it.what).is_container(),
            UseKind::AugmentItem => matches!(threads.value(&it.what), Value::Dict | Value::List),
            _ => false,
        };
        if !counts {
            continue;
        }
        let writes = |kind| matches!(kind, UseKind::Augment | UseKind::AugmentItem | UseKind::Bind);
        let others = threads.uses_of(&it.what).filter(|other| writes(other.kind));
        // Of several, the one in the function itself.
        let (own, rest) = (others.clone().filter(|other| other.by == it.by), others.filter(|other| other.by != it.by));
        let (other, thread) =
            own.chain(rest).find_map(|other| Some((other, threads.concurrent(it.by, other.by, &it.what)?))).unzip();
        // An attribute of an object is not shared until two threads are seen to have it.
        if thread.is_none() && matches!(it.what, Shared::Instance { .. } | Shared::Closure { .. }) {
            continue;
        }
        let name = it.what.name();
        let message = format!(
            "'{name}' is read, changed and written back in three steps: when two threads do that at once, one change is lost"
        );
        let mut finding = threads.finding(analysis, rule, it.by, it.span, thread, message);
        if let Some(other) = other.filter(|other| other.by != it.by) {
            let file = analysis.project.python[other.by.0].file;
            finding.related.push(analysis.related(file, other.span, "also written here"));
        }
        finding.help = Some(
            "hold one threading.Lock around every change, or let each thread count for itself and add up at the end"
                .to_owned(),
        );
        out.push(finding);
    }
}
