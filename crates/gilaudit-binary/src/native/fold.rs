//! Accesses and calls that stand for something else: references taken and given up, locks.
//!
//! Nothing here knows an architecture. Layouts: CPython 3.13 to 3.15, `Include/object.h` and `Include/refcount.h`.

use gilaudit_model::Layout;
use gilaudit_model::capi::{self, LockFamily};
use gilaudit_model::flow::{LockKind, Origin, OriginId, StepKind, Term, Value, Values};

use super::context::Context;

/// Offsets of `ob_ref_local` and `ob_ref_shared` in objects of free-threaded builds.
const REF_LOCAL: i64 = 0xc;
const REF_SHARED: i64 = 0x10;

/// What one reference is in `ob_ref_shared`: `1 << _Py_REF_SHARED_SHIFT`.
const SHARED_ONE: i64 = 4;

/// A store, or what it stands for.
pub(super) fn store(
    context: &Context<'_, '_>,
    values: &mut Values,
    place: Value,
    width: u8,
    value: Value,
    atomic: bool,
) -> Vec<StepKind> {
    // What was there before, and a number more: a change in three instructions.
    let by = match values.terms(place) {
        [Term { base, offset: Some(offset) }] => {
            let (base, offset) = (*base, *offset);
            let before = values.origin(Origin::Member(base, Some(offset)));
            let changed = values.terms(value).iter().find(|term| term.base == before && before != OriginId::UNKNOWN);
            changed.and_then(|term| term.offset).filter(|by| *by != 0)
        }
        _ => None,
    };
    match by {
        Some(by) => vec![update(context, values, place, width, Some(by), atomic)],
        None => vec![StepKind::Store { to: place, width, value, atomic }],
    }
}

/// A change of memory, or what it stands for.
pub(super) fn update(
    context: &Context<'_, '_>,
    values: &mut Values,
    place: Value,
    width: u8,
    by: Option<i64>,
    atomic: bool,
) -> StepKind {
    let other = StepKind::Update { place, width, by, atomic };
    // The count as a signed number of its width: what is added to 32 bits may be given as 32 bits.
    let by = match (by, width) {
        (Some(0xffff_ffff), 4) => -1,
        (Some(by), _) => by,
        (None, _) => return other,
    };
    let distance = match (context.layout, width) {
        (Some(Layout::FreeThreaded), 4) if by.abs() == 1 => REF_LOCAL,
        (Some(Layout::FreeThreaded), 8) if by.abs() == SHARED_ONE && atomic => REF_SHARED,
        (Some(Layout::Gil), 4 | 8) if by.abs() == 1 && !atomic => 0,
        _ => return other,
    };
    let terms: Vec<Term> = values.terms(place).to_vec();
    let is_count = !terms.is_empty()
        && terms.iter().all(|term| match (term.base, term.offset) {
            (OriginId::IMAGE, Some(at)) => is_static_object(context, at - distance),
            (OriginId::FRAME | OriginId::THREAD | OriginId::CONSTANT, _) => false,
            (OriginId::UNKNOWN, _) => true,
            (base, Some(at)) => at == distance && !matches!(values.get(base), Origin::Array(_)),
            (_, None) => false,
        });
    if !is_count {
        return other;
    }
    let object = values.shift(place, -distance);
    if by > 0 { StepKind::Incref(object) } else { StepKind::Decref(object) }
}

/// Whether an object is laid out in the file here: its count says that it never ends, or that there is one reference.
fn is_static_object(context: &Context<'_, '_>, at: i64) -> bool {
    let at = at.cast_unsigned();
    match context.layout {
        Some(Layout::FreeThreaded) => context.image.number(at.wrapping_add(0xc), 4) == Some(0xffff_ffff),
        _ => {
            let count = context.image.number(at, 4);
            let is_number = context.image.cells().get(at).is_none();
            is_number && matches!(count, Some(1 | 0x3fff_ffff | 0xffff_ffff | 0xc000_0000))
        }
    }
}

