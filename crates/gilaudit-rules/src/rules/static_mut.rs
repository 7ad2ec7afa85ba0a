//! Flags a `static mut` that is changed while other threads can use it.

use gilaudit_model::source::rust::RustFile;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::rust;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "static-mut",
    summary: "a static mut that is changed while other threads can use it",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("static_mut.md"),
    checks: &[Check::Rust(check)],
};

fn check(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    for it in facts.statics.iter().filter(|it| it.mutable && !it.thread_local) {
        let mut writes = rust::static_writes(analysis, it);
        // Tables of the C API are handed to the interpreter by pointer, which is not a change.
        let is_table =
            it.ty.names.iter().any(|name| name.starts_with("Py") && (name.ends_with("Def") || name.contains("_")));
        if is_table || it.ty.mentions("PyTypeObject") && !it.ty.mentions("*") {
            writes.retain(|write| !write.borrow);
        }
        let Some(first) = writes.first() else { continue };
        let function = rust::qualified(first.function);
        let only_borrowed = writes.iter().all(|write| write.borrow);
        let message = match only_borrowed {
            false => format!(
                "the static mut '{}' is changed in '{function}', which several threads can run at once",
                it.name
            ),
            true => format!(
                "'{function}' takes a mutable reference to the static mut '{}', and several threads can run it at once",
                it.name
            ),
        };
        let mut finding = analysis.finding(rule, facts.file, it.span, message);
        finding.function = it.function.as_ref().map(ToString::to_string);
        finding.confidence = if only_borrowed { Confidence::Medium } else { Confidence::High };
        finding.help = Some("use an atomic, std::sync::Mutex with MutexExt::lock_py_attached (PyO3 0.24), or for what is made once std::sync::OnceLock or PyOnceLock (PyO3 0.26)".to_owned());
        finding.related = rust::related_writes(analysis, &writes);
        out.push(finding);
    }
}
