//! Flags counters of buffer exports that are changed without a lock.

use gilaudit_model::source::cython::{CythonFile, StmtKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::cython::codes;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "buffer-hooks",
    summary: "a buffer hook that changes its object without a lock",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("buffer_hooks.md"),
    checks: &[Check::Cython(check)],
};

fn check(analysis: &Analysis<'_>, file: &CythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let code = codes(analysis, file);
    for (function, of) in file.functions.iter().zip(0u32..) {
        let hook = code.text(function.name);
        if !matches!(hook, "__getbuffer__" | "__releasebuffer__") {
            continue;
        }
        for id in code.body(of) {
            let StmtKind::Assign { targets, augmented: true, .. } = file.stmt(id).kind else { continue };
            let attribute = file.list(targets).iter().find_map(|target| code.attribute(function, *target));
            let Some((name, ty)) = attribute else { continue };
            if code.is_atomic(ty) || code.is_locked(id) {
                continue;
            }
            let message = format!(
                "'{}' is counted without a lock in {hook}: two threads that take or give back a buffer at the same time lose one count",
                code.text(name)
            );
            let mut finding = code.finding(analysis, rule, file.stmt(id).span, Some(of), message);
            finding.help = Some("decorate the method with @cython.critical_section (Cython 3.1), and all others that use the count; or make it a libcpp.atomic (Cython 3.1, C++)".to_owned());
            out.push(finding);
        }
    }
}
