//! Flags a call that blocks while the thread is attached.

use gilaudit_model::source::{ExprId, ExprKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api::{self, Blocking, LockFamily};
use crate::engine::cfg::{NodeId, Step};
use crate::engine::exempt;
use crate::engine::flow::Call;
use crate::engine::locks::Change;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "blocking-while-attached",
    summary: "a call that blocks while the thread is attached, so that stop-the-world waits for it",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("blocking_while_attached.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if !unit.calls().any(|call| blocks(unit, &call).is_some()) || !is_attached(unit) {
        return;
    }
    let mut reported: Vec<&str> = Vec::new();
    for call in unit.calls() {
        let Some((how, note)) = blocks(unit, &call) else { continue };
        if unit.is_unparsed(call.span)
            || reported.contains(&call.name)
            || unit.locks.maybe_held(call.node).any(|lock| lock.family == LockFamily::Detached)
            || returns_at_once(unit, &call, note)
        {
            continue;
        }
        let confidence = match how {
            Blocking::Io if on_file(unit, &call) => Confidence::Low,
            Blocking::Wait | Blocking::Sleep | Blocking::Io => Confidence::Medium,
            // Where nothing blocks under the lock the wait is short; where Python code runs, `python-under-plain-lock` says so.
            Blocking::Lock if is_held_long(unit, &call) => Confidence::Medium,
            Blocking::Lock | Blocking::File => Confidence::Low,
        };
        reported.push(call.name);
        let message = format!(
            "'{}' can block for long while the thread is attached: the collector and all that stops the world waits for it, and with it every thread",
            call.name
        );
        let mut finding = unit.finding(rule, call.expr, message);
        finding.confidence = confidence;
        finding.help = Some(match how {
            Blocking::Lock => "use a PyMutex (new in Python 3.13), whose waiters detach; or put Py_BEGIN_ALLOW_THREADS around the wait".to_owned(),
            _ => "put Py_BEGIN_ALLOW_THREADS and Py_END_ALLOW_THREADS around it: also without the GIL they say that the thread does not use objects".to_owned(),
        });
        out.push(finding);
    }
}

fn blocks(unit: &Unit<'_>, call: &Call<'_>) -> Option<(Blocking, &'static str)> {
    // A function or method of the project by that name is something else.
    let known = api::blocking(call.name)?;
    (unit.is_by_name(call.expr) && unit.analysis.index.functions(unit.project, call.name).is_empty()).then_some(known)
}

/// Whether the function certainly runs attached: Python calls it, or it calls the API itself; not from where the state is detached.
fn is_attached(unit: &Unit<'_>) -> bool {
    if unit.is_init() || unit.is_called_detached() || exempt::is_single_threaded(unit) || !unit.is_callable() {
        return false;
    }
    // What attaches itself, or runs on a thread of its own, is attached only in parts: followed by what is held there.
    if unit.locks.locks.iter().any(|lock| lock.family == LockFamily::Gil) {
        return false;
    }
    // Whoever attaches again before it ever detached was called detached.
    let ends_callers = unit.locks.changes.iter().any(|(node, change, _)| {
        let ends = match change {
            Change::Acquire(_) => false,
            Change::Release(lock) => unit.locks.locks[*lock].family == LockFamily::Detached,
            Change::ReleaseLast(family) => *family == LockFamily::Detached,
        };
        ends && !unit.locks.maybe_held(*node).any(|lock| lock.family == LockFamily::Detached)
    });
    if ends_callers {
        return false;
    }
    let index = &unit.analysis.index;
    !index.roles_of(unit.function.name).is_empty()
        || unit.calls().any(|call| {
            api::is_exported_function(call.name)
                && !api::is_detach_safe(call.name)
                && !unit.locks.maybe_held(call.node).any(|lock| lock.family == LockFamily::Detached)
        })
}

/// Whether the arguments say that the call does not wait.
fn returns_at_once(unit: &Unit<'_>, call: &Call<'_>, note: &str) -> bool {
    let says = |name: &str| {
        ["NOWAIT", "DONTWAIT", "NONBLOCK", "WNOHANG", "LOCK_NB", "LOCK_UN", "F_TLOCK", "F_ULOCK", "_NUMERICHOST"]
            .iter()
            .any(|word| name.contains(word))
    };
    fn mentions(unit: &Unit<'_>, expr: ExprId, says: &dyn Fn(&str) -> bool) -> bool {
        match unit.kind(expr) {
            ExprKind::Name(name) => says(unit.text(name)),
            _ => unit.body.children(expr).into_iter().any(|child| mentions(unit, child, says)),
        }
    }
    let zero = |arg: &ExprId| match unit.kind(unit.strip(*arg)) {
        ExprKind::Number(number) => number == Some(0),
        // A timeout in a struct: of the caller's choice, or zero.
        ExprKind::Unary { op: gilaudit_model::source::UnaryOp::AddressOf, .. } => true,
        _ => false,
    };
    call.args.iter().any(|arg| mentions(unit, *arg, &says))
        || note.contains("zero timeout") && call.args.iter().skip(1).any(zero)
        || is_nonblocking(unit)
}

/// Whether what is read or written is a file: the function opens it by its path, or positions in it.
fn on_file(unit: &Unit<'_>, call: &Call<'_>) -> bool {
    matches!(call.name, "read" | "write" | "readv" | "writev" | "ReadFile" | "WriteFile")
        && unit.calls().any(|other| {
            matches!(
                other.name,
                "open" | "openat" | "lseek" | "lseek64" | "fstat" | "CreateFileW" | "CreateFileA" | "SetFilePointer"
            )
        })
}

/// Whether the function makes its descriptor one that does not block.
fn is_nonblocking(unit: &Unit<'_>) -> bool {
    unit.body.exprs.iter().any(|expr| match expr.kind {
        ExprKind::Name(name) => matches!(unit.text(name), "O_NONBLOCK" | "SOCK_NONBLOCK" | "FIONBIO"),
        _ => false,
    })
}

/// Whether something that blocks runs while the lock is held that is waited for here.
fn is_held_long(unit: &Unit<'_>, call: &Call<'_>) -> bool {
    let taken = unit.locks.acquisitions().find(|(node, _, _)| *node == call.node).map(|(_, lock, _)| lock);
    let Some(taken) = taken else { return false };
    let is_under = |node: NodeId| unit.locks.held(node).any(|lock| lock == taken);
    unit.calls().any(|other| {
        is_under(other.node)
            && matches!(unit.cfg.node(other.node).step, Step::Eval(_))
            && api::blocking(other.name)
                .is_some_and(|(how, _)| matches!(how, Blocking::Io | Blocking::Wait | Blocking::Sleep))
    })
}
