//! Flags a static variable that is written after import without a lock.

use gilaudit_model::source::FunctionId;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::code;
use crate::engine::globals;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "mutable-static",
    summary: "a static variable that is written after import without a lock",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("mutable_static.md"),
    checks: &[Check::Project(check), Check::Code(code::statics::mutable_static)],
};

fn check(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let mut by_function: std::collections::BTreeMap<FunctionId, Finding> = std::collections::BTreeMap::new();
    for variable in globals::variables(analysis) {
        let Some((write, kind)) = variable.worst_write(analysis) else { continue };
        let function = analysis.project.function(write.function);
        let name = analysis.project.text(variable.name);
        let what = match kind {
            globals::Danger::Counter => "is counted without a lock: changes are lost",
            globals::Danger::Object => {
                "is a reference that is replaced without a lock: the old object can be released twice, or used after it is gone"
            }
            globals::Danger::Buffer => "is a buffer that all threads share: they overwrite each other's contents",
            globals::Danger::Plain => "is written without a lock: other threads see the change at any time",
        };
        let message = format!("'{name}' has one instance for the whole process and {what}");
        let mut finding = analysis.finding(rule, function.file, function.body.expr(write.expr).span, message);
        finding.function = Some(analysis.project.text(function.qualified).to_owned());
        finding.confidence = match kind {
            _ if !analysis.index.callable[write.function.0 as usize] => Confidence::Low,
            globals::Danger::Counter | globals::Danger::Object | globals::Danger::Buffer => Confidence::High,
            globals::Danger::Plain
                if variable.survives(analysis, write.function) && variable.is_decided_on(analysis) =>
            {
                Confidence::Medium
            }
            globals::Danger::Plain => Confidence::Low,
        };
        finding.help = Some(
            "make it const, local, or a member of the module state; or _Thread_local if each thread may have its own; or guard all accesses with one PyMutex (new in Python 3.13)"
                .to_owned(),
        );
        finding.related.push(analysis.related(variable.file, variable.span, "declared here"));
        for other in variable.other_writers(analysis, write.function) {
            let function = analysis.project.function(other.function);
            finding.related.push(analysis.related(
                function.file,
                function.body.expr(other.expr).span,
                "also written here",
            ));
        }
        if !variable.is_local() {
            out.push(finding);
            continue;
        }
        // Code made from Fortran has hundreds of static variables in a function: one finding, at the most dangerous one.
        match by_function.get_mut(&write.function) {
            Some(known) if known.confidence >= finding.confidence => {
                if known.related.len() < MOST_RELATED {
                    known.related.push(analysis.related(variable.file, variable.span, format!("'{name}', too")));
                }
            }
            _ => {
                by_function.insert(write.function, finding);
            }
        }
    }
    out.extend(by_function.into_values());
}

/// Most places that a finding names.
const MOST_RELATED: usize = 6;
