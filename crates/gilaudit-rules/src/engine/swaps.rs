//! Members whose reference is replaced while other threads can have the object: by the macros that do it, by hand, or by a function that
//! is handed the member's address.

use std::collections::HashMap;

use gilaudit_model::source::{ExprId, ExprKind, FunctionId, Name, UnaryOp};

use super::analysis::Analysis;
use super::borrow;
use super::cfg::NodeId;
use super::flow::Flow;
use super::index::{FieldKey, is_shared};
use super::values::{Path, Source};

/// A replacement in one function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replaced {
    /// The macro's use, the assignment, or the call of the function that does it.
    pub(crate) expr: ExprId,
    pub(crate) node: NodeId,
    /// What is replaced: a member, or what a parameter points to.
    pub(crate) place: ExprId,
    /// Whether the function that does it holds a lock meanwhile.
    locked: bool,
}

/// A replacement of a member, as the whole project sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Swap {
    pub(crate) function: FunctionId,
    pub(crate) expr: ExprId,
    /// Whether a lock is held.
    pub(crate) locked: bool,
    /// Whether it happens where the object is made: a `tp_init`, which hardly anybody runs again, or a function for other code that may
    /// have the object to itself.
    pub(crate) initialising: bool,
}

/// All replacements of members of objects that other threads can have.
#[derive(Default)]
pub(crate) struct Swaps {
    fields: HashMap<FieldKey, Vec<Swap>>,
    /// Functions that replace what a parameter points to, and whether they hold a lock meanwhile.
    handed: HashMap<(Name, u32), bool>,
}

impl Swaps {
    pub(crate) fn new(analysis: &Analysis<'_>) -> Self {
        let index = &analysis.index;
        let mut swaps = Self::default();
        let handed = analysis.shapes.map(&analysis.types, |flow| {
            let own = own(flow).into_iter();
            let named = own.filter_map(|it| Some(((flow.function.name, parameter(flow, it.place)?), it.locked)));
            named.collect::<Vec<_>>()
        });
        for (key, locked) in handed.into_iter().flatten() {
            *swaps.handed.entry(key).or_insert(true) &= locked;
        }
        let found = analysis.shapes.map(&analysis.types, |flow| {
            let at = flow.id.0 as usize;
            if index.init_only[at] || index.lifecycle[at] || !index.callable[at] {
                return Vec::new();
            }
            let flow = flow.with_private(index.private.get(at).copied().unwrap_or(0));
            let initialising = analysis.is_initialising(flow.id) || !index.from_python[at];
            let swap = |it: Replaced| {
                let key = member(&flow, it.place).filter(|_| is_of_shared(&flow, &it))?;
                let locked = it.locked || index.lock_held[at];
                Some((key, Swap { function: flow.id, expr: it.expr, locked, initialising }))
            };
            swaps.replaced(&flow).into_iter().filter_map(swap).collect::<Vec<_>>()
        });
        for (key, swap) in found.into_iter().flatten() {
            swaps.fields.entry(key).or_default().push(swap);
        }
        swaps
    }

