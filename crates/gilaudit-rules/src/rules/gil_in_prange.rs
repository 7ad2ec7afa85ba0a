//! Flags Python variables that the threads of a prange share.

use gilaudit_model::source::cython::{CythonFile, ExprKind, StmtKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::cython::codes;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "gil-in-prange",
    summary: "a Python variable that all threads of a prange assign to",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("gil_in_prange.md"),
    checks: &[Check::Cython(check)],
};

fn check(analysis: &Analysis<'_>, file: &CythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let code = codes(analysis, file);
    for id in file.stmt_ids() {
        let StmtKind::For { iter: Some(iter), .. } = file.stmt(id).kind else { continue };
        if code.called(iter).is_none_or(|(name, _)| name != "prange") {
            continue;
        }
        let Some((of, _)) = code.function(id) else { continue };
        for inside in file.inside(id) {
            let StmtKind::Assign { targets, .. } = file.stmt(inside).kind else { continue };
            let holds = file.around(inside).take_while(|around| *around != id).any(|around| {
                matches!(file.stmt(around).kind, StmtKind::With(items) if code.with_gil(file.list(items), "gil"))
            });
            if !holds || code.is_nogil(inside) {
                continue;
            }
            let shared = file.list(targets).iter().find_map(|target| match file.kind(*target) {
                ExprKind::Name(name) => {
                    // C variables are private to each thread, Python variables are not.
                    let is_object = match code.local_type(of, name) {
                        Some(Some(ty)) => code.is_object(ty),
                        Some(None) => true,
                        None => false,
                    };
                    is_object.then_some(name)
                }
                _ => None,
            });
            let Some(name) = shared else { continue };
            let message = format!(
                "all threads of the prange share the Python variable '{}': 'with gil' does not keep them apart, and its reference count goes wrong",
                code.text(name)
            );
            let mut finding = code.finding(analysis, rule, file.stmt(inside).span, Some(of), message);
            finding.help = Some("move the Python code into a function of its own and call that, so that each thread has its own variables; or collect C values and convert them after the loop".to_owned());
            finding.related.push(code.related(analysis, id, "the parallel loop"));
            out.push(finding);
            break;
        }
    }
}
