//! Variables with one instance for the whole process: which they are, and how they are written.

use std::collections::{BTreeMap, HashSet};

use gilaudit_model::source::{
    BinaryOp, Body, ExprId, ExprKind, FileId, FunctionId, LocalId, Name, Project, Span, StmtKind, Type, UnaryOp,
};

use super::analysis::{Analysis, Unit};
use super::exempt;
use super::index::{Access, AccessKind, GlobalKey};
use super::values::{arguments, callee, strip};

/// The variable of the whole process that an expression means, and its type.
pub(crate) fn process_wide(unit: &Unit<'_>, expr: ExprId) -> Option<(Name, Type)> {
    process_wide_in(unit.analysis, unit.id, expr)
}

fn process_wide_in(analysis: &Analysis<'_>, id: FunctionId, expr: ExprId) -> Option<(Name, Type)> {
    let function = analysis.project.function(id);
    let body = &function.body;
    match body.kind(strip(body, expr)) {
        ExprKind::Name(name) => {
            let mut declared =
                analysis.types.globals_named(name).iter().filter_map(|id| analysis.project.globals.get(id.0 as usize));
            let global = declared.find(|global| global.file == function.file || !global.is_static)?;
            let base = analysis.project.text(global.ty.base);
            let shared = !global.thread_local && !exempt::is_thread_local(base) && !exempt::is_constant(&global.ty);
            shared.then_some((name, global.ty))
        }
        ExprKind::Local(local) => {
            let local = &body.locals[local.0 as usize];
            let shared = local.is_static && !local.thread_local && !exempt::is_constant(&local.ty);
            shared.then_some((local.name, local.ty))
        }
        ExprKind::Index { base, .. } | ExprKind::Field { base, arrow: false, .. } => {
            process_wide_in(analysis, id, base)
        }
        _ => None,
    }
}

/// The variable of the whole process that some caller hands to this function by its address, and that the expression reaches through
/// the parameter: `*cache`, `cache[i].items`, `cache->items`.
pub(crate) fn handed_in(unit: &Unit<'_>, expr: ExprId) -> Option<(Name, Type)> {
    let mut at = unit.strip(expr);
    let mut followed = false;
    let local = loop {
        match unit.kind(at) {
            ExprKind::Field { base, arrow, .. } => {
                followed |= arrow;
                at = unit.strip(base);
            }
            ExprKind::Index { base, .. } | ExprKind::Unary { op: UnaryOp::Deref, operand: base } => {
                followed = true;
                at = unit.strip(base);
            }
            ExprKind::Local(local) if followed => break local,
            _ => return None,
        }
    };
    let position = unit.body.locals.get(local.0 as usize)?.parameter?;
    if !unit.values.definitions(local).is_empty() {
        return None;
    }
    unit.analysis.index.callers.get(&unit.function.name)?.iter().find_map(|site| {
        let body = &unit.project.function(site.caller).body;
        let argument = strip(body, *arguments(body, site.call).get(position as usize)?);
        match body.kind(argument) {
            ExprKind::Unary { op: UnaryOp::AddressOf, operand } => process_wide_in(unit.analysis, site.caller, operand),
            _ => process_wide_in(unit.analysis, site.caller, argument).filter(|(_, ty)| ty.array),
        }
    })
}

/// A variable of the whole process that can change.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    key: GlobalKey,
    pub(crate) name: Name,
    pub(crate) ty: Type,
    pub(crate) file: FileId,
    pub(crate) span: Span,
    is_static: bool,
}

/// What an unguarded write can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Danger {
    Plain,
    Buffer,
    Counter,
    Object,
}

/// All variables of the project that can change: no constants, tables of definitions, atomics, thread-locals, locks.
pub(crate) fn variables(analysis: &Analysis<'_>) -> Vec<Variable> {
    let project = analysis.project;
    let mut out: BTreeMap<GlobalKey, Variable> = BTreeMap::new();
    let changeable = |ty: &Type, thread_local: bool| {
        let base = project.text(ty.base);
        let is_table = exempt::is_definition_table(base) && ty.pointers == 0;
        let is_exempt =
            thread_local || ty.atomic || is_table || exempt::is_constant(ty) || exempt::is_thread_local(base);
        !is_exempt && !is_lock(base)
    };
    let is_left_out = |file: FileId| analysis.is_test(file) || exempt::is_polyfill_file(&project.file(file).path);
    for global in &project.globals {
        if global.is_extern || !changeable(&global.ty, global.thread_local) || is_left_out(global.file) {
            continue;
        }
        let key = GlobalKey::File(global.name);
        let variable = Variable {
            key,
            name: global.name,
            ty: global.ty,
            file: global.file,
            span: global.span,
            is_static: global.is_static,
        };
        out.entry(key).or_insert(variable);
    }
    for id in project.function_ids() {
        let function = project.function(id);
        for (index, local) in function.body.locals.iter().enumerate() {
            if local.is_static && changeable(&local.ty, local.thread_local) && !is_left_out(function.file) {
                let key = GlobalKey::Local(id, LocalId(index as u32));
                let variable = Variable {
                    key,
                    name: local.name,
                    ty: local.ty,
                    file: function.file,
                    span: local.span,
                    is_static: true,
                };
                out.insert(key, variable);
            }
        }
    }
    out.into_values().filter(|variable| project.file(variable.file).report).collect()
}

fn is_lock(base: &str) -> bool {
    let lower = base.to_ascii_lowercase();
    lower.contains("mutex")
        || lower.contains("lock")
        || lower.contains("once")
        || lower.contains("rwlock")
        || lower.contains("cond_t")
}

