//! References that a container owns, in machine code: calls that give one, and items of lists that are read without a call.

use gilaudit_model::capi;
use gilaudit_model::flow::{Origin, OriginId, StepKind, Term, Value};
use gilaudit_model::{Confidence, Finding, Layout};

use super::container::{Shared, shared};
use super::{Unit, steps};
use crate::Rule;

/// What is done with a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    Tested,
    Kept,
    Increfed,
}

pub(crate) fn borrowed(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for call in unit.calls().filter(|call| !call.locked) {
        let Some(api) = capi::borrowed(call.name).filter(|api| api.rule == rule.id) else { continue };
        let shared = match api.owner.and_then(|owner| call.arguments.get(owner).copied()) {
            Some(owner) => shared(unit, owner),
            None => match rule.id {
                // Anybody can remove a module, or give `sys` another attribute.
                "borrowed-module" => Some(Shared { from: "sys.modules", sure: false }),
                "borrowed-misc" if call.name.starts_with("PySys_") => {
                    Some(Shared { from: "the sys module", sure: false })
                }
                _ => None,
            },
        };
        let Some(shared) = shared else { continue };
        let used = usage(unit, &Origin::Result(call.step.at));
        if used == Use::Tested {
            continue;
        }
        let what = match used {
            Use::Increfed => "before its reference count is raised",
            _ => "while it is used",
        };
        let message = format!(
            "'{}' gives a borrowed reference from {}, and no lock is held: another thread can remove the object {what}",
            call.name, shared.from
        );
        let mut finding = unit.finding(rule, call.step.at, message);
        if shared.sure && used == Use::Increfed {
            finding.confidence = rule.confidence;
        }
        finding.help = Some(format!(
            "call {}, and release the strong reference on every way out; or hold a critical section on the container from the call to the last use",
            api.advice()
        ));
        out.push(finding);
    }
    // What a tool makes of `list[i]` is the tool's.
    let of_tool = matches!(unit.function.made_by, gilaudit_model::flow::MadeBy::Generator(_));
    if rule.id == "borrowed-list-item" && (of_tool || unit.is_by_hand()) {
        items(unit, rule, out);
    }
}

/// What is done with everything that is this origin.
pub(super) fn usage(unit: &Unit<'_>, origin: &Origin) -> Use {
    let mut used = Use::Tested;
    for step in steps(unit.function) {
        let this = match &step.kind {
            StepKind::Incref(object) if unit.is(*object, origin) => Use::Increfed,
            StepKind::Return(value) if unit.is(*value, origin) => Use::Kept,
            StepKind::Store { value, .. } if unit.is(*value, origin) => Use::Kept,
            StepKind::Call { arguments, .. } if arguments.iter().take(3).any(|it| unit.is(*it, origin)) => Use::Kept,
            StepKind::Load { from, .. } => {
                let values = &unit.function.values;
                let reads = values.terms(*from).iter().any(|term| values.get(term.base) == origin);
                if reads { Use::Kept } else { Use::Tested }
            }
            _ => Use::Tested,
        };
        used = used.max(this);
    }
    used
}

/// Where lists keep the address of their items. CPython 3.13 to 3.15, `Include/cpython/listobject.h`, behind `PyVarObject`.
pub(super) fn list_items(layout: Layout) -> i64 {
    match layout {
        Layout::FreeThreaded => 0x28,
        Layout::Gil => 0x18,
    }
}

/// The containers whose item this term is: what is behind a pointer that is where a list has it.
fn list_of(unit: &Unit<'_>, term: &Term, layout: Layout) -> Option<OriginId> {
    let values = &unit.function.values;
    let Origin::Member(items, _) = values.get(term.base) else { return None };
    match values.get(*items) {
        Origin::Member(list, Some(offset)) if *offset == list_items(layout) => Some(*list),
        _ => None,
    }
}

