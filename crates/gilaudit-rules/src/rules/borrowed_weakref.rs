//! Flags a referent of a weak reference that is used through a borrowed reference.

use gilaudit_model::source::rust::RustFile;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::{Analysis, Unit};
use crate::engine::borrow;
use crate::engine::code;
use crate::engine::rust_borrow;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "borrowed-weakref",
    summary: "a borrowed reference to the referent of a weak reference, by API that 3.15 removed",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("borrowed_weakref.md"),
    checks: &[Check::Function(check), Check::Rust(check_rust), Check::Code(code::borrowed::borrowed)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for borrow in borrow::unprotected(unit, rule.id) {
        out.push(borrow::report(unit, rule, &borrow, "drop the last strong reference"));
    }
}

fn check_rust(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    for function in &facts.functions {
        for borrow in rust_borrow::unprotected(analysis, facts, function, rule.id) {
            out.push(rust_borrow::report(analysis, facts, function, rule, &borrow, "drop the last strong reference"));
        }
    }
}
