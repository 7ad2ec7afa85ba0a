//! New references in local variables: what is done with one on every way, and where there is none.

use gilaudit_model::source::{BinaryOp, ExprId, ExprKind, LocalId, Span, UnaryOp};

use super::analysis::Unit;
use super::api::{self, Strong};
use super::cfg::{EXIT, NodeId, Step};
use super::flow::Call;
use super::index::emptiness_test;
use super::members::{Test, only_when_empty};
use super::values::{Source, address_of_local};

/// A call that gives a new reference, the local it goes to, and from which step on it is there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct New<'p> {
    pub(crate) call: Call<'p>,
    pub(crate) local: LocalId,
    pub(crate) node: NodeId,
    api: Strong,
}

/// The new references of a function that the table knows and that go into a local whose address nobody keeps.
pub(crate) fn new_references<'p>(unit: &Unit<'p>) -> Vec<New<'p>> {
    let found = unit.calls().filter_map(|call| {
        let api = api::strong(call.name)?;
        let (local, node) = match api.out {
            Some(out) => (address_of_local(unit.body, *call.args.get(out)?)?, call.node),
            None => super::borrow::stored_local(unit, call.expr)?,
        };
        let declared = unit.body.locals.get(local.0 as usize)?;
        let elsewhere =
            declared.is_static || is_kept_by_address(unit, local) || is_released_by_scope(unit, declared.span);
        (!elsewhere && !unit.is_unparsed(call.span)).then_some(New { call, local, node, api })
    });
    found.collect()
}

/// Whether the declaration of a variable says that it is released at the end of its scope: `__attribute__((cleanup(f)))` and macros
/// for it, which are named after what they do: `_cleanup_`, `g_autoptr`, `auto_decref`.
fn is_released_by_scope(unit: &Unit<'_>, declared: Span) -> bool {
    let text = unit.file().text.get(..declared.end as usize).unwrap_or_default();
    let begins = text.rfind([';', '{', '}']).map_or(0, |at| at + 1);
    let head = text.get(begins..).unwrap_or_default();
    head.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| word.contains("cleanup") || word.contains("autoptr") || word.starts_with("auto_"))
}

/// Whether `&local` is anything but an argument of a call.
fn is_kept_by_address(unit: &Unit<'_>, local: LocalId) -> bool {
    (0..unit.body.exprs.len() as u32).map(ExprId).any(|expr| {
        matches!(unit.kind(expr), ExprKind::Unary { op: UnaryOp::AddressOf, .. })
            && address_of_local(unit.body, expr) == Some(local)
            && !unit.parent(expr).is_some_and(|parent| matches!(unit.kind(parent), ExprKind::Call { .. }))
    })
}

/// How a reference ends on a way: what a step does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Still held.
    Held,
    /// Released, handed over, returned, stored, or given to something that may do so.
    Settled,
    /// The variable gets another value.
    Overwritten,
}

/// What a call can have returned on a way, of -1, 0 and 1: one bit each.
type Results = u8;

const RESULTS: [(i64, Results); 3] = [(-1, 1), (0, 2), (1, 4)];

/// The step at which the last trace of a reference is lost without a release: a way out, or an assignment that overwrites it.
pub(crate) fn lost_at(unit: &Unit<'_>, new: &New<'_>) -> Option<NodeId> {
    // A way is a step and what the call can have returned on it.
    let mut seen = vec![0u8; unit.cfg.len()];
    let stored = RESULTS.iter().filter(|(result, _)| new.api.out.is_none() || new.api.is_stored(*result));
    let all: Results = stored.map(|(_, bit)| bit).sum();
    let start = unit.cfg.node(new.node).successors.iter();
    let mut work: Vec<(NodeId, NodeId, Results)> = start.map(|next| (*next, new.node, all)).collect();
    let mut lost = Vec::new();
    while let Some((node, from, results)) = work.pop() {
        let known = &mut seen[node.0 as usize];
        if *known & results == results {
            continue;
        }
        *known |= results;
        if node == EXIT {
            lost.push(from);
            continue;
        }
        // A loop that comes back to the call.
        let fate = if node == new.node { Fate::Overwritten } else { fate(unit, new, node) };
        match fate {
            Fate::Settled => continue,
            Fate::Overwritten => {
                lost.push(node);
                continue;
            }
            Fate::Held => {}
        }
        let successors = unit.cfg.node(node).successors;
        match unit.cfg.node(node).step {
            Step::Branch(condition) => match held_after(unit, new, condition, node, results) {
                Some([yes, no]) => {
                    let sides = successors.iter().zip([yes, no]).filter(|(_, results)| *results != 0);
                    work.extend(sides.map(|(next, results)| (*next, node, results)));
                }
                // A test that is not understood may well ask whether there is a reference.
                None => return None,
            },
            Step::Switch(value) if asks_result(unit, new, value, node) => return None,
            _ => work.extend(successors.iter().map(|next| (*next, node, results))),
        }
    }
    lost.into_iter().min_by_key(|node| (unit.cfg.node(*node).span.start, *node))
}

