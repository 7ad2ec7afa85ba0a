//! Borrowed references: calls that give one from a container that others can change, and what is done with it.

use std::cmp::Ordering;

use gilaudit_model::source::{ExprId, ExprKind, LocalId};
use gilaudit_model::{Confidence, Finding};

use super::analysis::Unit;
use super::api::{self, Borrowed};
use super::cfg::{NodeId, Step};
use super::exempt;
use super::flow::Call;
use super::values::{Root, Source};
use crate::Rule;

/// What is done with a borrowed reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Use {
    /// Only compared with `NULL`: the object itself is not touched.
    Tested,
    /// Handed to one call at once, or read.
    Read,
    /// Kept while other API runs, stored, or returned.
    Kept,
    /// A new reference is made from it: the count of an object that may be gone is changed.
    Increfed,
}

/// A borrowed reference that nothing protects.
pub(crate) struct Borrow<'p> {
    pub(crate) call: Call<'p>,
    pub(crate) api: Borrowed,
    pub(crate) container: Option<ExprId>,
    pub(crate) used: Use,
    /// Where the use is that says so.
    pub(crate) place: Option<ExprId>,
}

/// The calls that `rule` covers and that no exemption takes out.
pub(crate) fn unprotected<'p>(unit: &Unit<'p>, rule: &str) -> Vec<Borrow<'p>> {
    if unit.is_init() || exempt::is_polyfill(unit) || exempt::is_single_threaded(unit) {
        return Vec::new();
    }
    let mut out = Vec::new();
    for call in unit.calls() {
        let Some(api) = api::borrowed(call.name).filter(|api| api.rule == rule) else { continue };
        let container = api.owner.and_then(|index| call.args.get(index).copied());
        // What protects a container keeps its items alive. Nothing that protects a weak reference keeps its referent.
        let protects = rule != "borrowed-weakref";
        if unit.is_unparsed(call.span)
            || protects && container.is_some_and(|container| is_protected(unit, container, call.node))
        {
            continue;
        }
        let (used, place) = usage(unit, call.expr);
        out.push(Borrow { call, api, container, used, place });
    }
    out
}

/// Whether nobody can change the container while the reference is used: E3 to E6, E8 and E13.
pub(crate) fn is_protected(unit: &Unit<'_>, container: ExprId, at: NodeId) -> bool {
    exempt::is_fresh(unit, container, at)
        || exempt::is_call_arguments(unit, container, at)
        || exempt::is_container_locked(unit, container, at)
        || exempt::is_frozen(unit, container)
        || exempt::is_reached_by_thread(unit, container)
}

/// What is done with the value of `expr`, at its strongest.
pub(crate) fn usage(unit: &Unit<'_>, expr: ExprId) -> (Use, Option<ExprId>) {
    let direct = direct_use(unit, expr);
    if direct.0 > Use::Tested {
        return direct;
    }
    match stored_local(unit, expr) {
        Some((local, node)) => local_use(unit, local, node),
        None => direct,
    }
}

/// What the expression around a value does with it.
fn direct_use(unit: &Unit<'_>, expr: ExprId) -> (Use, Option<ExprId>) {
    let Some(parent) = unit.parent(expr) else {
        return (if unit.is_returned(expr) { Use::Kept } else { Use::Tested }, Some(expr));
    };
    match unit.kind(parent) {
        ExprKind::Call { .. } => {
            let name = unit.call(parent).map_or("", |call| call.name);
            let used = if is_incref(name) {
                Use::Increfed
            } else if matches!(name, "Py_DECREF" | "Py_XDECREF") {
                Use::Kept
            } else {
                Use::Read
            };
            (used, Some(parent))
        }
        ExprKind::Assign { target, value, .. } if unit.strip(value) == expr => match unit.kind(unit.strip(target)) {
            ExprKind::Local(_) => (Use::Tested, Some(parent)),
            _ => (Use::Kept, Some(parent)),
        },
        ExprKind::Conditional { .. } | ExprKind::Comma { .. } => direct_use(unit, parent),
        ExprKind::Field { .. } | ExprKind::Index { .. } => (Use::Read, Some(parent)),
        ExprKind::Unary { op: gilaudit_model::source::UnaryOp::Deref, .. } => (Use::Read, Some(parent)),
        _ => (Use::Tested, Some(parent)),
    }
}

