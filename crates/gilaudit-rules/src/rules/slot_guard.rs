//! Flags a slot that only newer Pythons know, in a module that is also built for older ones.

use gilaudit_model::source::{Body, ExprId, ExprKind, FileId};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::metadata;
use crate::engine::values::strip;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "slot-guard",
    summary: "a Py_mod_gil slot without a guard in a project for Pythons that do not have it",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("slot_guard.md"),
    checks: &[Check::Project(check)],
};

/// The version that added `Py_mod_gil`.
const SINCE: u32 = 13;

fn check(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let project = analysis.project;
    let Some(slot) = project.names.get("Py_mod_gil") else { return };
    let mut look = |id: FileId, body: &Body| {
        let file = project.file(id);
        if !file.report || file.cython.is_some() || analysis.is_test(id) {
            return;
        }
        for expr in &body.exprs {
            let ExprKind::List(list) = expr.kind else { continue };
            let Some(first) = body.list(list).first().copied() else { continue };
            if !is_slot(body, first, slot)
                || metadata::is_guarded(file, expr.span, SINCE, &["Py_mod_gil", "Py_GIL_DISABLED"])
            {
                continue;
            }
            let Some(oldest) = metadata::oldest_python(project, file).filter(|oldest| *oldest < SINCE) else {
                continue;
            };
            // A project can bring the name along itself.
            if project.files.iter().any(|other| other.c_api && !metadata::definitions(other, "Py_mod_gil").is_empty()) {
                continue;
            }
            let message = format!(
                "'Py_mod_gil' is new in Python 3.{SINCE}, and the project supports Python 3.{oldest}: the module does not compile there"
            );
            let mut finding = analysis.finding(rule, id, expr.span, message);
            finding.help = Some("put it under #ifdef Py_mod_gil, or #if PY_VERSION_HEX >= 0x030D0000".to_owned());
            out.push(finding);
        }
    };
    for (index, file) in project.files.iter().enumerate() {
        look(FileId(index as u32), &file.body);
    }
    for function in &project.functions {
        look(function.file, &function.body);
    }
}

fn is_slot(body: &Body, expr: ExprId, slot: gilaudit_model::source::Name) -> bool {
    match body.kind(strip(body, expr)) {
        ExprKind::Name(name) => name == slot,
        // `.slot = Py_mod_gil`
        ExprKind::Assign { op: None, value, .. } => is_slot(body, value, slot),
        _ => false,
    }
}
