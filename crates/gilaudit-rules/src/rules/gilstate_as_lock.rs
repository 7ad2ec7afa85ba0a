//! Flags an attached thread state that is used as a lock around state of C.

use gilaudit_model::source::{ExprId, ExprKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api::{self, LockFamily};
use crate::engine::cfg::{NodeId, Step};
use crate::engine::globals::process_wide;
use crate::engine::index::is_shared;
use crate::engine::objects::{Objectness, objectness};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "gilstate-as-lock",
    summary: "an attached thread state that is used as a lock around state of C",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("gilstate_as_lock.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for call in unit.calls() {
        if !matches!(call.name, "PyGILState_Ensure" | "PyThreadState_Ensure" | "PyEval_RestoreThread")
            || unit.is_unparsed(call.span)
        {
            continue;
        }
        let nodes = attached(unit, call.node);
        let Some(written) = only_state(unit, &nodes) else { continue };
        let message = format!(
            "'{}' attaches the thread, it excludes nobody: nothing between it and its end uses Python, but '{}' is written",
            call.name,
            unit.source(written)
        );
        let mut finding = unit.finding(rule, call.expr, message);
        finding.help = Some(
            "guard the state with a lock of its own: PyMutex (new in Python 3.13), or std::mutex and pthread_mutex_t where no Python runs".to_owned(),
        );
        finding.related.push(unit.related(written, "written here"));
        out.push(finding);
    }
}

/// The steps from where the thread is attached to where that ends.
fn attached(unit: &Unit<'_>, begin: NodeId) -> Vec<NodeId> {
    let ends = |node: NodeId| match unit.cfg.node(node).step {
        Step::Eval(expr) => unit.call(expr).is_some_and(|call| {
            matches!(
                call.name,
                "PyGILState_Release" | "PyThreadState_Release" | "PyEval_SaveThread" | "PyEval_ReleaseThread"
            )
        }),
        _ => false,
    };
    let mut nodes = unit.cfg.after(begin, ends);
    // Without an end here somebody else ends it, after work that is not seen.
    if !nodes.iter().any(|node| ends(*node)) {
        return Vec::new();
    }
    nodes.retain(|node| unit.locks.maybe_held(*node).any(|lock| lock.family == LockFamily::Gil) && !ends(*node));
    nodes
}

/// The shared state of C that is written between two steps, if nothing there has to do with Python: no API, no objects, no call of what is
/// not known.
fn only_state(unit: &Unit<'_>, nodes: &[NodeId]) -> Option<ExprId> {
    let mut written = None;
    for (expr, kind, _) in unit.exprs().filter(|(_, _, node)| nodes.binary_search(node).is_ok()) {
        match kind {
            ExprKind::Call { .. } => {
                let call = unit.call(expr)?;
                if !unit.is_by_name(expr) || !is_harmless(call.name) {
                    return None;
                }
            }
            ExprKind::Assign { target, .. } => note(unit, target, &mut written),
            ExprKind::Update { operand, .. } => note(unit, operand, &mut written),
            ExprKind::Closure { .. } => return None,
            ExprKind::Local(_) | ExprKind::Name(_) | ExprKind::Field { .. } => {
                let object = unit
                    .type_of(expr)
                    .is_some_and(|ty| objectness(unit.project, &unit.analysis.types, ty) == Objectness::Object);
                let named = matches!(kind, ExprKind::Name(name) if unit.text(name).starts_with("Py") || unit.text(name).starts_with("_Py"));
                if object || named && !is_attach(unit, expr) {
                    return None;
                }
            }
            _ => {}
        }
    }
    written
}

/// Whether a name is that of a call which attaches or detaches.
fn is_attach(unit: &Unit<'_>, expr: ExprId) -> bool {
    matches!(unit.kind(expr), ExprKind::Name(name) if api::lock_primitive(unit.text(name)).is_some())
}

fn note(unit: &Unit<'_>, place: ExprId, written: &mut Option<ExprId>) {
    let place = unit.strip(place);
    let shared = process_wide(unit, place).is_some()
        || match (unit.kind(place), unit.cfg.node_of(place)) {
            (ExprKind::Field { base, .. }, Some(node)) => is_shared(unit, base, node),
            _ => false,
        };
    if shared {
        written.get_or_insert(place);
    }
}

/// Functions of the C library that work on what they are given.
fn is_harmless(name: &str) -> bool {
    matches!(
        name.strip_prefix("std::").unwrap_or(name),
        "memcpy"
            | "memset"
            | "memmove"
            | "memcmp"
            | "strlen"
            | "strcmp"
            | "strncmp"
            | "strcpy"
            | "strncpy"
            | "malloc"
            | "calloc"
            | "realloc"
            | "free"
            | "printf"
            | "fprintf"
            | "snprintf"
            | "abs"
            | "time"
            | "clock"
            | "assert"
    )
}
