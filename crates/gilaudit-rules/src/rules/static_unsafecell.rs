//! Flags a static with an `UnsafeCell` that is written without synchronisation.

use gilaudit_model::source::rust::RustFile;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::rust;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "static-unsafecell",
    summary: "a static UnsafeCell that is written without synchronisation",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("static_unsafecell.md"),
    checks: &[Check::Rust(check)],
};

fn check(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    for it in facts.statics.iter().filter(|it| !it.mutable && !it.thread_local) {
        let Some(outer) = it.ty.names.first() else { continue };
        let of_type = rust::unguarded(&it.ty, false).is_some();
        // A type of the project that holds one, with nothing beside it that could order the accesses.
        let of_field = analysis.rust.structure(facts.file, outer).is_some_and(|structure| {
            structure.fields.iter().any(|(_, ty, _)| rust::unguarded(ty, false).is_some())
                && !structure.fields.iter().any(|(_, ty, _)| rust::is_guard_type(ty))
        });
        if !of_type && !of_field {
            continue;
        }
        let writes = rust::static_writes(analysis, it);
        let Some(first) = writes.iter().find(|write| !write.borrow) else { continue };
        let message = format!(
            "the cell in the static '{}' is written in '{}', which several threads can run at once, without synchronisation",
            it.name,
            rust::qualified(first.function)
        );
        let mut finding = analysis.finding(rule, facts.file, it.span, message);
        finding.function = it.function.as_ref().map(ToString::to_string);
        finding.help = Some(
            "use an atomic, std::sync::OnceLock, PyOnceLock (PyO3 0.26), or write it in std::sync::Once::call_once"
                .to_owned(),
        );
        finding.related = rust::related_writes(analysis, &writes);
        out.push(finding);
    }
}
