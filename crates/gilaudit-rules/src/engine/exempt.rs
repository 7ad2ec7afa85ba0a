//! The exemptions that rules share (E1 to E16 of the catalogue): why something that looks like a bug is none.
//!
//! Some are no tests here because they hold everywhere: E1 (conditionals are selected before anything is lowered), E2, E6, E11 (the
//! index: [`Unit::is_init`], [`Unit::is_lock_held`], [`Unit::is_lifecycle`]), E7 (the index marks atomic accesses), E12 (polyfills are
//! inactive code or listed in [`is_polyfill`]), E15 ([`Unit::is_unparsed`]).

use gilaudit_model::source::{ExprId, ExprKind, Type};

use super::analysis::Unit;
use super::api::{self, LockFamily};
use super::cfg::NodeId;
use super::index::{Passed, Role, is_threads_own, passed};
use super::values::{Base, Root, callee};

/// E3: the container was made in this function and nobody else has it yet.
pub(crate) fn is_fresh(unit: &Unit<'_>, container: ExprId, at: NodeId) -> bool {
    if matches!(passed(unit, container, at), Passed::Parameter(position) if unit.is_private_parameter(position)) {
        return true;
    }
    let roots = unit.roots(container, at);
    let made: Vec<ExprId> = roots
        .iter()
        .filter_map(|root| match root {
            Root::Call(call) => Some(*call),
            _ => None,
        })
        .collect();
    let all_fresh = !made.is_empty()
        && roots.iter().all(|root| match root {
            Root::Call(call) => unit.makes(*call) || is_threads_own(unit, *call),
            Root::Constant => true,
            _ => false,
        });
    all_fresh && !unit.local(container).is_some_and(|local| is_published(unit, local, at))
}

/// E3 for C++: the object is `this`, of a class whose objects are only automatic variables.
pub(crate) fn is_automatic_this(unit: &Unit<'_>, object: ExprId) -> bool {
    let is_this = matches!(unit.kind(unit.strip(object)), ExprKind::Name(name) if unit.text(name) == "this");
    is_this && unit.function.class.is_some_and(|class| unit.analysis.is_automatic(class))
}

/// Whether a local's object was stored where others can find it, before `at`.
fn is_published(unit: &Unit<'_>, local: gilaudit_model::source::LocalId, at: NodeId) -> bool {
    let before = unit.cfg.before(at, |_| false);
    unit.body.exprs.iter().enumerate().any(|(index, expr)| {
        let id = ExprId(index as u32);
        let stored = match expr.kind {
            ExprKind::Assign { op: None, target, value } => {
                unit.local(value) == Some(local)
                    && match unit.kind(unit.strip(target)) {
                        ExprKind::Field { .. } | ExprKind::Name(_) => true,
                        ExprKind::Local(target) => unit.body.locals[target.0 as usize].is_static,
                        _ => false,
                    }
            }
            ExprKind::Call { args, .. } => {
                let publishes = matches!(
                    callee(unit.body, id).map_or("", |name| unit.text(name)),
                    "PyModule_AddObject"
                        | "PyModule_AddObjectRef"
                        | "PyModule_Add"
                        | "PyObject_SetAttr"
                        | "PyObject_SetAttrString"
                        | "PyDict_SetItem"
                        | "PyDict_SetItemString"
                        | "PyList_Append"
                        | "PyList_SetItem"
                );
                publishes && unit.body.list(args).iter().skip(1).any(|arg| unit.local(*arg) == Some(local))
            }
            _ => false,
        };
        stored && unit.cfg.node_of(id).is_some_and(|node| before.binary_search(&node).is_ok())
    })
}

/// E4: the tuple or dict of a call's own arguments, which the caller made for this call.
pub(crate) fn is_call_arguments(unit: &Unit<'_>, container: ExprId, at: NodeId) -> bool {
    let roots = unit.roots(container, at);
    !roots.is_empty()
        && roots.iter().all(|root| match root {
            Root::Parameter(position) => is_argument_parameter(unit, *position),
            Root::Constant => true,
            _ => false,
        })
}

fn is_argument_parameter(unit: &Unit<'_>, position: u32) -> bool {
    let index = &unit.analysis.index;
    let by_role = index.roles_of(unit.function.name).iter().any(|role| match role {
        Role::Method(flags) => {
            let has = |flag: &str| flags.iter().any(|name| unit.text(*name) == flag);
            position >= 1 && (has("METH_VARARGS") || has("METH_FASTCALL"))
        }
        Role::Slot(slot) => {
            matches!(slot.as_str(), "tp_new" | "tp_init" | "tp_call" | "tp_vectorcall") && position >= 1
        }
        _ => false,
    });
    let name = unit.parameter(position).map_or("", |local| unit.text(unit.body.locals[local.0 as usize].name));
    by_role || matches!(name, "kw" | "kwds" | "kwargs" | "keywds" | "kwnames" | "kwarg" | "keywords" | "kws")
}