/// The local that a value goes into, and from which step on.
pub(crate) fn stored_local(unit: &Unit<'_>, expr: ExprId) -> Option<(LocalId, NodeId)> {
    let mut at = expr;
    while let Some(parent) = unit.parent(at) {
        match unit.kind(parent) {
            ExprKind::Assign { op: None, target, value } if unit.strip(value) == unit.strip(at) => {
                return Some((unit.local(target)?, unit.cfg.node_of(parent)?));
            }
            ExprKind::Conditional { .. } | ExprKind::Comma { .. } => at = parent,
            _ => return None,
        }
    }
    let node = unit.cfg.ids().find(|node| match unit.cfg.node(*node).step {
        Step::Declare(_, Some(init)) => unit.strip(init) == unit.strip(at),
        _ => false,
    })?;
    match unit.cfg.node(node).step {
        Step::Declare(local, _) => Some((local, node)),
        _ => None,
    }
}

/// What happens to a borrowed reference in a local after `node`, at its strongest.
pub(crate) fn local_use(unit: &Unit<'_>, local: LocalId, node: NodeId) -> (Use, Option<ExprId>) {
    if unit.body.locals[local.0 as usize].is_static {
        return (Use::Kept, None);
    }
    let fates = unit.fates(local);
    let after = unit.cfg.node(node).successors.iter();
    let strongest = after.filter_map(|next| fates.get(next.0 as usize)).fold(Fate::NONE, |known, fate| known.or(*fate));
    (strongest.plain.0, strongest.plain.1.map(|(_, place)| place))
}

/// The strongest use, the expression that is used, and where the use is.
type Strongest = (Use, Option<(ExprId, ExprId)>);

/// What is done with the value that a local has before a step, at its strongest, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    /// If nothing ran since it got there.
    plain: Strongest,
    /// If some API call ran: what is read then has been kept.
    kept: Strongest,
}

impl Fate {
    const NONE: Self = Self { plain: (Use::Tested, None), kept: (Use::Tested, None) };

    /// The stronger of two; of equals, the one that comes first in the text.
    fn or(self, other: Self) -> Self {
        let stronger = |a: Strongest, b: Strongest| match a.0.cmp(&b.0) {
            Ordering::Less => b,
            Ordering::Greater => a,
            Ordering::Equal => (a.0, a.1.into_iter().chain(b.1).min()),
        };
        Self { plain: stronger(self.plain, other.plain), kept: stronger(self.kept, other.kept) }
    }
}

