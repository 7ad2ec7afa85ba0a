//! Two calls on one container, the second because of what the first said: each is atomic, both together are not.

use gilaudit_model::source::{ExprId, ExprKind};

use super::analysis::Unit;
use super::cfg::{NodeId, Step};
use super::flow::Call;
use super::{borrow, exempt};

/// What the first call asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    /// What is under a key, or whether anything is.
    Key,
    /// Where a value is, or how many there are: the answer is a position.
    Position,
}

/// A check and the act that relies on it.
pub(crate) struct Pair<'p> {
    pub(crate) check: Call<'p>,
    pub(crate) act: Call<'p>,
    pub(crate) container: ExprId,
    /// Both are under a lock, which is released in between.
    pub(crate) apart: bool,
}

fn asks(name: &str) -> Option<Asks> {
    match name {
        "PyDict_Contains"
        | "PyDict_ContainsString"
        | "PyDict_GetItem"
        | "PyDict_GetItemWithError"
        | "PyDict_GetItemString"
        | "PyDict_GetItemRef"
        | "PyDict_GetItemStringRef"
        | "PyMapping_HasKey"
        | "PyMapping_HasKeyString"
        | "PyMapping_HasKeyWithError"
        | "PyMapping_GetOptionalItem" => Some(Asks::Key),
        "PySequence_Index" | "PyList_Size" | "PyList_GET_SIZE" => Some(Asks::Position),
        _ => None,
    }
}

/// Whether a call changes a container on the strength of such an answer. What harms nothing when it is done twice is left out.
fn acts(name: &str) -> Option<Asks> {
    match name {
        "PyDict_SetItem"
        | "PyDict_SetItemString"
        | "PyDict_DelItem"
        | "PyDict_DelItemString"
        | "PyObject_SetItem"
        | "PyObject_DelItem"
        | "PyMapping_SetItemString"
        | "PyMapping_DelItem" => Some(Asks::Key),
        "PyList_SetSlice"
        | "PyList_SetItem"
        | "PySequence_SetItem"
        | "PySequence_DelItem"
        | "PySequence_DelSlice"
        | "PyList_Insert" => Some(Asks::Position),
        _ => None,
    }
}

/// Whether the second call removes what the first found.
pub(crate) fn removes(name: &str) -> bool {
    name.contains("Del") || name.contains("SetSlice")
}

/// Whether the second call goes by a position that the first gave.
pub(crate) fn is_position(name: &str) -> bool {
    acts(name) == Some(Asks::Position)
}

/// The pairs of a function that no lock makes one step.
pub(crate) fn pairs<'p>(unit: &Unit<'p>) -> Vec<Pair<'p>> {
    let acting: Vec<(Call<'p>, Asks)> = unit.calls().filter_map(|call| Some((call, acts(call.name)?))).collect();
    if acting.is_empty() || unit.is_init() || unit.is_lifecycle() || exempt::is_polyfill(unit) || unit.is_lock_held() {
        return Vec::new();
    }
    let mut out: Vec<Pair<'p>> = Vec::new();
    for check in unit.calls() {
        let Some(asked) = asks(check.name) else { continue };
        let Some(container) = check.args.first().copied().filter(|_| !unit.is_unparsed(check.span)) else { continue };
        let after = unit.cfg.after(check.node, |_| false);
        let act = acting.iter().find(|(act, kind)| {
            *kind == asked
                && after.binary_search(&act.node).is_ok()
                && act.args.first().is_some_and(|other| unit.same(container, *other))
                && depends(unit, &check, act, asked)
        });
        let Some((act, _)) = act else { continue };
        let Some(apart) = separation(unit, container, &check, act) else { continue };
        if out.iter().all(|known| known.act.expr != act.expr) {
            out.push(Pair { check, act: *act, container, apart });
        }
    }
    out
}

/// Whether the act is about the same key, or uses the position that the check gave, and is decided on in between.
fn depends(unit: &Unit<'_>, check: &Call<'_>, act: &Call<'_>, asked: Asks) -> bool {
    match asked {
        Asks::Key => {
            let (Some(a), Some(b)) = (check.args.get(1), act.args.get(1)) else { return false };
            let same = unit.same(*a, *b) || unit.kind(*a) == ExprKind::Str && unit.source(*a) == unit.source(*b);
            same && is_decided(unit, check.node, act.node)
        }
        Asks::Position => {
            let Some((local, stored)) = borrow::stored_local(unit, check.expr) else { return false };
            act.args.iter().skip(1).any(|arg| mentions(unit, *arg, local))
                && unit.uses_after(local, stored).iter().any(|(_, node)| *node == act.node)
        }
    }
}

fn mentions(unit: &Unit<'_>, expr: ExprId, local: gilaudit_model::source::LocalId) -> bool {
    unit.local(expr) == Some(local) || unit.body.children(expr).into_iter().any(|child| mentions(unit, child, local))
}

/// Whether some branch between two steps leads to the second or past it.
fn is_decided(unit: &Unit<'_>, from: NodeId, to: NodeId) -> bool {
    let after = unit.cfg.after(from, |node| node == to);
    let before = unit.cfg.before(to, |node| node == from);
    after.iter().any(|node| {
        before.binary_search(node).is_ok()
            && matches!(unit.cfg.node(*node).step, Step::Branch(_))
            && unit.cfg.node(*node).successors.iter().any(|next| *next != to && before.binary_search(next).is_err())
    })
}

/// Whether a lock makes both one step: `None` if so; otherwise whether each is under one of its own.
fn separation(unit: &Unit<'_>, container: ExprId, check: &Call<'_>, act: &Call<'_>) -> Option<bool> {
    if exempt::is_fresh(unit, container, check.node)
        || exempt::is_call_arguments(unit, container, check.node)
        || exempt::is_frozen(unit, container)
    {
        return None;
    }
    let locked = |node| exempt::is_container_locked(unit, container, node);
    match (locked(check.node), locked(act.node)) {
        (true, true) => {
            let after = unit.cfg.after(check.node, |node| node == act.node);
            let before = unit.cfg.before(act.node, |node| node == check.node);
            let open = after.iter().any(|node| {
                before.binary_search(node).is_ok() && !unit.locks.maybe_held(*node).any(|lock| lock.family.is_lock())
            });
            open.then_some(true)
        }
        _ => Some(false),
    }
}
