//! Members of objects: which place a condition tests, and what is written where it turned out empty.

use gilaudit_model::source::{ExprId, ExprKind, LocalId, Name, StmtKind};

use super::analysis::Unit;
use super::cfg::{ENTRY, NodeId, Step};
use super::index::{Access, FieldKey};
use super::values::{Source, arguments, callee, strip};

/// A branch on whether a place is empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Test {
    pub(crate) node: NodeId,
    pub(crate) condition: ExprId,
    /// What is tested; for a local that was just read from a member, the member.
    pub(crate) place: ExprId,
    /// Where it is read: at the test, or where the local that is tested got its value.
    pub(crate) read: NodeId,
    /// Where control goes when it is empty, and when it is not.
    pub(crate) empty: NodeId,
    pub(crate) filled: NodeId,
}

/// All branches of a function on whether something is empty.
pub(crate) fn emptiness_tests(unit: &Unit<'_>) -> Vec<Test> {
    let mut out = Vec::new();
    for node in unit.cfg.ids() {
        let Step::Branch(condition) = unit.cfg.node(node).step else { continue };
        let [yes, no] = unit.cfg.node(node).successors else { continue };
        let Some((place, empty_if_true)) = super::index::emptiness_test(unit.body, condition) else { continue };
        let (empty, filled) = if empty_if_true { (*yes, *no) } else { (*no, *yes) };
        let (place, read) = source_of(unit, place, node);
        out.push(Test { node, condition, place, read, empty, filled });
    }
    out
}

/// The member or variable that a local was read from, if every way leads from the same one, and where it was read.
fn source_of(unit: &Unit<'_>, place: ExprId, at: NodeId) -> (ExprId, NodeId) {
    let Some(local) = unit.local(place) else { return (place, at) };
    let reaching = unit.values.reaching(&unit.cfg, local, at);
    let mut from = reaching.iter().map(|definition| match definition.source {
        Source::Value(value) => Some((unit.strip(value), definition.node)),
        _ => None,
    });
    match (from.next(), from.next()) {
        (Some(Some((value, read))), None) if matches!(unit.kind(value), ExprKind::Field { .. } | ExprKind::Name(_)) => {
            (value, read)
        }
        _ => (place, at),
    }
}

/// The steps that only run when the place was empty.
pub(crate) fn only_when_empty(unit: &Unit<'_>, test: &Test) -> Vec<NodeId> {
    let filled = unit.cfg.after(test.node, |node| node == test.empty || node == test.node);
    let mut empty = unit.cfg.after(test.empty, |node| node == test.node);
    empty.retain(|node| filled.binary_search(node).is_err() || *node == test.empty);
    empty
}

/// A write to a place: the expression that writes, its step, and the value if there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    pub(crate) expr: ExprId,
    pub(crate) node: NodeId,
    pub(crate) value: Option<ExprId>,
}

/// The writes of this function to the place that `place` means, direct ones and those through its address.
pub(crate) fn writes_to(unit: &Unit<'_>, place: ExprId) -> Vec<Write> {
    let Some(wanted) = unit.path(place) else { return Vec::new() };
    let same = |expr: ExprId| unit.path(expr).is_some_and(|path| path == wanted);
    let mut out = Vec::new();
    for (expr, kind, node) in unit.exprs() {
        match kind {
            ExprKind::Assign { target, value, .. } if is_member(unit, target) && same(target) => {
                out.push(Write { expr, node, value: Some(value) });
            }
            ExprKind::Call { args, .. } => {
                let name = unit.call(expr).map_or("", |call| call.name);
                for (position, arg) in unit.body.list(args).iter().enumerate() {
                    let by_address = match unit.kind(unit.strip(*arg)) {
                        ExprKind::Unary { op: gilaudit_model::source::UnaryOp::AddressOf, operand } => same(operand),
                        _ => false,
                    };
                    let sets = position == 0 && matches!(name, "Py_SETREF" | "Py_XSETREF") && same(*arg);
                    if by_address && !super::api::is_atomic(name) || sets {
                        let value = if sets { unit.body.list(args).get(1).copied() } else { None };
                        out.push(Write { expr, node, value });
                    }
                }
            }
            _ => {}
        }
    }
    out
}

fn is_member(unit: &Unit<'_>, target: ExprId) -> bool {
    !matches!(unit.kind(unit.strip(target)), ExprKind::Local(local) if !unit.body.locals[local.0 as usize].is_static)
}

/// The key of the member that an expression reads or writes.
pub(crate) fn key(unit: &Unit<'_>, field: ExprId) -> Option<FieldKey> {
    match unit.kind(unit.strip(field)) {
        ExprKind::Field { name, .. } => Some(FieldKey { owner: unit.field_struct(unit.strip(field)), name }),
        _ => None,
    }
}

