//! Functions of the C library with state that threads share, in machine code.

use gilaudit_model::capi;
use gilaudit_model::{Confidence, Finding};

use super::Unit;
use crate::Rule;

pub(crate) fn libc(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for call in unit.calls().filter(|call| !call.locked) {
        let Some(known) = capi::unsafe_libc(call.name).filter(|known| !known.is_note) else { continue };
        let message = format!("'{}' is not safe in several threads: {}", call.name, known.reason);
        let mut finding = unit.finding(rule, call.step.at, message);
        finding.confidence = if unit.function.names.is_empty() { Confidence::Medium } else { rule.confidence };
        finding.help = Some(match known.replacement {
            "-" => "guard all calls of this family with one mutex".to_owned(),
            replacement => format!("use {replacement}, or guard all calls of this family with one mutex"),
        });
        out.push(finding);
    }
}
