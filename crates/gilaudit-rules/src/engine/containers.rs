//! C++ containers that threads share: maps, vectors and the like of the whole process, or in Python objects.

use std::collections::{HashMap, HashSet};

use gilaudit_model::source::{ExprId, ExprKind, FunctionId, Name, Project, Type, UnaryOp};

use super::analysis::{Analysis, Unit};
use super::cfg::NodeId;
use super::globals;
use super::index::{FieldKey, is_shared};
use super::values::{callee, strip};

/// Which container it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Container {
    /// A variable of the whole process, or a member of one.
    Process(Name),
    /// A member of a Python object.
    Member(FieldKey),
}

/// What a function does with one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    pub(crate) function: FunctionId,
    pub(crate) expr: ExprId,
    pub(crate) container: Container,
    /// Of the method, or `operator[]`.
    pub(crate) method: &'static str,
    /// Whether it changes the container; else it looks into it.
    pub(crate) changes: bool,
    pub(crate) locked: bool,
}

/// Methods that change a container, then those that look into it.
const CHANGES: [&str; 20] = [
    "insert",
    "emplace",
    "try_emplace",
    "insert_or_assign",
    "erase",
    "push_back",
    "emplace_back",
    "pop_back",
    "push_front",
    "emplace_front",
    "pop_front",
    "clear",
    "extract",
    "merge",
    "assign",
    "resize",
    "emplace_hint",
    "splice",
    "remove_if",
    "append",
];
const LOOKS: [&str; 7] = ["find", "at", "count", "contains", "begin", "front", "back"];

/// The names of the types, without namespaces and arguments.
const TYPES: [&str; 20] = [
    "map",
    "multimap",
    "set",
    "multiset",
    "unordered_map",
    "unordered_multimap",
    "unordered_set",
    "vector",
    "deque",
    "list",
    "forward_list",
    "flat_hash_map",
    "flat_hash_set",
    "node_hash_map",
    "node_hash_set",
    "btree_map",
    "btree_set",
    "robin_map",
    "robin_set",
    "F14FastMap",
];

/// The names that are looked into like a container whatever their type is: `x.find(…)` and `x.end()` both occur.
pub(super) fn by_shape(project: &Project) -> HashSet<Name> {
    let (mut find, mut end) = (HashSet::new(), HashSet::new());
    for function in &project.functions {
        let body = &function.body;
        for index in 0..body.exprs.len() as u32 {
            let call = ExprId(index);
            let ExprKind::Call { callee: called, .. } = body.kind(call) else { continue };
            let ExprKind::Field { base, .. } = body.kind(called) else { continue };
            let into = match callee(body, call).map_or("", |name| project.text(name)) {
                "find" => &mut find,
                "end" => &mut end,
                _ => continue,
            };
            if let ExprKind::Name(name) | ExprKind::Field { name, .. } = body.kind(without_star(body, base)) {
                into.insert(name);
            }
        }
    }
    find.retain(|name| end.contains(name));
    find
}

fn without_star(body: &gilaudit_model::source::Body, expr: ExprId) -> ExprId {
    let expr = strip(body, expr);
    match body.kind(expr) {
        ExprKind::Unary { op: UnaryOp::Deref, operand } => strip(body, operand),
        _ => expr,
    }
}

/// All uses of shared containers, by container.
pub(crate) fn uses(analysis: &Analysis<'_>) -> HashMap<Container, Vec<Use>> {
    let shapes = by_shape(analysis.project);
    let index = &analysis.index;
    let is_any = !shapes.is_empty()
        || analysis.project.names.iter().any(|(_, text)| text.contains('<') && is_container_name(text));
    let mut out: HashMap<Container, Vec<Use>> = HashMap::new();
    if !is_any {
        return out;
    }
    let found = analysis.shapes.map(&analysis.types, |flow| {
        let at = flow.id.0 as usize;
        let runs = index.callable[at] || index.lifecycle[at];
        if index.init_only[at] || !runs {
            return Vec::new();
        }
        let unit = analysis.unit(*flow);
        let mut found = in_function(&unit, &shapes);
        // Nobody else has the object any more.
        let name = unit.name().to_ascii_lowercase();
        if index.lifecycle[at] || name.contains("dealloc") || name.starts_with('~') {
            found.retain(|it| matches!(it.container, Container::Process(_)));
        }
        found
    });
    for it in found.into_iter().flatten() {
        out.entry(it.container).or_default().push(it);
    }
    out
}

