//! Flags a variable of a module that is filled on first use.

use gilaudit_model::source::python::{Form, PythonFile, UseKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::threads::{Shared, number};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "lazy-module-global",
    summary: "a variable of a module or class that is filled on first use without a lock",
    severity: Severity::Note,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("lazy_module_global.md"),
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
        for it in function.checks.iter().filter(|it| it.form == Form::Unset) {
            let Some(what) = threads.shared(by, &it.place, UseKind::Bind) else { continue };
            if !matches!(what, Shared::Global { .. } | Shared::Class { .. }) {
                continue;
            }
            let thread = threads.concurrent(by, by, &what);
            let message = format!(
                "'{}' is filled on first use: two threads can both find it empty, and each gets an object of its own",
                what.name()
            );
            let mut finding = threads.finding(analysis, rule, by, it.span, thread, message);
            finding.related.push(analysis.related(file.file, it.act, "filled here"));
            finding.help = Some(
                "harmless if the objects are the same and cheap; otherwise fill it at import, use functools.cache, or test again under a threading.Lock"
                    .to_owned(),
            );
            out.push(finding);
        }
    }
}