fn fate(unit: &Unit<'_>, new: &New<'_>, node: NodeId) -> Fate {
    let is_it = |expr: ExprId| unit.local(expr) == Some(new.local);
    match unit.cfg.node(node).step {
        Step::Return(Some(value)) if mentions_value(unit, value, new.local) => Fate::Settled,
        Step::Declare(local, Some(_)) if local == new.local => Fate::Overwritten,
        Step::Declare(_, Some(value)) if mentions_value(unit, value, new.local) => Fate::Settled,
        Step::Eval(expr) => match unit.kind(expr) {
            ExprKind::Assign { target, value, .. } => {
                if mentions_value(unit, value, new.local) {
                    Fate::Settled
                } else if unit.local(target) == Some(new.local) {
                    Fate::Overwritten
                } else {
                    Fate::Held
                }
            }
            ExprKind::Call { .. } => {
                let Some(call) = unit.call(expr) else { return Fate::Held };
                let by_address = call.args.iter().any(|arg| address_of_local(unit.body, *arg) == Some(new.local));
                if by_address {
                    return if api::strong(call.name).is_some() { Fate::Overwritten } else { Fate::Settled };
                }
                let positions = call.args.iter().enumerate().filter(|(_, arg)| mentions_value(unit, **arg, new.local));
                let mut settled = ends(call.name);
                for (position, arg) in positions {
                    let only_looks =
                        is_it(*arg) && looks_at(call.name) && !api::steals(call.name).any(|it| it == position);
                    settled |= !only_looks;
                }
                if settled { Fate::Settled } else { Fate::Held }
            }
            _ => Fate::Held,
        },
        _ => Fate::Held,
    }
}

/// API that only looks at its arguments, as far as their references go.
fn looks_at(name: &str) -> bool {
    let keeps = matches!(
        name,
        "Py_DECREF" | "Py_XDECREF" | "Py_CLEAR" | "Py_DecRef" | "_Py_DECREF_SPECIALIZED" | "Py_SETREF" | "Py_XSETREF"
            // The format, or the function that is called back, says what becomes of them.
            | "Py_BuildValue" | "Py_VaBuildValue" | "PyCapsule_New" | "PyObject_CallFunction" | "PyObject_CallMethod"
            | "PyThread_tss_set" | "PyUnicode_InternInPlace" | "PyBytes_Concat" | "_PyObject_CAST" | "Py_NewRef"
    ) || name.ends_with("CAST");
    api::is_exported(name) && !keeps
}

fn ends(name: &str) -> bool {
    matches!(name, "abort" | "exit" | "_exit" | "Py_FatalError" | "Py_Exit" | "Py_UNREACHABLE" | "longjmp")
}

/// Whether the value of an expression can be that of the local: it, a choice that it is part of, a list of values with it.
fn mentions_value(unit: &Unit<'_>, expr: ExprId, local: LocalId) -> bool {
    let expr = unit.strip(expr);
    match unit.kind(expr) {
        ExprKind::Local(found) => found == local,
        ExprKind::Conditional { then, otherwise, .. } => {
            [then, otherwise].iter().any(|it| mentions_value(unit, *it, local))
        }
        ExprKind::Assign { value, .. } => mentions_value(unit, value, local),
        ExprKind::List(list) | ExprKind::Other(list) => {
            unit.body.list(list).iter().any(|it| mentions_value(unit, *it, local))
        }
        // `_PyObject_CAST(x)` and constructions `T(x)`.
        ExprKind::Call { args, .. } => {
            let name = unit.call(expr).map_or("", |call| call.name);
            !looks_at(name) && unit.body.list(args).iter().any(|it| mentions_value(unit, *it, local))
        }
        ExprKind::Closure { .. } => true,
        _ => false,
    }
}

/// The steps at which the variable is certainly still empty because a test said so.
pub(crate) fn empty_after(unit: &Unit<'_>, new: &New<'_>, test: &Test) -> Vec<NodeId> {
    let sets = |node: NodeId| unit.values.definitions(new.local).iter().any(|definition| definition.node == node);
    let mut nodes = only_when_empty(unit, test);
    let reached = unit.cfg.after(test.empty, |node| sets(node) || node == test.node);
    nodes.retain(|node| *node == test.empty || reached.binary_search(node).is_ok() && !sets(*node));
    // Where another test of the variable, or a new value, came in between, nothing is certain.
    let again = |node: NodeId| {
        matches!(unit.cfg.node(node).step, Step::Branch(condition) if node != test.node
        && emptiness_test(unit.body, condition).is_some_and(|(place, _)| unit.local(place) == Some(new.local)))
    };
    if nodes.iter().any(|node| again(*node)) { Vec::new() } else { nodes }
}

