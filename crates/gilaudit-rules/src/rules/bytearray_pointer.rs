//! Flags a pointer into a bytearray that is used while others can resize it.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::borrow;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "bytearray-pointer",
    summary: "a pointer into a bytearray that is used while others can resize it",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("bytearray_pointer.md"),
    checks: &[Check::Function(check)],
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