/// For every step, what is done with the value that a local has before it, until it gets another one. Worked out once for all values of
/// the local, from the ends to the beginning.
pub(crate) fn fates(unit: &Unit<'_>, local: LocalId) -> Vec<Fate> {
    let count = unit.cfg.len();
    let (mut here, mut ends, mut runs) = (vec![Fate::NONE; count], vec![false; count], vec![false; count]);
    for (expr, node) in unit.reads(local) {
        let mut used = direct_use(unit, expr);
        if matches!(unit.cfg.node(node).step, Step::Return(Some(value)) if unit.strip(value) == expr) {
            used = (Use::Kept, Some(expr));
        }
        // What is only tested is not worth pointing at.
        let place = used.1.filter(|_| used.0 != Use::Tested).map(|place| (expr, place));
        let kept = if used.0 == Use::Read { Use::Kept } else { used.0 };
        let fate = Fate { plain: (used.0, place), kept: (kept, place) };
        here[node.0 as usize] = here[node.0 as usize].or(fate);
    }
    for definition in unit.values.definitions(local) {
        ends[definition.node.0 as usize] |= !matches!(definition.source, Source::Changed(_));
    }
    for call in unit.calls().filter(|call| api::is_exported_function(call.name)) {
        runs[call.node.0 as usize] = true;
    }
    let mut fates = here.clone();
    let mut waits = vec![true; count];
    let mut work: Vec<NodeId> = unit.cfg.ids().collect();
    let mut steps = 0;
    while let Some(node) = work.pop() {
        steps += 1;
        let at = node.0 as usize;
        waits[at] = false;
        if ends[at] {
            continue;
        }
        let later = unit.cfg.node(node).successors.iter().map(|next| fates[next.0 as usize]);
        let later = later.fold(Fate::NONE, Fate::or);
        let later = if runs[at] { Fate { plain: later.kept, ..later } } else { later };
        let fate = here[at].or(later);
        if std::mem::replace(&mut fates[at], fate) != fate {
            for before in unit.cfg.node(node).predecessors {
                if !std::mem::replace(&mut waits[before.0 as usize], true) {
                    work.push(*before);
                }
            }
        }
    }
    unit.take(steps);
    fates
}

/// Whether a function makes a new reference to its argument.
pub(crate) fn is_incref(name: &str) -> bool {
    let name = name.rsplit("::").next().unwrap_or(name);
    matches!(name, "Py_INCREF" | "Py_XINCREF" | "Py_NewRef" | "Py_XNewRef" | "_Py_NewRef" | "_Py_XNewRef" | "Py_IncRef")
        || matches!(name, "reinterpret_borrow" | "borrow" | "xincref" | "incref" | "newref" | "xnewref")
}

/// How sure one can be that another thread changes the container while the reference is used.
pub(crate) fn confidence(unit: &Unit<'_>, borrow: &Borrow<'_>) -> Confidence {
    if borrow.used == Use::Tested {
        return Confidence::Low;
    }
    let shared = borrow.container.is_none_or(|container| {
        unit.roots(container, borrow.call.node).iter().any(|root| !matches!(root, Root::Constant | Root::Unknown))
    });
    let callable = unit.is_callable() || unit.analysis.index.roles.is_empty();
    match (borrow.used, shared && callable) {
        (Use::Kept | Use::Increfed, true) => Confidence::High,
        _ => Confidence::Medium,
    }
}

/// Reports a borrowed reference. `what` is what can happen to the container: "remove the item from the list".
pub(crate) fn report(unit: &Unit<'_>, rule: &Rule, borrow: &Borrow<'_>, what: &str) -> Finding {
    let use_text = match borrow.used {
        Use::Increfed => "before its reference count is raised here",
        Use::Kept => "while it is kept and used",
        Use::Read | Use::Tested => "before it is used",
    };
    let message =
        format!("'{}' gives a borrowed reference, and another thread can {what} {use_text}", borrow.call.name);
    let mut finding = unit.finding(rule, borrow.call.expr, message);
    finding.confidence = confidence(unit, borrow).min(rule.confidence);
    if rule.id == "borrowed-weakref" {
        finding.confidence = rule.confidence;
    }
    finding.help = Some(format!(
        "call {}, and release the strong reference on every way out; or hold a critical section on the container from the call to \
         the last use",
        borrow.api.advice()
    ));
    if let Some(place) = borrow.place.filter(|place| *place != borrow.call.expr) {
        let span = unit.body.expr(place).span;
        if span != borrow.call.span && !span_contains(span, borrow.call.span) {
            let what = if borrow.used == Use::Increfed { "the new reference is made here" } else { "used here" };
            finding.related.push(unit.related(place, what));
        }
    }
    finding
}

fn span_contains(outer: gilaudit_model::source::Span, inner: gilaudit_model::source::Span) -> bool {
    outer.contains(inner)
}