/// Items of lists that are read as `PyList_GET_ITEM` does, and to which references are made.
fn items(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let Some(layout) = unit.file.code.layout else { return };
    let mut known: Vec<OriginId> = Vec::new();
    for (step, locked) in unit.steps().filter(|(_, locked)| !locked) {
        let StepKind::Load { result, .. } = &step.kind else { continue };
        for term in unit.function.values.terms(*result).to_vec() {
            let Some(list) = list_of(unit, &term, layout) else { continue };
            if locked || known.contains(&list) || !is_list(unit, list, layout) {
                continue;
            }
            let origin = unit.function.values.get(term.base);
            let used = usage(unit, origin);
            let Some(shared) = of_origin(unit, list) else { continue };
            if used == Use::Tested {
                continue;
            }
            known.push(list);
            let message = format!(
                "an item of a list from {} is used through the reference that the list owns, and no lock is held: another thread can remove the item meanwhile",
                shared.from
            );
            let mut finding = unit.finding(rule, step.at, message);
            finding.confidence = Confidence::Medium;
            finding.help = Some(
                "call PyList_GetItemRef (new in Python 3.13; pythoncapi-compat has it for older ones) in the place of PyList_GET_ITEM, and release the strong reference on every way out; or hold a critical section on the list"
                    .to_owned(),
            );
            out.push(finding);
        }
    }
}

/// Who else has what this origin is.
fn of_origin(unit: &Unit<'_>, origin: OriginId) -> Option<Shared> {
    value_of(unit, origin).and_then(|value| shared(unit, value))
}

/// A value that is just this origin, if a step has one.
fn value_of(unit: &Unit<'_>, origin: OriginId) -> Option<Value> {
    let is = |value: &Value| matches!(unit.function.values.terms(*value), [term] if term.base == origin && term.offset == Some(0));
    // The values of a function are few and numbered from zero.
    (0..u32::try_from(unit.function.values.size()).unwrap_or(u32::MAX)).map(Value).find(is)
}

/// Bits of `tp_flags`, and where types keep them. CPython 3.13 to 3.15, `Include/object.h`: `Py_TPFLAGS_LIST_SUBCLASS`.
const LIST_SUBCLASS: i64 = 1 << 25;

/// Whether the function itself has seen that this is a list: by its type's flags, or by asking the C API.
fn is_list(unit: &Unit<'_>, list: OriginId, layout: Layout) -> bool {
    let values = &unit.function.values;
    let (ob_type, tp_flags) = match layout {
        Layout::FreeThreaded => (0x18, 0xb8),
        Layout::Gil => (0x8, 0xa8),
    };
    let is_type =
        |origin: OriginId| matches!(values.get(origin), Origin::Member(of, Some(at)) if *of == list && *at == ob_type);
    if unit.function.made_by == gilaudit_model::flow::MadeBy::Generator(gilaudit_model::Framework::Mypyc) {
        // mypyc's functions are named for what they are given.
        return unit.function.symbol.as_deref().is_some_and(|symbol| symbol.starts_with("CPyList_"));
    }
    steps(unit.function).any(|step| match &step.kind {
        StepKind::Test { value, against, bits: true } => {
            let mask = values.as_constant(*against);
            values.terms(*value).iter().any(|term| match values.get(term.base) {
                Origin::Member(of, Some(at)) if is_type(*of) => {
                    let wanted = LIST_SUBCLASS >> (8 * (at - tp_flags)).clamp(0, 32);
                    (tp_flags..tp_flags + 4).contains(at) && mask.is_some_and(|mask| mask & wanted != 0)
                }
                _ => false,
            })
        }
        StepKind::Test { value, against, bits: false } => {
            let is_list_type = |value: &Value| {
                values.terms(*value).iter().any(|term| match values.get(term.base) {
                    Origin::Import(import) => {
                        unit.file.code.imports.get(*import as usize).is_some_and(|name| name == "PyList_Type")
                    }
                    _ => false,
                })
            };
            let of_it = |value: &Value| values.terms(*value).iter().any(|term| is_type(term.base));
            of_it(value) && is_list_type(against) || of_it(against) && is_list_type(value)
        }
        StepKind::Call { callee, arguments, .. } => {
            let name = unit.name(callee);
            let first = arguments.first().map(|first| values.terms(*first)).unwrap_or_default();
            name.starts_with("PyList_") && first.iter().any(|term| term.base == list && term.offset == Some(0))
        }
        _ => false,
    })
}
