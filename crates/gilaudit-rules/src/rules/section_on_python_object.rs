//! Flags critical sections on ordinary objects whose attributes they should guard.

use gilaudit_model::source::cython::{CythonFile, ExprKind, StmtKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::cython::{Lock, codes};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "section-on-python-object",
    summary: "a critical section on an ordinary object, which does not guard its attributes",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("section_on_python_object.md"),
    checks: &[Check::Cython(check)],
};

fn check(analysis: &Analysis<'_>, file: &CythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let code = codes(analysis, file);
    for id in file.stmt_ids() {
        let StmtKind::With(items) = file.stmt(id).kind else { continue };
        let Some((of, _)) = code.function(id) else { continue };
        for item in file.list(items) {
            if code.lock(*item) != Some(Lock::Section) {
                continue;
            }
            let Some((_, args)) = code.called(*item) else { continue };
            for arg in args {
                let ExprKind::Name(name) = file.kind(*arg) else { continue };
                // Only what is surely no extension type: a name without a type, or `object`.
                let ordinary = match code.local_type(of, name) {
                    Some(None) => true,
                    Some(Some(ty)) => code.text(ty.base) == "object" && ty.pointers == 0,
                    None => false,
                };
                let stored = file.inside(id).find(|inside| {
                    let StmtKind::Assign { targets, .. } = file.stmt(*inside).kind else { return false };
                    file.list(targets).iter().any(|target| {
                        matches!(file.kind(*target), ExprKind::Attribute { base, .. } if file.kind(base) == ExprKind::Name(name))
                    })
                });
                let Some(stored) = stored.filter(|_| ordinary) else { continue };
                let name = code.text(name);
                let message = format!(
                    "a critical section on '{name}', which is no extension type here, does not guard its attributes: looking one up locks the object itself and can let others in"
                );
                let mut finding = code.finding(analysis, rule, file.span(*item), Some(of), message);
                finding.help = Some("make the class an extension type ('cdef class') and declare the type, or use a cython.pymutex (Cython 3.1) or threading.Lock".to_owned());
                finding.related.push(code.related(analysis, stored, "an attribute is set here"));
                out.push(finding);
            }
        }
    }
}
