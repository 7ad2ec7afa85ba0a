//! Members of objects that several threads count at once, in machine code.

use gilaudit_model::flow::{Origin, Role, StepKind};
use gilaudit_model::{Confidence, Finding};

use super::Unit;
use crate::Rule;

/// The size of `PyObject`: what is before it is the interpreter's.
const SMALLEST_HEAD: i64 = 0x10;

/// Counts of exported buffers: any thread can ask for a view of an object that it has, and release it.
pub(crate) fn buffer_count(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.function.role != Role::Buffer {
        return;
    }
    let head = if unit.is_free_threaded() { 0x20 } else { SMALLEST_HEAD };
    let values = &unit.function.values;
    for (step, locked) in unit.steps() {
        let StepKind::Update { place, by: Some(1 | -1 | 0xffff_ffff), atomic: false, .. } = &step.kind else {
            continue;
        };
        let own = values.terms(*place).iter().any(|term| {
            values.get(term.base) == &Origin::Parameter(0) && term.offset.is_some_and(|offset| offset >= head)
        });
        if locked || !own {
            continue;
        }
        let message = "the count of exported buffers is changed in several steps and without a lock: changes that two threads make at the same time are lost";
        let mut finding = unit.finding(rule, step.at, message.to_owned());
        finding.confidence = rule.confidence.max(Confidence::Medium);
        finding.help = Some(
            "put a critical section on the object around the change, and around everything that looks at the count; or make the count atomic"
                .to_owned(),
        );
        out.push(finding);
        return;
    }
}