fn in_function(unit: &Unit<'_>, shapes: &HashSet<Name>) -> Vec<Use> {
    let mut out = Vec::new();
    for (expr, kind, node) in unit.exprs() {
        let (object, method, changes) = match kind {
            ExprKind::Call { callee: called, .. } => {
                let ExprKind::Field { base, name, .. } = unit.kind(unit.strip(called)) else { continue };
                let text = unit.text(name);
                let is = |known: &&&str| **known == text;
                match (CHANGES.iter().find(is), LOOKS.iter().find(is)) {
                    (Some(method), _) => (base, *method, true),
                    (_, Some(method)) => (base, *method, false),
                    _ => continue,
                }
            }
            // `map[key]` makes what is not there; that of a vector is a plain store.
            ExprKind::Index { base, .. } => {
                let is_map = unit.type_of(base).is_some_and(|ty| unit.text(ty.base).contains("map"));
                let is_shaped = name_of(unit, base).is_some_and(|name| shapes.contains(&name));
                if !(is_map || is_shaped) {
                    continue;
                }
                // Read, it finds what is there as a rule.
                let is_target = |target: ExprId| unit.strip(target) == expr;
                let stored = unit.parent(expr).is_some_and(|parent| match unit.kind(parent) {
                    ExprKind::Assign { target, .. } => is_target(target),
                    ExprKind::Update { .. } => true,
                    _ => false,
                });
                (base, "operator[]", stored)
            }
            _ => continue,
        };
        let object = without_star(unit.body, object);
        // A string is looked into by the same methods.
        let is_text = unit
            .type_of(object)
            .is_some_and(|ty| unit.text(ty.base).contains("string") && !unit.text(ty.base).contains("map"));
        let named = !is_text && name_of(unit, object).is_some_and(|name| shapes.contains(&name));
        if !named && !unit.type_of(object).is_some_and(|ty| is_container(unit, ty)) {
            continue;
        }
        let Some(container) = container_of(unit, object, node) else { continue };
        let locked = unit.is_locked_at(node) || unit.is_unparsed(unit.expr(expr).span);
        out.push(Use { function: unit.id, expr, container, method, changes, locked });
    }
    out
}

fn name_of(unit: &Unit<'_>, expr: ExprId) -> Option<Name> {
    match unit.kind(without_star(unit.body, expr)) {
        ExprKind::Name(name) | ExprKind::Field { name, .. } => Some(name),
        _ => None,
    }
}

fn is_container(unit: &Unit<'_>, ty: Type) -> bool {
    let mut base = ty.base;
    for _ in 0..4 {
        if is_container_name(unit.text(base)) {
            return true;
        }
        let Some(next) = unit.project.typedefs.get(&base) else { return false };
        base = *next;
    }
    false
}

/// Whether the text of a type is that of a container, and not of an iterator of one.
fn is_container_name(text: &str) -> bool {
    let Some((plain, arguments)) = text.split_once('<') else { return false };
    let is_known = plain.trim().rsplit("::").next().is_some_and(|last| TYPES.contains(&last));
    is_known && arguments.trim_end().ends_with('>')
}