impl Variable {
    /// Whether it is a static variable of a function.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.key, GlobalKey::Local(..))
    }

    /// Accesses in code that runs after import.
    fn live<'a>(&self, analysis: &'a Analysis<'_>) -> impl Iterator<Item = &'a Access> {
        let (file, is_static) = (self.file, self.is_static);
        analysis.index.globals.get(&self.key).into_iter().flatten().filter(move |access| {
            let function = access.function.0 as usize;
            !analysis.index.init_only[function]
                && (!is_static || analysis.project.function(access.function).file == file)
        })
    }

    /// The most dangerous write that no lock guards.
    pub(crate) fn worst_write<'a>(&self, analysis: &'a Analysis<'_>) -> Option<(&'a Access, Danger)> {
        let unguarded = self.live(analysis).filter(|access| {
            access.writes()
                && !access.atomic
                && !access.locked
                && !analysis.index.lock_held[access.function.0 as usize]
                && !self.is_in_debug(analysis, access)
                && !writes_one_for_all(analysis, access)
                && !writes_what_differs(analysis, access)
        });
        unguarded.map(|access| (access, self.danger(analysis, access))).max_by_key(|(access, danger)| {
            (
                analysis.index.callable[access.function.0 as usize],
                *danger,
                std::cmp::Reverse((access.function, access.expr)),
            )
        })
    }

    fn danger(&self, analysis: &Analysis<'_>, access: &Access) -> Danger {
        let base = analysis.project.text(self.ty.base);
        if access.kind == AccessKind::Modify && !self.ty.array {
            Danger::Counter
        } else if self.ty.pointers == 1 && base.starts_with("Py") && base.ends_with("Object") {
            Danger::Object
        } else if self.ty.array && self.ty.pointers == 0 {
            Danger::Buffer
        } else {
            Danger::Plain
        }
    }

    /// Counters for debugging are allowed to be wrong.
    fn is_in_debug(&self, analysis: &Analysis<'_>, access: &Access) -> bool {
        let function = analysis.project.function(access.function);
        let span = function.body.expr(access.expr).span;
        analysis
            .project
            .file(function.file)
            .guards
            .iter()
            .any(|guard| guard.span.contains(span) && guard.condition.contains("DEBUG"))
    }

    /// Whether what is written is read again: by another function, or, for a static local, by the next call.
    pub(crate) fn survives(&self, analysis: &Analysis<'_>, function: FunctionId) -> bool {
        let again = matches!(self.key, GlobalKey::Local(..))
            && self.live(analysis).any(|access| access.kind == AccessKind::Read);
        again
            || self
                .live(analysis)
                .any(|access| access.function != function && analysis.index.callable[access.function.0 as usize])
    }

    /// Whether what is written depends on what was there, or can be half written: a pointer, a struct, or a number that the function
    /// which writes it also reads. A setting that a setter sets is none.
    pub(crate) fn is_decided_on(&self, analysis: &Analysis<'_>) -> bool {
        let is_word = self.ty.pointers == 0 && !self.ty.array;
        let is_number = is_word && analysis.types.struct_named(analysis.project, self.ty.base).is_none();
        let readers: HashSet<FunctionId> = self
            .live(analysis)
            .filter(|access| access.kind == AccessKind::Read)
            .map(|access| access.function)
            .collect();
        !is_number || self.live(analysis).any(|access| access.writes() && readers.contains(&access.function))
    }

    /// A write each of up to three other functions.
    pub(crate) fn other_writers<'a>(&self, analysis: &'a Analysis<'_>, function: FunctionId) -> Vec<&'a Access> {
        let mut seen = vec![function];
        self.live(analysis)
            .filter(|access| {
                let new = access.writes() && !seen.contains(&access.function);
                if new {
                    seen.push(access.function);
                }
                new
            })
            .take(3)
            .collect()
    }
}

/// Whether a write stores the object that every thread gets, and that lives for ever: the empty tuple.
fn writes_one_for_all(analysis: &Analysis<'_>, access: &Access) -> bool {
    let body = &analysis.project.function(access.function).body;
    body.exprs.iter().any(|expr| match expr.kind {
        ExprKind::Assign { op: None, target, value } => {
            strip(body, target) == access.expr && is_one_for_all(analysis.project, body, value)
        }
        _ => false,
    })
}

/// Whether a write is in `if (x != v) x = v;`: once `v` is there, nobody writes.
fn writes_what_differs(analysis: &Analysis<'_>, access: &Access) -> bool {
    let function = analysis.project.function(access.function);
    let body = &function.body;
    let text = |expr: ExprId| analysis.project.file(function.file).text_of(body.expr(strip(body, expr)).span);
    let assigned = body.exprs.iter().find_map(|expr| match expr.kind {
        ExprKind::Assign { op: None, target, value } if strip(body, target) == access.expr => Some((value, expr.span)),
        _ => None,
    });
    let Some((value, span)) = assigned else { return false };
    body.stmts.iter().any(|stmt| match stmt.kind {
        StmtKind::If { condition, then, .. } if body.stmt(then).span.contains(span) => {
            match body.kind(strip(body, condition)) {
                ExprKind::Binary { op: BinaryOp::Ne, left, right } => {
                    text(left) == text(access.expr) && text(right) == text(value)
                }
                _ => false,
            }
        }
        _ => false,
    })
}

/// Whether every thread gets the same object from a call, which lives for ever.
pub(crate) fn is_one_for_all(project: &Project, body: &Body, value: ExprId) -> bool {
    let call = strip(body, value);
    let is_empty = |size: &ExprId| body.kind(strip(body, *size)) == ExprKind::Number(Some(0));
    callee(body, call).is_some_and(|name| project.text(name) == "PyTuple_New")
        && arguments(body, call).first().is_some_and(is_empty)
}
