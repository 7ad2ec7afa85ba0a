//! Who else has a container: that decides whether a reference borrowed from it is safe, not what is done with the reference.
//!
//! Measured on extensions whose sources were at hand: what Python code hands in, and what the process keeps, is changed by others; the
//! dict of keywords, what a call has just made, and members that are set once are not.

use std::collections::BTreeSet;

use gilaudit_model::capi;
use gilaudit_model::flow::{Callee, Code, Origin, OriginId, Parameter, Reach, Role, StepKind, Term, Value};

use super::{Unit, steps};

/// A container that others can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shared {
    /// Where it comes from, in words.
    pub(super) from: &'static str,
    /// Whether that is sure.
    pub(super) sure: bool,
}

/// What one origin of a container says.
enum Class {
    Shared(Shared),
    /// Nobody else has it.
    Private,
    /// Says nothing.
    Silent,
}

/// How far a chain of containers is followed.
const DEEPEST: u8 = 4;

/// Who else has this container, if that is known.
pub(super) fn shared(unit: &Unit<'_>, value: Value) -> Option<Shared> {
    classify(unit, value, DEEPEST)
}

fn classify(unit: &Unit<'_>, value: Value, depth: u8) -> Option<Shared> {
    let mut found: Option<Shared> = None;
    for term in unit.function.values.terms(value) {
        match class(unit, term, depth) {
            Class::Private => return None,
            Class::Silent => {}
            Class::Shared(shared) => found = Some(found.filter(|known| !known.sure).unwrap_or(shared)),
        }
    }
    found
}

fn sure(from: &'static str) -> Class {
    Class::Shared(Shared { from, sure: true })
}

fn class(unit: &Unit<'_>, term: &Term, depth: u8) -> Class {
    let values = &unit.function.values;
    match values.get(term.base) {
        Origin::Parameter(index) if term.offset == Some(0) => parameter(unit, *index),
        Origin::Stored(site, _) => match unit.call_at(*site) {
            Some((name, _)) if name.starts_with("PyArg_") || name.starts_with("_PyArg_") => {
                if unit.function.role == Role::LifeCycle {
                    return Class::Silent;
                }
                sure("an argument")
            }
            _ => Class::Silent,
        },
        Origin::Result(site) if term.offset == Some(0) => result(unit, *site, depth),
        Origin::Member(OriginId::IMAGE, Some(_)) => sure("a variable of the process"),
        Origin::Member(of, offset) => member(unit, *of, *offset),
        _ => Class::Silent,
    }
}

fn parameter(unit: &Unit<'_>, index: u8) -> Class {
    if unit.function.role == Role::LifeCycle {
        return Class::Private;
    }
    match unit.function.parameters.get(usize::from(index)).copied().unwrap_or(Parameter::Unknown) {
        Parameter::Keywords | Parameter::Private | Parameter::Arguments | Parameter::KeywordNames => Class::Private,
        Parameter::Argument => sure("an argument"),
        Parameter::Itself => sure("the object itself"),
        Parameter::Unknown if unit.function.names.is_empty() => sure("an argument of the function"),
        Parameter::Unknown | Parameter::Other | Parameter::Type | Parameter::ArgumentArray => Class::Silent,
    }
}

fn result(unit: &Unit<'_>, site: u64, depth: u8) -> Class {
    let Some((name, arguments)) = unit.call_at(site) else { return Class::Silent };
    match name {
        "PyImport_GetModuleDict" => return sure("sys.modules"),
        "PySys_GetObject" => return sure("the sys module"),
        "PyTuple_GetItem" | "PyTuple_GET_ITEM" if is_arguments(unit, arguments) => return sure("an argument"),
        _ => {}
    }
    let owner = capi::borrowed(name).and_then(|api| arguments.get(api.owner?).copied());
    match owner.filter(|_| depth > 0).and_then(|owner| classify(unit, owner, depth - 1)) {
        Some(shared) => Class::Shared(shared),
        // What a call gives here is mostly what it has made.
        None => Class::Silent,
    }
}

fn is_arguments(unit: &Unit<'_>, arguments: &[Value]) -> bool {
    let of_function = |term: &Term| match unit.function.values.get(term.base) {
        Origin::Parameter(index) => unit.function.parameters.get(usize::from(*index)) == Some(&Parameter::Arguments),
        _ => false,
    };
    unit.function.role != Role::LifeCycle
        && arguments.first().is_some_and(|first| unit.function.values.terms(*first).iter().any(of_function))
}

fn member(unit: &Unit<'_>, of: OriginId, offset: Option<i64>) -> Class {
    let Origin::Parameter(index) = unit.function.values.get(of) else { return Class::Silent };
    if unit.function.role == Role::LifeCycle {
        return Class::Silent;
    }
    match (unit.function.parameters.get(usize::from(*index)), offset) {
        (Some(Parameter::ArgumentArray), _) => sure("an argument"),
        // CPython 3.13 to 3.15, `Include/cpython/tupleobject.h`: no layout has an item before this.
        (Some(Parameter::Arguments), Some(offset)) if offset >= 0x18 => sure("an argument"),
        (Some(Parameter::Itself | Parameter::Unknown | Parameter::Argument) | None, Some(offset))
            if unit.file.changed.contains(&offset) =>
        {
            Class::Shared(Shared { from: "a member that other code of the module changes", sure: false })
        }
        _ => Class::Silent,
    }
}

/// Calls that change the container that is their first argument.
fn changes(name: &str) -> bool {
    matches!(
        name,
        "PyList_Append"
            | "PyList_Insert"
            | "PyList_SetItem"
            | "PyList_SetSlice"
            | "PyList_Clear"
            | "PyList_Extend"
            | "PyDict_SetItem"
            | "PyDict_SetItemString"
            | "PyDict_DelItem"
            | "PyDict_DelItemString"
            | "PyDict_Clear"
            | "PyDict_Pop"
            | "PyDict_Update"
            | "PyDict_SetDefault"
    )
}

/// The distances of members that hold containers which the module changes, outside of what runs while an object is made.
pub(super) fn changed_members(code: &Code) -> BTreeSet<i64> {
    let mut changed = BTreeSet::new();
    for function in code.functions.iter().filter(|it| it.role != Role::LifeCycle && it.reach == Reach::Python) {
        for step in steps(function) {
            let StepKind::Call { callee: Callee::Import(import), arguments, .. } = &step.kind else { continue };
            if !code.imports.get(*import as usize).is_some_and(|name| changes(name)) {
                continue;
            }
            for term in arguments.first().into_iter().flat_map(|first| function.values.terms(*first)) {
                if let Origin::Member(of, Some(offset)) = function.values.get(term.base)
                    && matches!(function.values.get(*of), Origin::Parameter(_))
                {
                    changed.insert(*offset);
                }
            }
        }
    }
    changed
}
