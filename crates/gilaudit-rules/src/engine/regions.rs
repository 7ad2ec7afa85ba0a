//! Regions of code between a begin and an end: critical sections, detached thread states.

use gilaudit_model::source::{ExprId, ExprKind, Span};

use super::analysis::Unit;
use super::api::LockFamily;
use super::cfg::{NodeId, Step};
use super::flow::Call;
use super::locks::Lock;

/// The region of `family` that is open at a step on every way: what is locked, where it begins (the nearest begin in front of it), and
/// whether it was begun by a macro that opens a scope.
pub(crate) fn open_at<'u>(
    unit: &'u Unit<'_>,
    node: NodeId,
    family: LockFamily,
) -> Option<(&'u Lock, Option<(Span, bool)>)> {
    let lock = unit.locks.held(node).filter(|lock| lock.family == family).last()?;
    let before = unit.cfg.before(node, |_| false);
    let begin = unit
        .locks
        .acquisitions()
        .filter(|(at, acquired, _)| *acquired == lock && before.binary_search(at).is_ok())
        .last()
        .map(|(at, _, span)| (span, is_macro(unit, at)));
    Some((lock, begin))
}

/// Whether a step is the use of one of CPython's `Py_BEGIN_…` macros: those open a scope that must be closed.
fn is_macro(unit: &Unit<'_>, node: NodeId) -> bool {
    match unit.cfg.node(node).step {
        Step::Eval(expr) => unit
            .call(expr)
            .is_some_and(|call| call.name.starts_with("Py_BEGIN_") || call.name.starts_with("Py_XBEGIN_")),
        _ => false,
    }
}

/// Whether a value is stored in a member, a global, or through a pointer, or returned: somebody else ends what it stands for. It may go
/// there by way of a local.
pub(crate) fn is_handed_on(unit: &Unit<'_>, expr: ExprId) -> bool {
    let kept = super::borrow::stored_local(unit, expr).map(|(local, _)| local);
    let copies = kept.into_iter().flat_map(|local| unit.reads(local)).map(|(copy, _)| copy);
    std::iter::once(expr).chain(copies).any(|value| is_stored(unit, value)) || unit.is_returned(expr)
}

/// Whether a value is assigned to something other than a local.
fn is_stored(unit: &Unit<'_>, value: ExprId) -> bool {
    let mut at = value;
    while let Some(parent) = unit.parent(at) {
        match unit.kind(parent) {
            ExprKind::Comma { right, .. } if unit.strip(right) == unit.strip(value) => at = parent,
            ExprKind::Assign { op: None, target, value: assigned } => {
                let is_reached = unit.cfg.node_of(parent).is_some_and(|node| unit.reachable[node.0 as usize]);
                return is_reached
                    && unit.strip(assigned) == unit.strip(value)
                    && !matches!(unit.kind(unit.strip(target)), ExprKind::Local(local)
                        if unit.body.locals.get(local.0 as usize).is_none_or(|local| !local.ty.reference));
            }
            _ => return false,
        }
    }
    false
}

/// Whether a call is one of `names`, or of a function of the project that calls one of them and is named like an end.
pub(crate) fn ends(unit: &Unit<'_>, call: &Call<'_>, names: &[&str]) -> bool {
    if names.contains(&call.name)
        || matches!(
            call.name,
            "Py_Exit"
                | "exit"
                | "abort"
                | "Py_FatalError"
                | "_exit"
                | "pthread_exit"
                | "longjmp"
                | "PyThread_exit_thread"
        )
    {
        return true;
    }
    unit.analysis.index.functions(unit.project, call.name).iter().any(|id| {
        unit.project.function(*id).body.exprs.iter().any(|expr| match expr.kind {
            ExprKind::Name(name) => names.contains(&unit.text(name)),
            _ => false,
        })
    })
}

/// The stdio stream that a call writes to or reads from.
pub(crate) fn stdio_stream(unit: &Unit<'_>, call: &Call<'_>) -> Option<&'static str> {
    let position = match call.name {
        "printf" | "puts" | "putchar" | "vprintf" => return Some("stdout"),
        "scanf" | "getchar" => return Some("stdin"),
        "perror" => return Some("stderr"),
        "fprintf" | "vfprintf" | "fflush" | "fscanf" | "fgetc" | "getc" => 0,
        "fputs" | "fputc" | "putc" => 1,
        "fgets" => 2,
        "fwrite" | "fread" => 3,
        _ => return None,
    };
    let ExprKind::Name(name) = unit.kind(unit.strip(*call.args.get(position)?)) else { return None };
    ["stdout", "stderr", "stdin"].into_iter().find(|stream| *stream == unit.text(name))
}
