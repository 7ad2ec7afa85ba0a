//! Structs that hold the state of a module: all threads that use the module share it.

use std::collections::HashSet;

use gilaudit_model::source::{ExprId, ExprKind, Name, Project, StmtKind, StructId};

use super::index::Types;
use super::values::{callee, strip};

/// The structs that what the interpreter gives as a module's state is taken for.
pub(crate) fn structs(project: &Project, types: &Types) -> HashSet<StructId> {
    let mut out = HashSet::new();
    let mut add = |name: Name| out.extend(types.struct_named(project, name));
    for function in &project.functions {
        let body = &function.body;
        let gives = |expr: ExprId| {
            let name = callee(body, strip(body, expr)).map_or("", |name| project.text(name));
            matches!(
                name,
                "PyModule_GetState" | "PyType_GetModuleState" | "_PyModule_GetState" | "_PyType_GetModuleState"
            )
        };
        for expr in &body.exprs {
            if let ExprKind::Cast { base, pointers: 1, value } = expr.kind
                && gives(value)
            {
                add(base);
            }
        }
        for stmt in &body.stmts {
            match stmt.kind {
                StmtKind::Declare { local, init: Some(init) } if gives(init) => {
                    add(body.locals[local.0 as usize].ty.base);
                }
                StmtKind::Return(Some(value)) if gives(value) || is_conditional(body, value, &gives) => {
                    add(function.result.base);
                }
                StmtKind::Expr(expr) => {
                    if let ExprKind::Assign { op: None, target, value } = body.kind(expr)
                        && let ExprKind::Local(local) = body.kind(target)
                        && gives(value)
                    {
                        add(body.locals[local.0 as usize].ty.base);
                    }
                }
                _ => {}
            }
        }
    }
    out
}

fn is_conditional(body: &gilaudit_model::source::Body, value: ExprId, gives: &impl Fn(ExprId) -> bool) -> bool {
    matches!(body.kind(strip(body, value)), ExprKind::Conditional { then, otherwise, .. } if gives(then) || gives(otherwise))
}