/// What the call can have returned, with a reference, when a condition is true and when it is false; `None` if that cannot be told.
fn held_after(
    unit: &Unit<'_>,
    new: &New<'_>,
    condition: ExprId,
    node: NodeId,
    results: Results,
) -> Option<[Results; 2]> {
    let sides = |yes: bool| Some(if yes { [results, 0] } else { [0, results] });
    if let Some((place, empty_if_true)) = emptiness_test(unit.body, condition)
        && unit.local(assigned(unit, place)) == Some(new.local)
    {
        return sides(!empty_if_true);
    }
    // `if ((x = f()))`
    if unit.local(assigned(unit, condition)) == Some(new.local) && unit.local(condition).is_none() {
        return sides(true);
    }
    // `None` and its like are immortal.
    if let ExprKind::Binary { op: op @ (BinaryOp::Eq | BinaryOp::Ne), left, right } = unit.kind(unit.strip(condition)) {
        let is_it = |expr: ExprId| unit.local(expr) == Some(new.local);
        if is_it(left) && is_immortal(unit, right) || is_it(right) && is_immortal(unit, left) {
            return sides(op == BinaryOp::Ne);
        }
    }
    if unit.call(condition).is_some_and(|call| call.name == "PyErr_Occurred") {
        return sides(false);
    }
    if !asks_result(unit, new, condition, node) {
        return Some([results, results]);
    }
    let test = result_test(unit, new, condition, node)?;
    let when = |wanted: bool| -> Results {
        let fits = RESULTS.iter().filter(|(result, bit)| results & bit != 0 && test(*result) == wanted);
        fits.map(|(_, bit)| bit).sum()
    };
    Some([when(true), when(false)])
}

/// What `x` is in `(x = value)`.
fn assigned(unit: &Unit<'_>, place: ExprId) -> ExprId {
    match unit.kind(unit.strip(place)) {
        ExprKind::Assign { op: None, target, .. } => target,
        _ => place,
    }
}

/// Whether an expression is one of the objects that live for ever.
fn is_immortal(unit: &Unit<'_>, expr: ExprId) -> bool {
    match unit.kind(unit.strip(expr)) {
        ExprKind::Name(name) => {
            matches!(unit.text(name), "Py_None" | "Py_True" | "Py_False" | "Py_NotImplemented" | "Py_Ellipsis")
        }
        _ => false,
    }
}

/// Whether an expression has to do with what the call returned.
fn asks_result(unit: &Unit<'_>, new: &New<'_>, expr: ExprId, node: NodeId) -> bool {
    if new.api.out.is_none() {
        return false;
    }
    is_result(unit, new, expr, node)
        || unit.body.children(expr).into_iter().any(|child| asks_result(unit, new, child, node))
}

fn is_result(unit: &Unit<'_>, new: &New<'_>, expr: ExprId, node: NodeId) -> bool {
    let expr = unit.strip(expr);
    match unit.kind(expr) {
        ExprKind::Call { .. } => expr == new.call.expr,
        ExprKind::Assign { op: None, value, .. } => is_result(unit, new, value, node),
        ExprKind::Local(local) => {
            unit.values.reaching(&unit.cfg, local, node).iter().any(|definition| match definition.source {
                Source::Value(value) => unit.strip(value) == new.call.expr,
                _ => false,
            })
        }
        _ => false,
    }
}

/// A comparison of the result with a number, as a function.
fn result_test(unit: &Unit<'_>, new: &New<'_>, condition: ExprId, node: NodeId) -> Option<Box<dyn Fn(i64) -> bool>> {
    let condition = unit.strip(condition);
    if is_result(unit, new, condition, node) {
        return Some(Box::new(|it| it != 0));
    }
    match unit.kind(condition) {
        ExprKind::Unary { op: UnaryOp::Not, operand } => {
            let test = result_test(unit, new, operand, node)?;
            Some(Box::new(move |it| !test(it)))
        }
        ExprKind::Binary { op, left, right } if is_result(unit, new, left, node) => {
            let number = number(unit, right)?;
            let compare: fn(i64, i64) -> bool = match op {
                BinaryOp::Eq => |a, b| a == b,
                BinaryOp::Ne => |a, b| a != b,
                BinaryOp::Lt => |a, b| a < b,
                BinaryOp::Le => |a, b| a <= b,
                BinaryOp::Gt => |a, b| a > b,
                BinaryOp::Ge => |a, b| a >= b,
                _ => return None,
            };
            Some(Box::new(move |it| compare(it, number)))
        }
        _ => None,
    }
}

fn number(unit: &Unit<'_>, expr: ExprId) -> Option<i64> {
    match unit.kind(unit.strip(expr)) {
        ExprKind::Number(number) => number,
        ExprKind::Unary { op: UnaryOp::Arithmetic, operand } if unit.source(unit.strip(expr)).starts_with('-') => {
            number(unit, operand).map(|number| number.saturating_neg())
        }
        _ => None,
    }
}
