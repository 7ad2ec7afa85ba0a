//! Flags a loop over a `WeakValueDictionary` itself.

use gilaudit_model::source::cython::{CythonFile, ExprKind, StmtKind};
use gilaudit_model::source::python::{PythonFile, UseKind, Value};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::cython::{class_of, codes, is_weak_global, weak_attributes};
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
    checks: &[Check::Python(check), Check::Cython(check_cython)],
};

fn check(analysis: &Analysis<'_>, file: &PythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let threads = &analysis.threads;
    let number = number(analysis.project, file);
    for it in threads.uses_in(number).iter().filter(|it| it.kind == UseKind::Iterate && !it.locked) {
        if threads.value(&it.what) != Value::WeakValues {
            continue;
        }
        let thread = threads.concurrent(it.by, it.by, &it.what).or_else(|| {
            let mut others =
                threads.uses_of(&it.what).filter(|other| !matches!(other.kind, UseKind::GetItem | UseKind::Iterate));
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

/// Extension code is called from threads that its users start, whatever threads the project starts itself.
fn check_cython(analysis: &Analysis<'_>, file: &CythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let code = codes(analysis, file);
    let attributes = weak_attributes(&code);
    for (of, function) in code.live() {
        let locals = code.locals(of);
        for id in code.body(of) {
            let header = match file.stmt(id).kind {
                StmtKind::For { iter, .. } => iter,
                _ => None,
            };
            let clauses = file.exprs_of(id).filter_map(|expr| match file.kind(expr) {
                ExprKind::Each { iter, .. } => Some(iter),
                _ => None,
            });
            for iter in header.into_iter().chain(clauses) {
                let Some(container) = code.iterated(iter) else { continue };
                let name = match file.kind(container) {
                    ExprKind::Name(name) if !locals.contains(&name) && is_weak_global(&code, name) => name,
                    ExprKind::Attribute { base, name }
                        if class_of(&code, function, base).is_some_and(|class| attributes.contains(&(class, name))) =>
                    {
                        name
                    }
                    _ => continue,
                };
                let locked = code.is_locked(id);
                let message = format!(
                    "'{}' has weak values: another thread that drops the last reference to one removes its entry while this loop goes through it{}",
                    code.text(name),
                    if locked { ", and takes no lock for that" } else { "" }
                );
                let mut finding = code.finding(analysis, rule, file.span(iter), Some(of), message);
                if locked {
                    // A lock helps if the values are only dropped under it, too, which is not followed.
                    finding.confidence = Confidence::Medium;
                }
                finding.help = Some(
                    "go through list(x.valuerefs()), which is made in one step, and skip the references that are dead; before Python 3.14 copy() and list(x.values()) are such loops themselves"
                        .to_owned(),
                );
                out.push(finding);
            }
        }
    }
}
