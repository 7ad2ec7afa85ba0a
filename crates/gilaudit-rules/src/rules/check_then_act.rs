//! Flags a test of a shared container, and what is done on its result while other threads change the container.

use gilaudit_model::source::python::{Form, PythonFile, UseKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::threads::{Shared, number};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "check-then-act",
    summary: "a shared container that is tested and then changed without a lock over both",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("check_then_act.md"),
    checks: &[Check::Python(check)],
};

fn check(analysis: &Analysis<'_>, file: &PythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let threads = &analysis.threads;
    let number = number(analysis.project, file);
    for (index, function) in file.functions.iter().enumerate().skip(1) {
        let by = (number, index);
        if threads.is_lock_held(by) {
            continue;
        }
        for it in &function.checks {
            let Some(what) = threads.shared(by, &it.place, UseKind::GetItem) else { continue };
            // Of an object or of a call of a function, which need not be shared.
            if matches!(what, Shared::Instance { .. } | Shared::Closure { .. }) {
                continue;
            }
            let is_container = threads.value(&what).is_container();
            let removed = || {
                let removes = threads.uses_of(&what).filter(|other| other.kind == UseKind::Remove);
                removes.map(|other| other.by).collect::<Vec<_>>()
            };
            // Who can change the answer between the test and the act.
            let (others, consequence) = match it.form {
                Form::Missing if is_container => (vec![by], "both find it missing and both add it, and one is lost"),
                Form::Present if is_container => (removed(), "it is gone when it is used"),
                Form::NotEmpty if is_container => (removed(), "it is empty when something is taken"),
                Form::Attribute => (vec![by], "both find it missing and both set it"),
                _ => continue,
            };
            if others.is_empty() {
                continue;
            }
            let thread = others.iter().find_map(|other| {
                threads.concurrent(by, *other, &what).or_else(|| threads.concurrent(*other, by, &what))
            });
            let name = what.name();
            let message =
                format!("'{name}' can change between this test and what depends on it: of two threads, {consequence}");
            let message = if it.form == Form::Missing || it.form == Form::Attribute {
                message
            } else {
                format!(
                    "'{name}' can change between this test and what depends on it: another thread takes the last one, and {consequence}"
                )
            };
            let mut finding = threads.finding(analysis, rule, by, it.span, thread, message);
            finding.related.push(analysis.related(file.file, it.act, "depends on the test"));
            finding.help = Some(
                match it.form {
                    Form::Missing => "use setdefault, functools.cache, or hold one threading.Lock over the test and the change",
                    Form::Attribute => "set it once at import, or hold one threading.Lock over the test and the assignment",
                    _ => "do it in one step and handle the error (x.pop(key, None), try/except), or hold one threading.Lock over both",
                }
                .to_owned(),
            );
            out.push(finding);
        }
    }
}
