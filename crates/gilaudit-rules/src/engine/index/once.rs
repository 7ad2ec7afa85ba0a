//! What runs once while other threads wait: what is handed to `std::call_once` and its like, or to a function that hands it on.

use std::collections::HashMap;

use gilaudit_model::source::{Body, ExprId, ExprKind, LocalId, Name, Project, Span, StmtKind};

use crate::engine::api;
use crate::engine::values::{callee, strip};

/// Functions of the project that run what they are given once, and the positions of those arguments.
pub(super) type Runners = HashMap<Name, Vec<usize>>;

/// The arguments that calls in this body run once.
pub(super) fn runs<'b>(
    project: &'b Project,
    body: &'b Body,
    runners: &'b Runners,
) -> impl Iterator<Item = ExprId> + 'b {
    (0..body.exprs.len() as u32).map(ExprId).flat_map(move |call| {
        let ExprKind::Call { args, .. } = body.kind(call) else { return Vec::new() };
        let Some(name) = callee(body, call) else { return Vec::new() };
        let own = api::runs_once(project.text(name)).into_iter();
        let positions = own.chain(runners.get(&name).into_iter().flatten().copied());
        positions.filter_map(|position| body.list(args).get(position).copied()).collect()
    })
}

/// The code that runs once: function literals that are handed over, directly or by the name of a variable that is used for nothing else.
pub(super) fn regions(project: &Project, body: &Body, runners: &Runners) -> Vec<Span> {
    let handed: Vec<ExprId> = runs(project, body, runners).map(|arg| strip(body, arg)).collect();
    let literal = |arg: &ExprId| match body.kind(*arg) {
        ExprKind::Closure { immediate: false, .. } => Some(*arg),
        ExprKind::Local(local) => only_literal(body, local, *arg),
        _ => None,
    };
    handed.iter().filter_map(literal).map(|literal| body.expr(literal).span).collect()
}

/// The function literal that a variable is declared with, if this is its only use.
fn only_literal(body: &Body, local: LocalId, only: ExprId) -> Option<ExprId> {
    let mut uses = (0..body.exprs.len() as u32).map(ExprId).filter(|it| body.kind(*it) == ExprKind::Local(local));
    if uses.any(|it| it != only) {
        return None;
    }
    body.stmts.iter().find_map(|stmt| match stmt.kind {
        StmtKind::Declare { local: declared, init: Some(init) } if declared == local => {
            let init = strip(body, init);
            matches!(body.kind(init), ExprKind::Closure { immediate: false, .. }).then_some(init)
        }
        _ => None,
    })
}

/// The functions that call a parameter only in code that runs once: `template<F> void once(F &&f) { std::call_once(flag, [&] { f(); }); }`.
pub(super) fn runners(project: &Project) -> Runners {
    let mut out: Runners = HashMap::new();
    let none = Runners::new();
    for function in &project.functions {
        let body = &function.body;
        let regions = regions(project, body, &none);
        let handed: Vec<ExprId> = runs(project, body, &none).map(|arg| strip(body, arg)).collect();
        if handed.is_empty() {
            continue;
        }
        let mut called: Vec<ExprId> = Vec::new();
        for expr in &body.exprs {
            if let ExprKind::Call { callee, .. } = expr.kind
                && regions.iter().any(|region| region.contains(expr.span))
            {
                called.push(strip(body, callee));
            }
        }
        for (position, parameter) in function.parameters.iter().enumerate() {
            let ids = (0..body.exprs.len() as u32).map(ExprId);
            let mut uses = ids.filter(|it| body.kind(*it) == ExprKind::Local(*parameter)).peekable();
            if uses.peek().is_some() && uses.all(|it| called.contains(&it) || handed.contains(&it)) {
                out.entry(function.name).or_default().push(position);
            }
        }
    }
    out
}