/// E5 and E6 for a container: the lock that is held is the container's own, that of an object it belongs to, or a mutex.
///
/// A mutex is not tied to an object, so any is taken to guard what is done under it.
pub(crate) fn is_container_locked(unit: &Unit<'_>, container: ExprId, at: NodeId) -> bool {
    if unit.is_lock_held() {
        return true;
    }
    let place = unit.path(container);
    unit.locks.held(at).any(|lock| match lock.family {
        LockFamily::Section => match (&lock.path, &place) {
            (Some(locked), Some(place)) => locked.base == place.base && place.fields.starts_with(&locked.fields),
            // What is locked, or what is read, could not be followed: believe the author.
            _ => true,
        },
        family => family.is_lock(),
    })
}

/// E9: data that never changes.
pub(crate) fn is_constant(ty: &Type) -> bool {
    ty.constant || ty.constant_base && ty.pointers == 0
}

/// E10: tables that define modules, types and methods; the interpreter writes to some of them, under its own locks.
pub(crate) fn is_definition_table(base: &str) -> bool {
    matches!(
        base,
        "PyMethodDef"
            | "PyGetSetDef"
            | "PyMemberDef"
            | "PyModuleDef"
            | "PyModuleDef_Slot"
            | "PyModuleDef_Base"
            | "PyType_Spec"
            | "PyType_Slot"
            | "PySlot"
            | "PyTypeObject"
            | "PyHeapTypeObject"
            | "PyNumberMethods"
            | "PySequenceMethods"
            | "PyMappingMethods"
            | "PyAsyncMethods"
            | "PyBufferProcs"
            | "PyStructSequence_Desc"
            | "PyStructSequence_Field"
            | "PyABIInfo"
            | "_PyArg_Parser"
            | "PyASCIIObject"
            | "_PyArg_ParserTable"
            | "wrapperbase"
    ) || base.ends_with("Methods") && base.starts_with("Py")
}

/// E8: one for every thread.
pub(crate) fn is_thread_local(base: &str) -> bool {
    base == "Py_tss_t" || base == "Py_ssize_t_tls"
}

/// E8 for a container: it is reached through a variable of which every thread has its own.
pub(crate) fn is_reached_by_thread(unit: &Unit<'_>, container: ExprId) -> bool {
    match unit.path(container).map(|path| path.base) {
        Some(Base::Name(name)) => {
            let file = unit.function.file;
            let globals = &unit.analysis.project.globals;
            let mut known =
                globals.iter().filter(|it| it.name == name && (!it.is_static || it.file == file)).peekable();
            known.peek().is_some() && known.all(|it| it.thread_local)
        }
        Some(Base::Local(local)) => unit.body.locals.get(local.0 as usize).is_some_and(|it| it.thread_local),
        Some(Base::Call(_)) | None => false,
    }
}

/// E12: a function that the project brings along for older Pythons: it has the name of one that CPython has.
pub(crate) fn is_polyfill(unit: &Unit<'_>) -> bool {
    let name = unit.name();
    is_polyfill_file(&unit.file().path)
        || api::is_exported(name)
        || ["_compat", "Compat_", "compat_"].iter().any(|part| name.contains(part)) && name.contains("Py")
}

/// E12 for a whole file: pythoncapi-compat, of which many projects carry a copy.
pub(crate) fn is_polyfill_file(path: &str) -> bool {
    path.ends_with("pythoncapi_compat.h") || path.contains("upgrade_pythoncapi")
}

/// E13: a container that the policy calls frozen.
pub(crate) fn is_frozen(unit: &Unit<'_>, container: ExprId) -> bool {
    if unit.analysis.options.frozen.is_empty() {
        return false;
    }
    let plain = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let text = plain(unit.source(container));
    // A local stands for what it was set to.
    let resolved = unit
        .local(container)
        .and_then(|local| unit.values.only_value(unit.body, local))
        .map(|value| plain(unit.source(unit.strip(value))));
    unit.analysis
        .options
        .frozen
        .iter()
        .map(|pattern| plain(pattern))
        .any(|pattern| matches(&pattern, &text) || resolved.as_deref().is_some_and(|text| matches(&pattern, text)))
}

/// Whether `text` is what `pattern` says; `*` is any text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or("")) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at.saturating_add(part.len())..).unwrap_or_default();
    }
    rest.ends_with(last)
}

/// E14: the object was just checked to be a tuple, whose items nobody can change: `PyTuple_Check(x)` on the way to `at`.
pub(crate) fn is_checked_tuple(unit: &Unit<'_>, object: ExprId) -> bool {
    unit.calls().any(|call| {
        matches!(call.name, "PyTuple_Check" | "PyTuple_CheckExact")
            && call.args.first().is_some_and(|checked| unit.same(*checked, object))
    })
}

/// E16: runs on one thread only: a callback of a signal handler or of `Py_AddPendingCall`, or `main`.
pub(crate) fn is_single_threaded(unit: &Unit<'_>) -> bool {
    matches!(unit.name(), "main" | "wmain" | "WinMain" | "DllMain" | "LLVMFuzzerTestOneInput" | "LLVMFuzzerInitialize")
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns() {
        assert!(matches("*->fields", "PyArray_DESCR(x)->fields"));
        assert!(matches("f(*)", "f(a,b)"));
        assert!(matches("a", "a") && !matches("a", "ab") && !matches("*a", "ab"));
    }
}
