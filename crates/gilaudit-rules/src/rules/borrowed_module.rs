//! Flags a module that is used through a borrowed reference.

use gilaudit_model::source::rust::RustFile;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::{Analysis, Unit};
use crate::engine::borrow;
use crate::engine::code;
use crate::engine::rust_borrow;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "borrowed-module",
    summary: "a borrowed reference to a module in sys.modules",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("borrowed_module.md"),
    checks: &[Check::Function(check), Check::Rust(check_rust), Check::Code(code::borrowed::borrowed)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for borrow in borrow::unprotected(unit, rule.id) {
        out.push(borrow::report(unit, rule, &borrow, "remove the module from sys.modules"));
    }
}

fn check_rust(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    for function in &facts.functions {
        for borrow in rust_borrow::unprotected(analysis, facts, function, rule.id) {
            out.push(rust_borrow::report(
                analysis,
                facts,
                function,
                rule,
                &borrow,
                "remove the module from sys.modules",
            ));
        }
    }
}
