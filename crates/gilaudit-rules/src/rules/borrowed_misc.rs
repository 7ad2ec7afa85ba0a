//! Flags a borrowed reference to a changeable attribute of an interpreter object that is kept while other code runs.

use gilaudit_model::source::rust::RustFile;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::{Analysis, Unit};
use crate::engine::borrow;
use crate::engine::code;
use crate::engine::rust_borrow;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "borrowed-misc",
    summary: "a borrowed reference to a changeable attribute of an interpreter object that is kept while other code runs",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("borrowed_misc.md"),
    checks: &[Check::Function(check), Check::Rust(check_rust), Check::Code(code::borrowed::borrowed)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for borrow in borrow::unprotected(unit, rule.id) {
        if borrow.used < borrow::Use::Kept {
            continue;
        }
        out.push(borrow::report(unit, rule, &borrow, "set another object in its place"));
    }
}

fn check_rust(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    for function in &facts.functions {
        let kept = rust_borrow::unprotected(analysis, facts, function, rule.id).into_iter();
        for borrow in kept.filter(|borrow| borrow.used >= borrow::Use::Kept) {
            out.push(rust_borrow::report(analysis, facts, function, rule, &borrow, "set another object in its place"));
        }
    }
}
