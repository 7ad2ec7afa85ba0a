//! Memory: which allocator gave it, and which is asked to take it back.

use std::collections::HashMap;
use std::sync::LazyLock;

use gilaudit_model::source::{Body, ExprId, ExprKind, LocalId, Project, StmtKind};

use super::analysis::Unit;
use super::api::rows;
use super::cfg::NodeId;
use super::values::{Source, address_of_local, callee, is_by_name, strip};

/// An allocator. What one gave, only the same one takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Domain {
    /// `malloc`
    C,
    /// `PyMem_RawMalloc`
    Raw,
    /// `PyMem_Malloc`
    Mem,
    /// `PyObject_Malloc`, `PyObject_New`
    Object,
    /// `PyObject_GC_New`
    Gc,
}

impl Domain {
    /// The function that takes memory of this domain back.
    pub(crate) fn release(self) -> &'static str {
        match self {
            Self::C => "free",
            Self::Raw => "PyMem_RawFree",
            Self::Mem => "PyMem_Free",
            Self::Object => "PyObject_Free",
            Self::Gc => "PyObject_GC_Del",
        }
    }
}

/// What a function does with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    Alloc,
    /// Takes memory and gives other memory for it.
    Resize,
    Release,
}

static ALLOCATORS: LazyLock<HashMap<&'static str, (Does, Domain)>> = LazyLock::new(|| {
    rows(gilaudit_model::capi::ALLOCATORS)
        .filter_map(|row| {
            let [name, does, domain, ..] = row.as_slice() else { return None };
            let does = match *does {
                "alloc" => Does::Alloc,
                "resize" => Does::Resize,
                _ => Does::Release,
            };
            let domain = match *domain {
                "c" => Domain::C,
                "raw" => Domain::Raw,
                "mem" => Domain::Mem,
                "object" => Domain::Object,
                "gc" => Domain::Gc,
                _ => return None,
            };
            Some((*name, (does, domain)))
        })
        .collect()
});

/// What the function of this name does with memory, and in which domain.
pub(crate) fn allocator(name: &str) -> Option<(Does, Domain)> {
    ALLOCATORS.get(name.strip_prefix("std::").unwrap_or(name)).copied()
}

/// The names of all allocators.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALLOCATORS.keys().copied()
}

/// The domain that gives memory when this is called.
pub(crate) fn gives(name: &str) -> Option<Domain> {
    allocator(name).filter(|(does, _)| *does != Does::Release).map(|(_, domain)| domain)
}

/// The domain that takes back the first argument when this is called.
pub(crate) fn takes(name: &str) -> Option<Domain> {
    allocator(name).filter(|(does, _)| *does != Does::Alloc).map(|(_, domain)| domain)
}

/// The allocations whose result a pointer holds at a step; `None` unless all that it can hold there was allocated in this function.
/// An element of an allocated array, or what an allocated struct points to, is something else.
pub(crate) fn allocations(unit: &Unit<'_>, pointer: ExprId, at: NodeId) -> Option<Vec<ExprId>> {
    let mut out = Vec::new();
    collect(unit, pointer, at, 16, &mut out)?;
    (!out.is_empty()).then_some(out)
}

fn collect(unit: &Unit<'_>, pointer: ExprId, at: NodeId, fuel: u32, out: &mut Vec<ExprId>) -> Option<()> {
    let fuel = fuel.checked_sub(1)?;
    let pointer = unit.strip(pointer);
    match unit.kind(pointer) {
        ExprKind::Local(local) => {
            let declared = unit.body.locals.get(local.0 as usize)?;
            if declared.is_static || declared.parameter.is_some() || unit.values.address_taken(local) {
                return None;
            }
            for definition in unit.values.reaching(&unit.cfg, local, at) {
                match definition.source {
                    Source::Value(value) => collect(unit, value, definition.node, fuel, out)?,
                    Source::Nothing => {}
                    Source::OutArgument(_) | Source::Changed(_) => return None,
                }
            }
        }
        ExprKind::Conditional { then, otherwise, .. } => {
            collect(unit, then, at, fuel, out)?;
            collect(unit, otherwise, at, fuel, out)?;
        }
        ExprKind::Assign { op: None, value, .. } => collect(unit, value, at, fuel, out)?,
        ExprKind::Call { .. } => {
            unit.call(pointer).filter(|call| unit.is_by_name(call.expr)).and_then(|call| gives(call.name))?;
            if !out.contains(&pointer) {
                out.push(pointer);
            }
        }
        ExprKind::Null | ExprKind::Number(Some(0)) => {}
        _ => return None,
    }
    Some(())
}

/// What a value can be, without regard to the order of steps: for looking at many functions at little cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Null,
    From(Domain, ExprId),
    Unknown,
}

/// What a value can be: the result of one allocator, nothing, or something else.
pub(crate) fn origin(project: &Project, body: &Body, value: ExprId) -> Origin {
    let value = strip(body, value);
    match body.kind(value) {
        ExprKind::Null | ExprKind::Number(Some(0)) => Origin::Null,
        ExprKind::Call { .. } => given_by(project, body, value),
        ExprKind::Local(local) => local_origin(project, body, local),
        ExprKind::Assign { op: None, value, .. } => origin(project, body, value),
        _ => Origin::Unknown,
    }
}

fn given_by(project: &Project, body: &Body, call: ExprId) -> Origin {
    let name = callee(body, call).filter(|_| is_by_name(body, call));
    match name.and_then(|name| gives(project.text(name))) {
        Some(domain) => Origin::From(domain, call),
        None => Origin::Unknown,
    }
}

fn local_origin(project: &Project, body: &Body, local: LocalId) -> Origin {
    let Some(declared) = body.locals.get(local.0 as usize) else { return Origin::Unknown };
    if declared.parameter.is_some() || declared.is_static {
        return Origin::Unknown;
    }
    let mut found = Origin::Null;
    let mut note = |value: ExprId| {
        let value = strip(body, value);
        let next = match body.kind(value) {
            ExprKind::Null | ExprKind::Number(Some(0)) => Origin::Null,
            ExprKind::Call { .. } => given_by(project, body, value),
            _ => Origin::Unknown,
        };
        found = match (found, next) {
            (Origin::Null, next) => next,
            (known, Origin::Null) => known,
            (Origin::From(one, call), Origin::From(other, _)) if one == other => Origin::From(one, call),
            _ => Origin::Unknown,
        };
    };
    for (index, expr) in body.exprs.iter().enumerate() {
        if address_of_local(body, ExprId(index as u32)) == Some(local) {
            return Origin::Unknown;
        }
        match expr.kind {
            ExprKind::Assign { op: None, target, value }
                if body.kind(strip(body, target)) == ExprKind::Local(local) =>
            {
                note(value);
            }
            ExprKind::Assign { op: Some(_), target, .. } | ExprKind::Update { operand: target, .. }
                if body.kind(strip(body, target)) == ExprKind::Local(local) =>
            {
                return Origin::Unknown;
            }
            _ => {}
        }
    }
    for stmt in &body.stmts {
        if let StmtKind::Declare { local: declared, init: Some(init) } = stmt.kind
            && declared == local
        {
            note(init);
        }
    }
    found
}
