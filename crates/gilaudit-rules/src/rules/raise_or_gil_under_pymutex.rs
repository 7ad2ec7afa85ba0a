//! Flags mutexes under which code without the GIL takes it.

use gilaudit_model::source::cython::{CythonFile, StmtKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::cython::{Lock, codes};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "raise-or-gil-under-pymutex",
    summary: "taking the GIL, or raising, while a cython.pymutex is held",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("raise_or_gil_under_pymutex.md"),
    checks: &[Check::Cython(check)],
};

fn check(analysis: &Analysis<'_>, file: &CythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let code = codes(analysis, file);
    for id in file.stmt_ids() {
        let what = match &file.stmt(id).kind {
            StmtKind::Raise => "raising",
            StmtKind::With(items) if code.with_gil(file.list(*items), "gil") => "taking the GIL",
            _ => continue,
        };
        if !code.is_nogil(id) {
            continue;
        }
        let mutex = file.around(id).take_while(|around| !matches!(file.stmt(*around).kind, StmtKind::Function(_))).find(|around| {
            matches!(file.stmt(*around).kind, StmtKind::With(items) if file.list(items).iter().any(|item| code.lock(*item) == Some(Lock::Mutex)))
        });
        let Some(mutex) = mutex else { continue };
        let message = format!(
            "{what} while the mutex is held can deadlock: another thread may wait for the mutex and keep this one from attaching"
        );
        let of = code.function(id).map(|(of, _)| of);
        let mut finding = code.finding(analysis, rule, file.stmt(id).span, of, message);
        finding.help =
            Some("note what went wrong in a C variable, leave the mutex, then take the GIL and raise".to_owned());
        finding.related.push(code.related(analysis, mutex, "the mutex is taken here"));
        out.push(finding);
    }
}
