//! Flags a loop over a shared container that other threads make larger or smaller meanwhile.

use gilaudit_model::source::python::{PythonFile, UseKind, Value};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::threads::{Shared, SharedUse, Threads, number};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "iterate-shared",
    summary: "a loop over a shared container that other threads change meanwhile",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("iterate_shared.md"),
    checks: &[Check::Python(check)],
};

fn check(analysis: &Analysis<'_>, file: &PythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let threads = &analysis.threads;
    let number = number(analysis.project, file);
    for it in threads.uses_in(number).iter().filter(|it| it.kind == UseKind::Iterate) {
        // Weak values have a rule of their own.
        let value = threads.value(&it.what);
        let shared = matches!(it.what, Shared::Global { .. } | Shared::Class { .. });
        if !shared || !value.is_container() || value == Value::WeakValues {
            continue;
        }
        let changes = |other: &&SharedUse| resizes(value, other.kind) && !(it.locked && other.locked);
        let mut changes = threads.uses_of(&it.what).filter(changes).peekable();
        let Some(first) = changes.peek().copied() else { continue };
        let meets = changes.find_map(|other| Some((other, meeting(threads, it, other)?)));
        let (other, thread) = meets.map_or((first, None), |(other, thread)| (other, Some(thread)));
        let what = if value == Value::List {
            "items are skipped or seen twice"
        } else {
            "the loop ends in RuntimeError: changed size during iteration"
        };
        let message =
            format!("'{}' can be changed by another thread while this loop goes through it: {what}", it.what.name());
        let mut finding = threads.finding(analysis, rule, it.by, it.span, thread, message);
        let at = analysis.project.python[other.by.0].file;
        finding.related.push(analysis.related(at, other.span, "changed here"));
        finding.help = Some("go through a copy (list(x), x.copy()), which is made in one step, or hold one threading.Lock over the loop and over every change".to_owned());
        out.push(finding);
    }
}

/// The thread that runs one of two uses while another runs the other.
fn meeting<'t>(threads: &'t Threads<'_>, a: &SharedUse, b: &SharedUse) -> Option<&'t crate::engine::threads::Thread> {
    threads.concurrent(a.by, b.by, &a.what).or_else(|| threads.concurrent(b.by, a.by, &a.what))
}

/// Whether a use changes how many items there are.
fn resizes(value: Value, kind: UseKind) -> bool {
    match kind {
        UseKind::Add | UseKind::Remove => true,
        UseKind::SetItem => value == Value::Dict,
        _ => false,
    }
}
