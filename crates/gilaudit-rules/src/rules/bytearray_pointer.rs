//! Flags a pointer into a bytearray that is used while others can resize it.

use gilaudit_model::source::rust::RustFile;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::{Analysis, Unit};
use crate::engine::borrow;
use crate::engine::rust;
use crate::engine::rust_borrow;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "bytearray-pointer",
    summary: "a pointer into a bytearray that is used while others can resize it",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("bytearray_pointer.md"),
    checks: &[Check::Function(check), Check::Rust(check_rust)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for borrow in borrow::unprotected(unit, rule.id) {
        let mut finding = unit.finding(
            rule,
            borrow.call.expr,
            format!(
                "'{}' gives a pointer into memory that another thread can free by resizing the bytearray",
                borrow.call.name
            ),
        );
        finding.confidence = if unit.is_callable() { Confidence::Medium } else { Confidence::Low };
        finding.help = Some("get a Py_buffer with PyObject_GetBuffer, which keeps the bytearray from being resized; or hold a critical section on it".to_owned());
        out.push(finding);
    }
}

fn check_rust(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    for function in &facts.functions {
        let by_api = rust_borrow::unprotected(analysis, facts, function, rule.id).into_iter().map(|borrow| borrow.call);
        // `PyByteArray::as_bytes` is unsafe for this reason; on other types the method is harmless.
        let by_method = function.calls.iter().filter(|call| {
            let name = call.receiver.map(|receiver| rust::root(rust::text(analysis, facts, receiver)));
            matches!(&*call.name, "as_bytes" | "as_bytes_mut" | "data")
                && name
                    .and_then(|name| rust_borrow::local(function, name, call.span))
                    .is_some_and(|local| local.ty.mentions("PyByteArray") && !local.ty.mentions("PyBytes"))
                && !rust::is_locked(analysis, facts, function, call.span, &call.inside)
        });
        for call in by_api.chain(by_method) {
            let message = format!(
                "'{}' gives a pointer into memory that another thread can free by resizing the bytearray",
                call.name
            );
            let mut finding = rust::finding(analysis, facts, rule, Some(function), call.name_span, message);
            finding.help = Some("copy it with to_vec inside pyo3::sync::critical_section::with_critical_section on the bytearray (pyo3::sync before PyO3 0.28), or get a PyBuffer, which keeps it from being resized".to_owned());
            out.push(finding);
        }
    }
}