/// The accesses to a member in functions that run while other threads can have the object: not while it is made or destroyed, and not
/// while its module is imported.
pub(crate) fn live_accesses<'a>(unit: &'a Unit<'_>, key: FieldKey) -> impl Iterator<Item = &'a Access> {
    let index = &unit.analysis.index;
    index.fields.get(&key).into_iter().flatten().filter(move |access| {
        let function = access.function.0 as usize;
        access.shared && !index.init_only[function] && !index.lifecycle[function]
    })
}

/// Whether a call in `nodes` hands the object of `field` to a function of the project that writes that member.
pub(crate) fn filled_by_callee(unit: &Unit<'_>, field: ExprId, nodes: &[NodeId]) -> Option<ExprId> {
    let key = key(unit, field)?;
    let ExprKind::Field { base, .. } = unit.kind(unit.strip(field)) else { return None };
    let object = unit.path(base)?;
    let index = &unit.analysis.index;
    let writers = index.fields.get(&key)?;
    unit.calls()
        .filter(|call| nodes.binary_search(&call.node).is_ok())
        .find(|call| {
            call.args.iter().any(|arg| unit.path(*arg).is_some_and(|path| path == object))
                && index.functions(unit.project, call.name).iter().any(|id| {
                    !index.lifecycle[id.0 as usize]
                        && writers.iter().any(|access| access.function == *id && access.writes())
                })
        })
        .map(|call| call.expr)
}

/// What a place last got before a step, if every way leads from a store to it in this function: the values.
pub(crate) fn last_stored(unit: &Unit<'_>, place: ExprId, at: NodeId) -> Option<Vec<ExprId>> {
    let writes = writes_to(unit, place);
    if writes.is_empty() {
        return None;
    }
    let before = unit.cfg.before(at, |node| writes.iter().any(|write| write.node == node));
    if before.binary_search(&ENTRY).is_ok() {
        return None;
    }
    let reaching = writes.iter().filter(|write| before.binary_search(&write.node).is_ok());
    reaching.map(|write| write.value).collect()
}

/// Whether this function stores a new object in that very place.
pub(crate) fn is_made_here(unit: &Unit<'_>, place: ExprId) -> bool {
    let Some(wanted) = unit.path(place) else { return false };
    unit.exprs().any(|(_, kind, node)| match kind {
        ExprKind::Assign { op: None, target, value } => {
            unit.path(target).is_some_and(|path| path == wanted) && super::exempt::is_fresh(unit, value, node)
        }
        _ => false,
    })
}

/// Whether an expression is what an assignment, `++` or `Py_SETREF` changes.
pub(crate) fn is_written(unit: &Unit<'_>, place: ExprId) -> bool {
    unit.parent(place).is_some_and(|parent| match unit.kind(parent) {
        ExprKind::Assign { target, .. } => unit.strip(target) == place,
        ExprKind::Update { .. } => true,
        ExprKind::Call { args, .. } => {
            let sets =
                unit.call(parent).is_some_and(|call| matches!(call.name, "Py_SETREF" | "Py_XSETREF" | "Py_CLEAR"));
            sets && unit.body.list(args).first().is_some_and(|first| unit.strip(*first) == place)
        }
        _ => false,
    })
}

/// Whether the function that writes a member also releases what was in it: by one of the macros that do both, or by a release of what
/// was read from it.
pub(crate) fn releases_old_value(unit: &Unit<'_>, write: &Access, member: Name) -> bool {
    let body = &unit.project.function(write.function).body;
    let is_member =
        |expr: ExprId| matches!(body.kind(strip(body, expr)), ExprKind::Field { name, .. } if name == member);
    let mut old: Vec<LocalId> = Vec::new();
    for stmt in &body.stmts {
        if let StmtKind::Declare { local, init: Some(init) } = stmt.kind
            && is_member(init)
        {
            old.push(local);
        }
    }
    for expr in &body.exprs {
        if let ExprKind::Assign { op: None, target, value } = expr.kind
            && let ExprKind::Local(local) = body.kind(target)
            && is_member(value)
        {
            old.push(local);
        }
    }
    (0..body.exprs.len() as u32).map(ExprId).any(|call| {
        let Some(name) = callee(body, call) else { return false };
        let Some(first) = arguments(body, call).first().copied() else { return false };
        let local = match body.kind(strip(body, first)) {
            ExprKind::Local(local) => old.contains(&local),
            _ => false,
        };
        match unit.text(name) {
            "Py_SETREF" | "Py_XSETREF" | "Py_CLEAR" => is_member(first),
            "Py_DECREF" | "Py_XDECREF" | "Py_DecRef" => is_member(first) || local,
            // What else takes the old value away: a function of the project that is handed its address, or the value itself.
            other => local && !unit.analysis.index.functions(unit.project, other).is_empty(),
        }
    })
}