/// `cmpxchg`: one byte from 0 to 1 and back is `PyMutex_Lock` and `PyMutex_Unlock`. CPython 3.13 to 3.15, `Include/cpython/lock.h`.
pub(super) fn compare_and_exchange(values: &Values, place: Value, width: u8, expected: Value, new: Value) -> StepKind {
    let kind = LockKind::Family(LockFamily::PyMutex);
    match (width, values.as_constant(expected), values.as_constant(new)) {
        (1, Some(0), Some(1)) => StepKind::Lock { kind, what: vec![place], token: place },
        (1, Some(1), Some(0)) => StepKind::Unlock { kind, token: place },
        _ => StepKind::Store { to: place, width, value: new, atomic: true },
    }
}

/// What a call of this name returns, when that is an argument.
pub(super) fn returned(name: &str, arguments: &[Value], result: Value) -> Value {
    match name {
        "Py_NewRef" | "Py_XNewRef" | "_Py_NewRef" | "_Py_XNewRef" => arguments.first().copied().unwrap_or(result),
        _ => result,
    }
}

/// What else a call of this name does.
pub(super) fn call(name: &str, arguments: &[Value]) -> Vec<StepKind> {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(Value::UNKNOWN);
    let section = LockKind::Family(LockFamily::Section);
    match name {
        "Py_IncRef" | "_Py_IncRef" | "Py_NewRef" | "Py_XNewRef" | "_Py_NewRef" | "_Py_XNewRef" => {
            vec![StepKind::Incref(argument(0))]
        }
        "Py_DecRef" | "_Py_DecRef" | "_Py_Dealloc" | "_Py_DecRefShared" | "_Py_MergeZeroLocalRefcount" => {
            vec![StepKind::Decref(argument(0))]
        }
        "PyCriticalSection_Begin" | "PyCriticalSection_BeginMutex" => {
            vec![StepKind::Lock { kind: section, what: vec![argument(1)], token: argument(0) }]
        }
        "PyCriticalSection2_Begin" | "PyCriticalSection2_BeginMutex" => {
            vec![StepKind::Lock { kind: section, what: vec![argument(1), argument(2)], token: argument(0) }]
        }
        "PyCriticalSection_End" | "PyCriticalSection2_End" => {
            vec![StepKind::Unlock { kind: section, token: argument(0) }]
        }
        "__cxa_guard_acquire" => {
            vec![StepKind::Lock { kind: LockKind::Once, what: vec![argument(0)], token: argument(0) }]
        }
        "__cxa_guard_release" | "__cxa_guard_abort" => {
            vec![StepKind::Unlock { kind: LockKind::Once, token: argument(0) }]
        }
        _ => match capi::lock_primitive(name).filter(|primitive| primitive.family.is_lock() && !primitive.method) {
            Some(primitive) => {
                let kind = LockKind::Family(primitive.family);
                let token = argument(primitive.object.unwrap_or(0));
                if primitive.acquires {
                    vec![StepKind::Lock { kind, what: vec![token], token }]
                } else {
                    vec![StepKind::Unlock { kind, token }]
                }
            }
            None => Vec::new(),
        },
    }
}

/// Whether a call of this name stores nothing where its arguments point: what is released, compared or formatted.
pub(super) fn keeps_frame(name: &str) -> bool {
    name.starts_with("PyCriticalSection")
        || matches!(
            name,
            "Py_DecRef" | "_Py_DecRef" | "Py_IncRef" | "_Py_IncRef" | "free" | "PyMem_Free" | "__stack_chk_fail"
        )
}

/// Whether a function takes any number of addresses to store at.
pub(super) fn takes_many(name: &str) -> bool {
    name.starts_with("PyArg_") || name.starts_with("_PyArg_") || name.starts_with("PyErr_Fetch")
}