/// Which container an expression means, if threads share it.
fn container_of(unit: &Unit<'_>, object: ExprId, at: NodeId) -> Option<Container> {
    if let Some(known) = direct(unit, object, at) {
        return Some(known);
    }
    // A parameter: what some caller hands over.
    let local = unit.local(object)?;
    let declared = unit.body.locals.get(local.0 as usize)?;
    let position = declared.parameter.filter(|_| declared.ty.reference || declared.ty.pointers > 0)?;
    if !unit.values.definitions(local).is_empty() {
        return None;
    }
    unit.analysis.index.callers.get(&unit.function.name)?.iter().take(MOST_CALLERS).find_map(|site| {
        let caller = unit.analysis.unit(unit.analysis.shapes.flow(&unit.analysis.types, site.caller));
        let argument = caller.call(site.call)?.args.get(position as usize).copied()?;
        let argument = match caller.kind(caller.strip(argument)) {
            ExprKind::Unary { op: UnaryOp::AddressOf | UnaryOp::Deref, operand } => caller.strip(operand),
            _ => caller.strip(argument),
        };
        direct(&caller, argument, caller.cfg.node_of(site.call)?)
    })
}

/// Most callers that are asked what they hand over.
const MOST_CALLERS: usize = 16;

fn direct(unit: &Unit<'_>, object: ExprId, at: NodeId) -> Option<Container> {
    match unit.kind(object) {
        ExprKind::Name(_) => globals::process_wide(unit, object).map(|(name, _)| Container::Process(name)),
        ExprKind::Local(local) => {
            let declared = unit.body.locals.get(local.0 as usize)?;
            if declared.ty.reference && declared.parameter.is_none() {
                // `auto &map = self->map;`
                let value = unit.values.only_value(unit.body, local)?;
                return direct(unit, without_star(unit.body, value), at).filter(|_| unit.strip(value) != object);
            }
            globals::process_wide(unit, object).map(|(name, _)| Container::Process(name))
        }
        ExprKind::Field { base, name, .. } => {
            let owner = unit.field_struct(object);
            let is_object = owner.is_some_and(|owner| unit.project.structs[owner.0 as usize].is_object);
            if is_object && is_shared(unit, base, at) {
                return Some(Container::Member(FieldKey { owner, name }));
            }
            // A member of a variable of the whole process.
            let mut root = unit.strip(base);
            for _ in 0..8 {
                match unit.kind(root) {
                    ExprKind::Field { base, .. } | ExprKind::Unary { op: UnaryOp::Deref, operand: base } => {
                        root = unit.strip(base);
                    }
                    _ => break,
                }
            }
            globals::process_wide(unit, root).map(|_| Container::Process(name))
        }
        _ => None,
    }
}

/// A use of a container by a function without a lock, and another use that it races with.
pub(crate) struct Race {
    pub(crate) used: Use,
    /// Itself, where the same function on another thread is enough.
    pub(crate) other: Use,
}

/// The races of a function: for each container the first change, else the first look, without a lock.
pub(crate) fn races(unit: &Unit<'_>, wanted: impl Fn(Container) -> bool) -> Vec<Race> {
    let mut out: Vec<Race> = Vec::new();
    let mut containers: Vec<_> =
        unit.analysis.containers().iter().filter(|(container, _)| wanted(**container)).collect();
    containers.sort_unstable_by_key(|(container, _)| **container);
    for (_, uses) in containers {
        let mut own: Vec<&Use> = uses.iter().filter(|it| it.function == unit.id && !it.locked).collect();
        own.sort_by_key(|it| (!it.changes, unit.expr(it.expr).span));
        let Some(used) = own.first() else { continue };
        let other = if used.changes {
            // What others do with it says more than the same change on another thread.
            uses.iter().find(|it| it.expr != used.expr || it.function != used.function).or(Some(*used))
        } else {
            uses.iter().find(|it| it.changes && it.function != unit.id)
        };
        out.extend(other.map(|other| Race { used: **used, other: *other }));
    }
    out.sort_by_key(|race| unit.expr(race.used.expr).span);
    out
}
