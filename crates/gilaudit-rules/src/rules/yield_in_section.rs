//! Flags generators that give up control inside a critical section.

use gilaudit_model::source::cython::{CythonFile, ExprKind, StmtKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::cython::{Lock, codes};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "yield-in-section",
    summary: "a yield inside a critical section",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("yield_in_section.md"),
    checks: &[Check::Cython(check)],
};

fn check(analysis: &Analysis<'_>, file: &CythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let code = codes(analysis, file);
    for id in file.stmt_ids() {
        let yields = file.exprs_of(id).find(|expr| matches!(file.kind(*expr), ExprKind::Yield(_)));
        let Some(yields) = yields else { continue };
        let mut inside = false;
        for around in file.around(id) {
            match &file.stmt(around).kind {
                StmtKind::With(items) => {
                    inside |= file.list(*items).iter().any(|item| code.lock(*item) == Some(Lock::Section))
                }
                StmtKind::Function(of) => {
                    inside |= file.functions.get(*of as usize).is_some_and(|function| code.section_decorator(function));
                    break;
                }
                _ => {}
            }
        }
        if !inside {
            continue;
        }
        let message = "the generator is left inside a critical section: the section belongs to the thread, and is ended by whoever runs on".to_owned();
        let of = code.function(id).map(|(of, _)| of);
        let mut finding = code.finding(analysis, rule, file.span(yields), of, message);
        finding.help = Some(
            "collect the values inside the section and yield them after it; Cython refuses this since 3.2.2".to_owned(),
        );
        out.push(finding);
    }
}
