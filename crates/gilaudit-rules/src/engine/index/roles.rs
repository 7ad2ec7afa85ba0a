//! How Python (or the import machinery) reaches a function: what the definition tables say.

use std::collections::HashMap;

use gilaudit_model::source::{Body, ExprId, ExprKind, Name, Project, Type, UnaryOp};

use crate::engine::values::strip;

/// What a function is for the interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// In a `PyMethodDef`; the flags as names.
    Method(Vec<Name>),
    /// In a `PyGetSetDef`.
    Getter,
    /// In a `PyGetSetDef`.
    Setter,
    /// A slot of a type: `tp_dealloc`, `bf_getbuffer`.
    Slot(String),
    /// `Py_mod_exec`, `Py_mod_create`
    ModuleInit,
    /// `m_clear`, `m_free`, `m_traverse`
    ModuleState,
    /// Somewhere else in a table.
    Table,
}

/// The members of `PyTypeObject` in order (CPython 3.15 Include/cpython/object.h), after the head.
const TYPE_SLOTS: [&str; 49] = [
    "ob_base",
    "tp_name",
    "tp_basicsize",
    "tp_itemsize",
    "tp_dealloc",
    "tp_vectorcall_offset",
    "tp_getattr",
    "tp_setattr",
    "tp_as_async",
    "tp_repr",
    "tp_as_number",
    "tp_as_sequence",
    "tp_as_mapping",
    "tp_hash",
    "tp_call",
    "tp_str",
    "tp_getattro",
    "tp_setattro",
    "tp_as_buffer",
    "tp_flags",
    "tp_doc",
    "tp_traverse",
    "tp_clear",
    "tp_richcompare",
    "tp_weaklistoffset",
    "tp_iter",
    "tp_iternext",
    "tp_methods",
    "tp_members",
    "tp_getset",
    "tp_base",
    "tp_dict",
    "tp_descr_get",
    "tp_descr_set",
    "tp_dictoffset",
    "tp_init",
    "tp_alloc",
    "tp_new",
    "tp_free",
    "tp_is_gc",
    "tp_bases",
    "tp_mro",
    "tp_cache",
    "tp_subclasses",
    "tp_weaklist",
    "tp_del",
    "tp_version_tag",
    "tp_finalize",
    "tp_vectorcall",
];

/// The members of the other definition structs in order (same headers).
fn members(base: &str) -> &'static [&'static str] {
    match base {
        "PyTypeObject" => &TYPE_SLOTS,
        "PyBufferProcs" => &["bf_getbuffer", "bf_releasebuffer"],
        "PyModuleDef" => {
            &["m_base", "m_name", "m_doc", "m_size", "m_methods", "m_slots", "m_traverse", "m_clear", "m_free"]
        }
        "PySequenceMethods" => &[
            "sq_length",
            "sq_concat",
            "sq_repeat",
            "sq_item",
            "was_sq_slice",
            "sq_ass_item",
            "was_sq_ass_slice",
            "sq_contains",
            "sq_inplace_concat",
            "sq_inplace_repeat",
        ],
        "PyMappingMethods" => &["mp_length", "mp_subscript", "mp_ass_subscript"],
        "PyAsyncMethods" => &["am_await", "am_aiter", "am_anext", "am_send"],
        _ => &[],
    }
}

/// The roles of every function that occurs in a table, and of those that are assigned to a slot by name.
pub(super) fn collect(project: &Project) -> HashMap<Name, Vec<Role>> {
    let mut roles: HashMap<Name, Vec<Role>> = HashMap::new();
    for global in &project.globals {
        if let Some(init) = global.init {
            table(project, &project.file(global.file).body, global.ty, init, &mut roles);
        }
    }
    for function in &project.functions {
        for local in &function.body.locals {
            if !local.is_static {
                continue;
            }
            for stmt in &function.body.stmts {
                if let gilaudit_model::source::StmtKind::Declare { local: declared, init: Some(init) } = stmt.kind
                    && function.body.locals.get(declared.0 as usize) == Some(local)
                {
                    table(project, &function.body, local.ty, init, &mut roles);
                }
            }
        }
        for expr in &function.body.exprs {
            if let ExprKind::Assign { op: None, target, value } = expr.kind
                && let ExprKind::Field { name, .. } = function.body.kind(target)
                && is_slot(project.text(name))
                && let Some(assigned) = function_name(&function.body, value)
            {
                roles.entry(assigned).or_default().push(slot(project.text(name)));
            }
        }
    }
    clinic_tables(project, &mut roles);
    roles
}

/// `FOO_BAR_METHODDEF` in a table stands for the function `foo_bar`: Argument Clinic's naming.
fn clinic_tables(project: &Project, roles: &mut HashMap<Name, Vec<Role>>) {
    let mentioned: std::collections::HashSet<String> = project
        .files
        .iter()
        .flat_map(|file| file.body.exprs.iter())
        .filter_map(|expr| match expr.kind {
            ExprKind::Name(name) => project.text(name).strip_suffix("_METHODDEF").map(str::to_lowercase),
            _ => None,
        })
        .collect();
    if mentioned.is_empty() {
        return;
    }
    for function in &project.functions {
        if mentioned.contains(&project.text(function.name).to_lowercase()) {
            roles.entry(function.name).or_default().push(Role::Method(Vec::new()));
        }
    }
}

