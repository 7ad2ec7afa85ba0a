//! Variables of the process that are written while Python code runs, in machine code.

use std::collections::BTreeMap;

use gilaudit_model::flow::{Callee, MadeBy, Origin, OriginId, Role, StepKind, Value};
use gilaudit_model::{Confidence, Finding};

use super::{Unit, steps};
use crate::Rule;

/// A write to a variable of the process, without a lock.
struct Write {
    step: u64,
    at: u64,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Plain,
    Counter,
    Object,
}

pub(crate) fn mutable_static(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for write in writes(unit) {
        if is_filled_once(unit, &write) {
            continue;
        }
        let what = match write.kind {
            Kind::Counter => "is counted without a lock: changes are lost",
            Kind::Object => {
                "is a reference that is replaced without a lock: the old object can be released twice, or used after it is gone"
            }
            Kind::Plain => "is written without a lock: other threads see the change at any time",
        };
        let Some(name) = unit.file.code.statics.get(&write.at) else { continue };
        let message = format!("'{name}' has one instance for the whole process and {what}");
        let mut finding = unit.finding(rule, write.step, message);
        finding.confidence = match write.kind {
            Kind::Counter | Kind::Object => Confidence::Medium,
            // A flag that a function of the module sets is what such a function is for, or what others trip over.
            Kind::Plain if !unit.function.names.is_empty() && unit.function.role == Role::Python => Confidence::Medium,
            Kind::Plain => Confidence::Low,
        };
        finding.help = Some(
            "make it const, local, or a member of the module state; or _Thread_local if each thread may have its own; or guard all accesses with one PyMutex (new in Python 3.13)"
                .to_owned(),
        );
        out.push(finding);
    }
}

pub(crate) fn lazy_static(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for write in writes(unit) {
        if !is_filled_once(unit, &write) {
            continue;
        }
        let Some(name) = unit.file.code.statics.get(&write.at) else { continue };
        let message = format!(
            "'{name}' is filled on first use without a lock: two threads can both find it empty and both fill it, and one object leaks or is used half made"
        );
        let mut finding = unit.finding(rule, write.step, message);
        finding.help = Some(
            "fill it in the module's Py_mod_exec slot, or keep it in the module state; or guard the test and the store with one PyMutex (new in Python 3.13)"
                .to_owned(),
        );
        out.push(finding);
    }
}

/// The most telling write to each variable.
fn writes(unit: &Unit<'_>) -> Vec<Write> {
    if unit.function.role == Role::Import || unit.function.made_by != MadeBy::Author || !unit.is_by_hand() {
        return Vec::new();
    }
    let mut known: BTreeMap<u64, Write> = BTreeMap::new();
    for (step, locked) in unit.steps().filter(|(_, locked)| !locked) {
        let (place, kind) = match &step.kind {
            StepKind::Store { to, value, width, atomic: false } if !locked => (*to, kind(unit, *value, *width)),
            StepKind::Update { place, by, atomic: false, .. } => {
                (*place, if by.is_some() { Kind::Counter } else { Kind::Plain })
            }
            _ => continue,
        };
        let [term] = unit.function.values.terms(place) else { continue };
        let (OriginId::IMAGE, Some(at)) = (term.base, term.offset) else { continue };
        let at = at.cast_unsigned();
        if !unit.file.code.statics.contains_key(&at) {
            continue;
        }
        let write = Write { step: step.at, at, kind };
        match known.get(&at) {
            Some(before) if before.kind >= kind => {}
            _ => {
                known.insert(at, write);
            }
        }
    }
    known.into_values().collect()
}

/// What is stored: an object of Python's, or something plain.
fn kind(unit: &Unit<'_>, value: Value, width: u8) -> Kind {
    let values = &unit.function.values;
    let is_object = width == 8
        && values.terms(value).iter().any(|term| match values.get(term.base) {
            Origin::Result(site) if term.offset == Some(0) => {
                unit.call_at(*site).is_some_and(|(name, _)| gives_object(name))
            }
            _ => false,
        });
    let is_referenced = width == 8
        && values.as_constant(value).is_none()
        && steps(unit.function).any(|step| matches!(&step.kind, StepKind::Incref(object) if *object == value));
    if is_object || is_referenced { Kind::Object } else { Kind::Plain }
}

/// Whether a function of the C API gives an object: what it is named for is none of the others.
fn gives_object(name: &str) -> bool {
    const OTHERS: [&str; 14] = [
        "Check",
        "Size",
        "AsLong",
        "AsDouble",
        "AsSsize",
        "AsUnsigned",
        "AsString",
        "AsUTF8",
        "Malloc",
        "Calloc",
        "Realloc",
        "Capsule_Import",
        "Thread_",
        "GetPointer",
    ];
    name.starts_with("Py") && !OTHERS.iter().any(|other| name.contains(other))
}

/// Whether the function writes an object to a variable that it has found empty.
fn is_filled_once(unit: &Unit<'_>, write: &Write) -> bool {
    let values = &unit.function.values;
    let is_it = |value: Value| {
        values.terms(value).iter().any(|term| {
            matches!(values.get(term.base), Origin::Member(OriginId::IMAGE, Some(at)) if at.cast_unsigned() == write.at)
        })
    };
    let tested = steps(unit.function).any(|step| match &step.kind {
        StepKind::Test { value, against, .. } => {
            is_it(*value) && (values.as_constant(*against) == Some(0) || value == against)
        }
        _ => false,
    });
    let released = steps(unit.function).any(|step| match &step.kind {
        StepKind::Decref(object) => is_it(*object),
        StepKind::Call { callee: Callee::Import(_), .. } => false,
        _ => false,
    });
    write.kind == Kind::Object && tested && !released
}
