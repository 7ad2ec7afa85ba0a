//! Types: which are Python objects, and which contain a lock.

use gilaudit_model::source::{Project, StructId, Type};

use super::index::Types;

/// Whether values of a type are Python objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Objectness {
    Object,
    /// Numbers, text, pointers, structs without an object's head.
    Plain,
    /// `void`, or a type that is not declared here.
    Unknown,
}

/// What a type without its pointers is.
pub(crate) fn objectness(project: &Project, types: &Types, ty: Type) -> Objectness {
    let base = project.text(ty.base);
    if is_object_name(base) {
        return Objectness::Object;
    }
    if let Some(id) = types.struct_named(project, ty.base) {
        let fields = &project.structs[id.0 as usize].fields;
        return match begins_with_object(project, types, id, 8) {
            true => Objectness::Object,
            false if fields.is_empty() => Objectness::Unknown,
            false => Objectness::Plain,
        };
    }
    let scalar = matches!(
        base,
        "char"
            | "short"
            | "int"
            | "long"
            | "float"
            | "double"
            | "bool"
            | "_Bool"
            | "wchar_t"
            | "size_t"
            | "ssize_t"
            | "Py_ssize_t"
            | "Py_hash_t"
            | "Py_UCS1"
            | "Py_UCS2"
            | "Py_UCS4"
            | "Py_UNICODE"
            | "intptr_t"
            | "uintptr_t"
    ) || ["unsigned ", "signed ", "long ", "short ", "int8", "int16", "int32", "int64", "uint"]
        .iter()
        .any(|prefix| base.starts_with(prefix));
    if scalar { Objectness::Plain } else { Objectness::Unknown }
}

/// The names that the C API gives to objects.
fn is_object_name(base: &str) -> bool {
    base.starts_with("Py") && base.ends_with("Object")
}

/// Whether a struct begins with an object's head, perhaps that of a struct at its beginning.
fn begins_with_object(project: &Project, types: &Types, id: StructId, fuel: u32) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    let defined = &project.structs[id.0 as usize];
    if defined.is_object {
        return true;
    }
    let first = defined.fields.first().filter(|field| field.ty.pointers == 0 && !field.ty.array);
    first.map(|field| field.ty.base).into_iter().chain(defined.bases.iter().copied()).any(|base| {
        is_object_name(project.text(base))
            || types.struct_named(project, base).is_some_and(|id| begins_with_object(project, types, id, fuel))
    })
}

/// The member of a struct that is a `PyMutex`, or contains one.
pub(crate) fn mutex_member(project: &Project, types: &Types, id: StructId) -> Option<usize> {
    mutex_within(project, types, id, 4)
}

fn mutex_within(project: &Project, types: &Types, id: StructId, fuel: u32) -> Option<usize> {
    let fuel = fuel.checked_sub(1)?;
    project.structs[id.0 as usize].fields.iter().position(|field| {
        field.ty.pointers == 0
            && !field.is_static
            && (project.text(field.ty.base) == "PyMutex"
                || types
                    .struct_named(project, field.ty.base)
                    .is_some_and(|inner| inner != id && mutex_within(project, types, inner, fuel).is_some()))
    })
}

/// The classes of pybind11, nanobind and Boost.Python that own a reference.
pub(crate) fn is_wrapper(base: &str) -> bool {
    let plain = base.split('<').next().unwrap_or(base).trim();
    let Some((space, name)) = plain.rsplit_once("::") else { return false };
    matches!(space, "py" | "pybind11" | "nb" | "nanobind" | "boost::python" | "bp")
        && matches!(
            name,
            "object"
                | "exception"
                | "str"
                | "dict"
                | "list"
                | "tuple"
                | "module_"
                | "type"
                | "function"
                | "handle_object"
                | "set"
                | "int_"
                | "bytes"
        )
}
