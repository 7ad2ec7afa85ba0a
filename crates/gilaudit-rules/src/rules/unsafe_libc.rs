//! Flags a function of the C library that keeps state which all threads share.

use gilaudit_model::source::{ExprId, ExprKind, Variant};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::code;
use crate::engine::{api, exempt};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "unsafe-libc",
    summary: "a function of the C library that keeps state which all threads share",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("unsafe_libc.md"),
    checks: &[Check::Function(check), Check::Code(code::libc::libc)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if exempt::is_single_threaded(unit) {
        return;
    }
    for call in unit.calls() {
        let Some(known) = api::unsafe_libc(call.name) else { continue };
        let is_own = !unit.analysis.index.functions(unit.project, call.name).is_empty();
        if is_own
            || unit.is_locked_at(call.node)
            || unit.is_unparsed(call.span)
            || matches!(unit.kind(callee(unit, call.expr)), ExprKind::Field { .. })
        {
            continue;
        }
        if unit.is_init() && call.name == "setlocale" || unit.function.variant == Variant::Windows {
            continue;
        }
        let message = format!("'{}' is not safe in several threads: {}", call.name, known.reason);
        let mut finding = unit.finding(rule, call.expr, message);
        if known.is_note {
            finding.severity = Severity::Note;
        }
        if !unit.is_callable() {
            finding.confidence = Confidence::Medium;
        }
        finding.help = Some(match known.replacement {
            "-" => "guard all calls of this family with one mutex".to_owned(),
            replacement => format!("use {replacement}, or guard all calls of this family with one mutex"),
        });
        out.push(finding);
    }
}

fn callee(unit: &Unit<'_>, call: ExprId) -> ExprId {
    match unit.kind(call) {
        ExprKind::Call { callee, .. } => unit.strip(callee),
        _ => call,
    }
}
