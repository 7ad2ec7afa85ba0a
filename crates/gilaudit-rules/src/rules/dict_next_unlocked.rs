//! Flags a dict that is iterated with PyDict_Next without a lock.

use gilaudit_model::source::rust::RustFile;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::{Analysis, Unit};
use crate::engine::code;
use crate::engine::rust;
use crate::engine::rust_borrow;
use crate::engine::values::Root;
use crate::engine::{borrow, exempt};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "dict-next-unlocked",
    summary: "a dict that is iterated with PyDict_Next without a lock",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("dict_next_unlocked.md"),
    checks: &[Check::Function(check), Check::Rust(check_rust), Check::Code(code::containers::dict_next)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.is_init() || exempt::is_polyfill(unit) {
        return;
    }
    for call in unit.calls() {
        let Some(container) =
            call.args.first().copied().filter(|_| matches!(call.name, "PyDict_Next" | "_PyDict_Next"))
        else {
            continue;
        };
        if borrow::is_protected(unit, container, call.node) || unit.is_unparsed(call.span) {
            continue;
        }
        let message = format!(
            "'{}' takes no lock: another thread can change the dict during the iteration, and the key and value it gives are borrowed",
            call.name
        );
        let mut finding = unit.finding(rule, call.expr, message);
        let known = unit.roots(container, call.node).iter().any(|root| !matches!(root, Root::Unknown));
        finding.confidence = if known && unit.is_callable() { Confidence::High } else { Confidence::Medium };
        finding.help = Some(
            "put Py_BEGIN_CRITICAL_SECTION on the dict around the whole loop (new in Python 3.13; pythoncapi-compat has it for older ones), leave it by 'break' and not by 'goto' or 'return', and take references to what is used after its end; or iterate over PyDict_Copy"
                .to_owned(),
        );
        out.push(finding);
    }
}

fn check_rust(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    for function in &facts.functions {
        for borrow in rust_borrow::unprotected(analysis, facts, function, rule.id) {
            let message = format!(
                "'{}' takes no lock: another thread can change the dict during the iteration, and the key and value it gives are borrowed",
                borrow.call.name
            );
            let mut finding = rust::finding(analysis, facts, rule, Some(function), borrow.call.name_span, message);
            finding.confidence = Confidence::Medium;
            finding.help = Some("iterate with PyDict::iter, which locks for each step (PyO3 0.23), or put the loop into pyo3::sync::critical_section::with_critical_section on the dict (pyo3::sync before PyO3 0.28)".to_owned());
            out.push(finding);
        }
    }
}
