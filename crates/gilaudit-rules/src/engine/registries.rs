//! Variables and members in which objects are found by others, and which keep no references.

use std::collections::{HashMap, HashSet};

use gilaudit_model::source::{Body, ExprId, ExprKind, FunctionId, Name, Project, StmtKind};

use super::index::Index;
use super::values::{callee, strip};

/// The names of what the functions that destroy objects take them out of without releasing them, each with a place where one does:
/// `map.erase(self)`, `the_instance = NULL`. Nothing that is released anywhere is among them: that keeps references.
pub(super) fn weak(project: &Project, index: &Index) -> HashMap<Name, (FunctionId, ExprId)> {
    let mut weak = HashMap::new();
    for id in project.function_ids() {
        let body = &project.function(id).body;
        let destroys = index.lifecycle.get(id.0 as usize).copied().unwrap_or(false)
            || project.text(project.function(id).name).to_ascii_lowercase().contains("dealloc");
        if !destroys {
            continue;
        }
        for (position, expr) in body.exprs.iter().enumerate() {
            let at = ExprId(position as u32);
            let forgotten = match expr.kind {
                ExprKind::Call { .. } => {
                    let name = callee(body, at).map_or("", |name| project.text(name));
                    let erases = name.starts_with("erase") || matches!(name, "remove" | "extract");
                    erases.then(|| container_of(body, at)).flatten()
                }
                ExprKind::Assign { op: None, target, value } => {
                    let empties = matches!(body.kind(strip(body, value)), ExprKind::Null | ExprKind::Number(Some(0)));
                    let variable = matches!(body.kind(strip(body, target)), ExprKind::Name(_) | ExprKind::Index { .. });
                    (empties && variable).then(|| container_name(body, target)).flatten()
                }
                _ => None,
            };
            if let Some(name) = forgotten {
                weak.entry(name).or_insert((id, at));
            }
        }
    }
    if !weak.is_empty() {
        let released = released(project);
        weak.retain(|name, _| !released.contains(name));
    }
    weak
}

/// What is released somewhere, by name.
fn released(project: &Project) -> HashSet<Name> {
    let releases: HashSet<Name> = ["Py_DECREF", "Py_XDECREF", "Py_CLEAR", "Py_SETREF", "Py_XSETREF"]
        .iter()
        .filter_map(|name| project.names.get(name))
        .collect();
    let mut out = HashSet::new();
    for function in &project.functions {
        let body = &function.body;
        for (position, expr) in body.exprs.iter().enumerate() {
            let ExprKind::Call { args, .. } = expr.kind else { continue };
            if callee(body, ExprId(position as u32)).is_some_and(|name| releases.contains(&name)) {
                out.extend(body.list(args).first().and_then(|arg| container_name(body, *arg)));
            }
        }
    }
    out
}

/// The container that a method is called on, by its name.
pub(crate) fn container_of(body: &Body, call: ExprId) -> Option<Name> {
    let ExprKind::Call { callee, .. } = body.kind(call) else { return None };
    match body.kind(strip(body, callee)) {
        ExprKind::Field { base, .. } => container_name(body, base),
        _ => None,
    }
}

fn container_name(body: &Body, expr: ExprId) -> Option<Name> {
    match body.kind(strip(body, expr)) {
        ExprKind::Name(name) | ExprKind::Field { name, .. } => Some(name),
        ExprKind::Index { base, .. } => container_name(body, base),
        // A reference to it.
        ExprKind::Local(local) if body.locals.get(local.0 as usize).is_some_and(|local| local.ty.reference) => {
            body.stmts.iter().find_map(|stmt| match stmt.kind {
                StmtKind::Declare { local: declared, init: Some(init) } if declared == local => {
                    container_name(body, init)
                }
                _ => None,
            })
        }
        _ => None,
    }
}
