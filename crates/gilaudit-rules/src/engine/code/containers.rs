//! Dicts and lists that are walked through while others can change them, in machine code.

use gilaudit_model::flow::{Origin, StepKind};
use gilaudit_model::{Confidence, Finding};

use super::borrowed::list_items;
use super::container::shared;
use super::{Unit, steps};
use crate::Rule;

pub(crate) fn dict_next(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for call in unit.calls().filter(|call| !call.locked && matches!(call.name, "PyDict_Next" | "_PyDict_Next")) {
        let Some(shared) = call.arguments.first().and_then(|dict| shared(unit, *dict)) else { continue };
        let message = format!(
            "'{}' walks through a dict from {} and takes no lock: another thread can change it meanwhile, and the key and value it gives are borrowed",
            call.name, shared.from
        );
        let mut finding = unit.finding(rule, call.step.at, message);
        if shared.sure {
            finding.confidence = rule.confidence;
        }
        finding.help = Some(
            "put Py_BEGIN_CRITICAL_SECTION on the dict around the whole loop (new in Python 3.13; pythoncapi-compat has it for older ones), and take references to what is used after its end; or iterate over PyDict_Copy"
                .to_owned(),
        );
        out.push(finding);
    }
}

pub(crate) fn fast_items(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let Some(layout) = unit.file.code.layout else { return };
    let values = &unit.function.values;
    for call in unit.calls().filter(|call| !call.locked && call.name == "PySequence_Fast") {
        let Some(shared) = call.arguments.first().and_then(|original| shared(unit, *original)) else { continue };
        // `Py_BEGIN_CRITICAL_SECTION_SEQUENCE_FAST` locks what is a list, and nothing when it is no list.
        let original = call.arguments.first().copied();
        let guarded = steps(unit.function).any(|step| {
            matches!(&step.kind, StepKind::Lock { what, .. } if original.is_some_and(|original| what.contains(&original)))
        });
        if guarded {
            continue;
        }
        // Items are read where a list keeps them.
        let fast = Origin::Result(call.step.at);
        let is_items = |origin| match values.get(origin) {
            Origin::Member(of, Some(offset)) => *offset == list_items(layout) && values.get(*of) == &fast,
            _ => false,
        };
        let reads = unit.steps().find(|(step, locked)| {
            !locked
                && matches!(&step.kind, StepKind::Load { from, .. } if values.terms(*from).iter().any(|term| is_items(term.base)))
        });
        let handed_on = steps(unit.function).any(|step| {
            matches!(&step.kind, StepKind::Call { arguments, .. }
                if arguments.iter().any(|it| values.terms(*it).iter().any(|term| is_items(term.base))))
        });
        if reads.is_none() && !handed_on {
            continue;
        }
        let message = format!(
            "'PySequence_Fast' gives the very list it was given ({}), and its items are read without a lock: another thread can replace them meanwhile",
            shared.from
        );
        let mut finding = unit.finding(rule, call.step.at, message);
        finding.confidence = Confidence::Medium;
        finding.help = Some(
            "take a snapshot with PySequence_Tuple; or read each item with PySequence_GetItem and release it; or hold a critical section on the object that PySequence_Fast was given"
                .to_owned(),
        );
        out.push(finding);
    }
}
