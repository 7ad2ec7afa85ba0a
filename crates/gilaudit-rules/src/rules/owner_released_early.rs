//! Flags a pointer into an object that is used after the object was released.

use gilaudit_model::source::{BinaryOp, ExprId, ExprKind, LocalId};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::cfg::NodeId;
use crate::engine::index::emptiness_test;
use crate::engine::{borrow, members};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "owner-released-early",
    summary: "a pointer into an object that is used after the object was released",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("owner_released_early.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for call in unit.calls() {
        let into = matches!(
            call.name,
            "PyTuple_GetItem"
                | "PyTuple_GET_ITEM"
                | "PyUnicode_AsUTF8"
                | "PyUnicode_AsUTF8AndSize"
                | "PyBytes_AS_STRING"
                | "PyBytes_AsString"
                | "PyList_GetItem"
                | "PyList_GET_ITEM"
                | "PyDict_GetItem"
                | "PyDict_GetItemString"
                | "PyDict_GetItemWithError"
        );
        let Some(owner) = call.args.first().and_then(|arg| unit.local(*arg)).filter(|_| into) else { continue };
        let Some((pointer, stored)) = borrow::stored_local(unit, call.expr) else { continue };
        if unit.is_unparsed(call.span) || unit.body.locals[owner.0 as usize].parameter.is_some() || pointer == owner {
            continue;
        }
        // From here on the object may be gone: unless a reference to what was taken out is held.
        let release = unit.calls().find(|release| {
            matches!(release.name, "Py_DECREF" | "Py_XDECREF" | "Py_CLEAR")
                && release.args.first().is_some_and(|arg| unit.local(*arg) == Some(owner))
                && sees(unit, owner, stored, release.node)
        });
        let Some(release) = release else { continue };
        let counted = unit.calls().any(|other| {
            borrow::is_incref(other.name) && other.args.first().is_some_and(|arg| unit.local(*arg) == Some(pointer))
        });
        if counted || holds_another(unit, owner, stored) {
            continue;
        }
        let holding = holding(unit, pointer, stored);
        let mut uses = unit.uses_after(pointer, release.node).into_iter();
        let used = uses.find(|(used, node)| {
            holding.binary_search(node).is_ok() && sees(unit, pointer, stored, *node) && !is_only_tested(unit, *used)
        });
        let Some((used, _)) = used else { continue };
        let name = unit.text(unit.body.locals[owner.0 as usize].name);
        let message = format!(
            "what '{}' gave is used after '{name}' was released: it is only valid while '{name}' is held",
            call.name
        );
        let mut finding = unit.finding(rule, used, message);
        finding.help =
            Some(format!("release '{name}' after the last use, or take a reference (a copy of a string) before it"));
        finding.related.push(unit.related(call.expr, "taken out here"));
        finding.related.push(unit.related(release.expr, "released here"));
        out.push(finding);
    }
}

/// The steps at which a pointer can have what it got at `from`, and not be NULL: a test that found it empty ends the way.
fn holding(unit: &Unit<'_>, pointer: LocalId, from: NodeId) -> Vec<NodeId> {
    let sets = |node: NodeId| unit.values.definitions(pointer).iter().any(|definition| definition.node == node);
    let tests = members::emptiness_tests(unit);
    let empty: Vec<(NodeId, NodeId)> = tests
        .iter()
        .filter(|test| tested_local(unit, test.condition) == Some(pointer))
        .map(|test| (test.node, test.empty))
        .collect();
    let mut seen = vec![false; unit.cfg.len()];
    let mut work: Vec<NodeId> = unit.cfg.node(from).successors.to_vec();
    let mut found = Vec::new();
    while let Some(node) = work.pop() {
        if std::mem::replace(&mut seen[node.0 as usize], true) {
            continue;
        }
        found.push(node);
        if !sets(node) {
            work.extend(unit.cfg.node(node).successors.iter().filter(|next| !empty.contains(&(node, **next))));
        }
    }
    unit.take(found.len());
    found.sort_unstable();
    found
}

/// The local that a condition asks about.
fn tested_local(unit: &Unit<'_>, condition: ExprId) -> Option<LocalId> {
    emptiness_test(unit.body, condition).and_then(|(place, _)| unit.local(place))
}

/// Whether the value that a local got at `from` can be the one it has at `to`.
fn sees(unit: &Unit<'_>, local: LocalId, from: NodeId, to: NodeId) -> bool {
    unit.values.definitions(local).iter().any(|definition| definition.node == from)
        && unit.values.reaching(&unit.cfg, local, to).iter().any(|definition| definition.node == from)
        || !unit.values.definitions(local).iter().any(|definition| definition.node == from)
            && unit
                .cfg
                .after(from, |node| unit.values.definitions(local).iter().any(|definition| definition.node == node))
                .binary_search(&to)
                .is_ok()
}

/// Whether the object is kept alive by something else: its own count was raised, or it went into a container or a member.
fn holds_another(unit: &Unit<'_>, owner: LocalId, from: NodeId) -> bool {
    let around = unit.cfg.before(from, |_| false);
    let is_owner = |expr: &ExprId| unit.local(*expr) == Some(owner);
    unit.exprs().any(|(expr, kind, node)| match kind {
        ExprKind::Call { .. } => unit.call(expr).is_some_and(|call| {
            let keeps = borrow::is_incref(call.name)
                || matches!(
                    call.name,
                    "PyDict_SetItem"
                        | "PyDict_SetItemString"
                        | "PyList_Append"
                        | "PyModule_AddObjectRef"
                        | "PyObject_SetAttr"
                        | "PyObject_SetAttrString"
                        | "PySet_Add"
                        | "PyTuple_Pack"
                        | "PyUnicode_InternInPlace"
                );
            keeps && call.args.iter().any(is_owner)
        }),
        ExprKind::Assign { target, value, .. } => {
            is_owner(&value)
                && matches!(unit.kind(unit.strip(target)), ExprKind::Field { .. } | ExprKind::Name(_))
                && around.binary_search(&node).is_ok()
        }
        _ => false,
    })
}

/// Whether a use only compares the pointer.
fn is_only_tested(unit: &Unit<'_>, used: ExprId) -> bool {
    match unit.parent(used).map(|parent| unit.kind(parent)) {
        Some(ExprKind::Binary { op, .. }) => op.is_comparison() || matches!(op, BinaryOp::And | BinaryOp::Or),
        Some(ExprKind::Conditional { condition, .. }) => unit.strip(condition) == used,
        Some(ExprKind::Unary { op: gilaudit_model::source::UnaryOp::Not, .. }) => true,
        None => unit.body.stmts.iter().all(|stmt| !matches!(stmt.kind, gilaudit_model::source::StmtKind::Return(Some(value)) if unit.strip(value) == used)),
        _ => false,
    }
}
