//! Flags critical sections in which the GIL is released, which releases the section.

use gilaudit_model::source::StmtId;
use gilaudit_model::source::cython::{CythonFile, StmtKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::cython::{Code, Lock, codes};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "nogil-in-critical-section",
    summary: "a critical section that is released with the GIL inside it",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("nogil_in_critical_section.md"),
    checks: &[Check::Cython(check)],
};

fn check(analysis: &Analysis<'_>, file: &CythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let code = codes(analysis, file);
    for id in file.stmt_ids() {
        let StmtKind::With(items) = file.stmt(id).kind else { continue };
        let items = file.list(items);
        let Some(nogil) = items.iter().position(|item| code.with_gil(&[*item], "nogil")) else { continue };
        let before = items.get(..nogil).unwrap_or_default();
        let here = before.iter().any(|item| code.lock(*item) == Some(Lock::Section));
        let Some(related) = (if here { Some(id) } else { section_around(&code, id) }) else { continue };
        let message =
            "releasing the GIL here releases the critical section, too: what it should guard is not guarded".to_owned();
        let of = code.function(id).map(|(of, _)| of);
        let mut finding = code.finding(analysis, rule, file.span(items[nogil]), of, message);
        finding.help = Some("guard the code without the GIL by a cython.pymutex (Cython 3.1), which is held until it is released; or keep the GIL".to_owned());
        if related != id {
            finding.related.push(code.related(analysis, related, "the critical section"));
        }
        out.push(finding);
    }
}

/// The critical section that is held where a statement begins.
fn section_around(code: &Code<'_>, id: StmtId) -> Option<StmtId> {
    for around in code.file.around(id) {
        match &code.file.stmt(around).kind {
            StmtKind::With(items) => {
                let items = code.file.list(*items);
                if code.with_gil(items, "nogil") {
                    return None;
                }
                if items.iter().any(|item| code.lock(*item) == Some(Lock::Section)) {
                    return Some(around);
                }
            }
            StmtKind::Function(of) => {
                let function = code.file.functions.get(*of as usize)?;
                return code.section_decorator(function).then_some(around);
            }
            _ => {}
        }
    }
    None
}
