//! Flags a critical section on an object that does not guard what is done in it.

use gilaudit_model::source::ExprId;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api::LockFamily;
use crate::engine::cfg::{NodeId, Step};
use crate::engine::index::{emptiness_test, is_shared};
use crate::engine::values::{Base, Path, Root};
use crate::engine::{exempt, members};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "wrong-lock-object",
    summary: "a critical section on an object that does not guard what is done in it",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("wrong_lock_object.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for (node, lock, span) in unit.locks.acquisitions() {
        let Some(object) = lock.object.filter(|_| lock.family == LockFamily::Section) else { continue };
        if !unit.reachable[node.0 as usize] || unit.is_unparsed(span) {
            continue;
        }
        // A macro of the project is written for all kinds of objects.
        let text = unit.file().text_of(span);
        if !text.starts_with("Py_BEGIN_") && !text.starts_with("PyCriticalSection_") {
            continue;
        }
        let name = unit.source(object);
        let (what, help, place) = if is_made_here(unit, object, node) {
            (
                format!("'{name}' was made here and no other thread has it: locking it excludes nobody"),
                "lock the object that the other threads use, or leave the section out".to_owned(),
                None,
            )
        } else if exempt::is_call_arguments(unit, object, node) {
            (
                format!("'{name}' belongs to this call alone: locking it excludes nobody"),
                "lock 'self', or the argument whose contents are read".to_owned(),
                None,
            )
        } else if let Some(test) = tested_later(unit, object, node) {
            (
                format!("'{name}' can be NULL, as the test after it says: a critical section reads the object's lock"),
                "test it before the section; Py_XBEGIN_CRITICAL_SECTION is private".to_owned(),
                Some((test, "tested here")),
            )
        } else if text.contains("_MUTEX") {
            // A mutex guards what its owner says.
            continue;
        } else if let Some((written, other)) = guards_another(unit, object, lock.path.as_ref(), node) {
            (
                format!("the section locks '{name}', but only members of '{other}' are written in it"),
                format!("lock '{other}', or both with Py_BEGIN_CRITICAL_SECTION2 (new in Python 3.13)"),
                Some((written, "written here")),
            )
        } else {
            continue;
        };
        let mut finding = unit.finding_at(rule, span, what);
        finding.help = Some(help);
        finding.related.extend(place.map(|(place, what)| unit.related(place, what)));
        out.push(finding);
    }
}

/// Whether the object was made in this very function, and nobody else has it yet.
fn is_made_here(unit: &Unit<'_>, object: ExprId, node: NodeId) -> bool {
    let from_call = |root: &Root| matches!(root, Root::Call(_) | Root::Constant);
    exempt::is_fresh(unit, object, node) && unit.roots(object, node).iter().all(from_call)
}

/// The steps inside the section that begins at a step.
fn inside(unit: &Unit<'_>, begin: NodeId) -> Vec<NodeId> {
    let is_open = |node: NodeId| unit.locks.maybe_held(node).any(|lock| lock.family == LockFamily::Section);
    let mut nodes = unit.cfg.after(begin, |node| !is_open(node));
    nodes.retain(|node| is_open(*node));
    nodes
}

/// A test in or behind the section of whether the locked variable is NULL, which has kept its value.
fn tested_later(unit: &Unit<'_>, object: ExprId, begin: NodeId) -> Option<ExprId> {
    let local = unit.local(object)?;
    let sets = |node: NodeId| unit.values.definitions(local).iter().any(|definition| definition.node == node);
    let later = unit.cfg.after(begin, sets);
    let earlier = unit.cfg.before(begin, |_| false);
    let test = |nodes: &[NodeId]| {
        nodes.iter().find_map(|node| match unit.cfg.node(*node).step {
            Step::Branch(condition) => emptiness_test(unit.body, condition)
                .is_some_and(|(place, _)| {
                    unit.local(place) == Some(local) && unit.strip(place) != unit.strip(condition)
                })
                .then_some(condition),
            _ => None,
        })
    };
    // A test in front of it means that it is not NULL here.
    test(&earlier).is_none().then(|| test(&later))?
}

/// A write to a member of another object than the locked one, where nothing of the locked one is used at all.
fn guards_another<'p>(
    unit: &Unit<'p>,
    object: ExprId,
    locked: Option<&Path>,
    begin: NodeId,
) -> Option<(ExprId, &'p str)> {
    let locked = locked?;
    let nodes = inside(unit, begin);
    let is_inside = |node: NodeId| nodes.binary_search(&node).is_ok();
    let mut written = None;
    for (expr, kind, node) in unit.exprs().filter(|(_, _, node)| is_inside(*node)) {
        if expr == unit.strip(object) {
            continue;
        }
        let path = match kind {
            gilaudit_model::source::ExprKind::Local(_)
            | gilaudit_model::source::ExprKind::Name(_)
            | gilaudit_model::source::ExprKind::Field { .. } => unit.path(expr),
            _ => None,
        };
        // Anything that is reached from the locked object, or that it is reached from, may be what the lock is for.
        if path.is_some_and(|path| path.base == locked.base) {
            return None;
        }
        if let gilaudit_model::source::ExprKind::Field { base, .. } = kind
            && members::is_written(unit, expr)
            && is_shared(unit, base, node)
            && unit.struct_of(base).is_some_and(|id| unit.project.structs[id.0 as usize].is_object)
        {
            written.get_or_insert((expr, base));
        }
    }
    let (written, base) = written?;
    match (unit.path(base)?.base, locked.base) {
        (Base::Local(other), Base::Local(_)) => {
            let local = unit.body.locals.get(other.0 as usize)?;
            local.parameter.map(|_| (written, unit.text(local.name)))
        }
        _ => None,
    }
}