    /// The replacements of a member.
    pub(crate) fn of(&self, key: FieldKey) -> &[Swap] {
        self.fields.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Whether no member is ever replaced.
    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// What a function replaces, itself or by a call, in the order of the text.
    pub(crate) fn replaced(&self, flow: &Flow<'_>) -> Vec<Replaced> {
        let mut out = own(flow);
        if !self.handed.is_empty() {
            for call in flow.calls() {
                let Some(name) = flow.project.names.get(call.name) else { continue };
                for (arg, position) in call.args.iter().zip(0u32..) {
                    let Some(locked) = self.handed.get(&(name, position)) else { continue };
                    let ExprKind::Unary { op: UnaryOp::AddressOf, operand } = flow.kind(flow.strip(*arg)) else {
                        continue;
                    };
                    let place = flow.strip(operand);
                    let locked = *locked || flow.locks.is_locked(call.node);
                    out.push(Replaced { expr: call.expr, node: call.node, place, locked });
                }
            }
        }
        out.sort_by_key(|it| flow.expr(it.expr).span);
        out
    }
}

/// The key of a member.
fn member(flow: &Flow<'_>, place: ExprId) -> Option<FieldKey> {
    match flow.kind(place) {
        ExprKind::Field { name, .. } => Some(FieldKey { owner: flow.field_struct(place), name }),
        _ => None,
    }
}

/// Whether other threads can have the object that a replaced member is in.
pub(crate) fn is_of_shared(flow: &Flow<'_>, it: &Replaced) -> bool {
    matches!(flow.kind(it.place), ExprKind::Field { base, .. } if is_shared(flow, base, it.node))
}

/// The parameter that `*place` is.
fn parameter(flow: &Flow<'_>, place: ExprId) -> Option<u32> {
    let ExprKind::Unary { op: UnaryOp::Deref, operand } = flow.kind(place) else { return None };
    let local = flow.local(operand)?;
    let position = flow.body.locals.get(local.0 as usize)?.parameter?;
    flow.values.definitions(local).is_empty().then_some(position)
}

fn is_place(flow: &Flow<'_>, expr: ExprId) -> bool {
    matches!(flow.kind(expr), ExprKind::Field { .. } | ExprKind::Unary { op: UnaryOp::Deref, .. })
}

/// What a function replaces without a call of another function of the project.
fn own(flow: &Flow<'_>) -> Vec<Replaced> {
    let mut out = Vec::new();
    let mut releases: Vec<(NodeId, ExprId)> = Vec::new();
    for call in flow.calls() {
        let Some(first) = call.args.first().map(|first| flow.strip(*first)) else { continue };
        match call.name {
            "Py_SETREF" | "Py_XSETREF" | "Py_CLEAR" if is_place(flow, first) => {
                let locked = flow.locks.is_locked(call.node);
                out.push(Replaced { expr: call.expr, node: call.node, place: first, locked });
            }
            "Py_DECREF" | "Py_XDECREF" | "Py_DecRef" => releases.push((call.node, first)),
            _ => {}
        }
    }
    if releases.is_empty() {
        return out;
    }
    for (expr, kind, node) in flow.exprs() {
        let ExprKind::Assign { op: None, target, .. } = kind else { continue };
        let place = flow.strip(target);
        if !is_place(flow, place) {
            continue;
        }
        let Some(path) = flow.path(place) else { continue };
        if releases.iter().any(|(at, released)| releases_old(flow, *at, *released, &path, node)) {
            out.push(Replaced { expr, node, place, locked: flow.locks.is_locked(node) });
        }
    }
    out
}

/// Whether a release is one of what a place had in it before the assignment at `write`.
fn releases_old(flow: &Flow<'_>, at: NodeId, released: ExprId, path: &Path, write: NodeId) -> bool {
    let is_before = || flow.cfg.after(at, |node| node == write).binary_search(&write).is_ok();
    let Some(local) = flow.local(released) else {
        // `Py_DECREF(self->a); self->a = v;`
        return is_place(flow, released) && flow.path(released).as_ref() == Some(path) && is_before();
    };
    // `old = self->a; self->a = v; Py_DECREF(old);`, the two last in either order.
    let holds_old = flow.values.reaching(&flow.cfg, local, at).iter().any(|definition| match definition.source {
        Source::Value(value) => {
            let value = flow.strip(value);
            is_place(flow, value)
                && flow.path(value).as_ref() == Some(path)
                && flow.cfg.after(definition.node, |_| false).binary_search(&write).is_ok()
        }
        _ => false,
    });
    // What got a reference of its own is not the one that the place had.
    let counted = || {
        flow.calls().any(|call| {
            borrow::is_incref(call.name) && call.args.first().is_some_and(|arg| flow.local(*arg) == Some(local))
        })
    };
    holds_old && !counted() && (is_before() || flow.cfg.after(write, |_| false).binary_search(&at).is_ok())
}