fn is_slot(name: &str) -> bool {
    ["tp_", "bf_", "nb_", "sq_", "mp_", "am_"].iter().any(|prefix| name.starts_with(prefix))
}

fn slot(name: &str) -> Role {
    match name {
        "m_traverse" | "m_clear" | "m_free" => Role::ModuleState,
        name => Role::Slot(name.to_owned()),
    }
}

/// The function that an initialiser names: `f`, `&f`, `(PyCFunction)f`, `_PyCFunction_CAST(f)`.
fn function_name(body: &Body, expr: ExprId) -> Option<Name> {
    let expr = strip(body, expr);
    match body.kind(expr) {
        ExprKind::Name(name) => Some(name),
        ExprKind::Unary { op: UnaryOp::AddressOf, operand } => function_name(body, operand),
        ExprKind::Call { args, .. } => match body.list(args) {
            [only] => function_name(body, *only),
            _ => None,
        },
        _ => None,
    }
}

fn names_in(body: &Body, expr: ExprId, out: &mut Vec<Name>) {
    if let ExprKind::Name(name) = body.kind(expr) {
        out.push(name);
    }
    for child in body.children(expr) {
        names_in(body, child, out);
    }
}

fn table(project: &Project, body: &Body, ty: Type, init: ExprId, roles: &mut HashMap<Name, Vec<Role>>) {
    let ExprKind::List(list) = body.kind(strip(body, init)) else { return };
    let elements = body.list(list);
    let base = project.text(ty.base);
    if ty.array {
        for element in elements {
            row(project, body, base, *element, roles);
        }
    } else {
        struct_row(project, body, base, elements, roles);
    }
}

/// One row of an array of definitions.
fn row(project: &Project, body: &Body, base: &str, element: ExprId, roles: &mut HashMap<Name, Vec<Role>>) {
    let list = match body.kind(strip(body, element)) {
        ExprKind::List(list) => list,
        // `PySlot_FUNC(Py_tp_clear, f)` (CPython 3.15 Include/slots.h)
        ExprKind::Call { callee, args } if is_slot_macro(project, body, callee) => args,
        _ => return,
    };
    let cells: Vec<ExprId> = body.list(list).iter().map(|cell| undesignated(body, *cell)).collect();
    let mut add = |cell: Option<&ExprId>, role: Role| {
        if let Some(name) = cell.and_then(|cell| function_name(body, *cell)) {
            roles.entry(name).or_default().push(role);
        }
    };
    match base {
        "PyMethodDef" => {
            let mut flags = Vec::new();
            if let Some(cell) = cells.get(2) {
                names_in(body, *cell, &mut flags);
            }
            add(cells.get(1), Role::Method(flags));
        }
        "PyGetSetDef" => {
            add(cells.get(1), Role::Getter);
            add(cells.get(2), Role::Setter);
        }
        "PyModuleDef_Slot" | "PySlot" | "PyType_Slot" => {
            let id = cells.first().and_then(|cell| function_name(body, *cell)).map_or("", |name| project.text(name));
            let role = match id {
                "Py_mod_exec" | "Py_mod_create" => Role::ModuleInit,
                "Py_mod_state_traverse" | "Py_mod_state_clear" | "Py_mod_state_free" => Role::ModuleState,
                id => slot(id.strip_prefix("Py_").unwrap_or(id)),
            };
            add(cells.get(1), role);
        }
        _ => {
            for cell in &cells {
                add(Some(cell), Role::Table);
            }
        }
    }
}

fn is_slot_macro(project: &Project, body: &Body, callee: ExprId) -> bool {
    matches!(body.kind(callee), ExprKind::Name(name) if project.text(name).starts_with("PySlot_"))
}

fn undesignated(body: &Body, cell: ExprId) -> ExprId {
    match body.kind(cell) {
        ExprKind::Assign { op: None, value, .. } => value,
        _ => cell,
    }
}

/// A struct of definitions: by designator, or by position.
fn struct_row(project: &Project, body: &Body, base: &str, elements: &[ExprId], roles: &mut HashMap<Name, Vec<Role>>) {
    let mut position = 0;
    for element in elements {
        let (member, value) = match body.kind(*element) {
            ExprKind::Assign { op: None, target, value } => match body.kind(target) {
                ExprKind::Name(name) => (project.text(name), value),
                _ => ("", value),
            },
            _ => {
                position += 1;
                (members(base).get(position - 1).copied().unwrap_or(""), *element)
            }
        };
        if let ExprKind::List(list) = body.kind(strip(body, value)) {
            struct_row(project, body, "", body.list(list), roles);
        } else if let Some(name) = function_name(body, value) {
            roles.entry(name).or_default().push(if member.is_empty() { Role::Table } else { slot(member) });
        }
    }
}
