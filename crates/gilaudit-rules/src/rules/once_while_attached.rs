//! Flags a one-time initialisation that calls the Python API while other threads wait for it attached.

use gilaudit_model::source::{Body, ExprId, ExprKind, Language, Span, UnaryOp};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api::{self, RunsPython};
use crate::engine::cfg::{NodeId, Step};
use crate::engine::objects::is_wrapper;
use crate::engine::values::{callee, strip};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "once-while-attached",
    summary: "a one-time initialisation that calls the Python API while others wait for it attached",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("once_while_attached.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.is_init() {
        return;
    }
    for call in unit.calls() {
        let Some(position) = api::runs_once(call.name) else { continue };
        let Some(function) = call.args.get(position).copied() else { continue };
        report(unit, rule, call.node, call.span, &format!("'{}'", call.name), python_call(unit, function), out);
    }
    if unit.file().language != Language::Cpp || !unit.body.locals.iter().any(|local| local.is_static) {
        return;
    }
    for node in unit.cfg.ids() {
        let Step::Declare(local, Some(init)) = unit.cfg.node(node).step else { continue };
        let declared = &unit.body.locals[local.0 as usize];
        // The wrappers have a rule of their own, `static-py-object`.
        if !declared.is_static
            || declared.thread_local
            || is_wrapper(unit.text(declared.ty.base)) && declared.ty.pointers == 0
        {
            continue;
        }
        let what = format!("the initialiser of the static '{}'", unit.text(declared.name));
        report(unit, rule, node, declared.span, &what, python_call(unit, init), out);
    }
}

fn report(
    unit: &Unit<'_>,
    rule: &Rule,
    node: NodeId,
    span: Span,
    what: &str,
    found: Option<(String, RunsPython)>,
    out: &mut Vec<Finding>,
) {
    let Some((api, runs)) = found else { return };
    if !unit.reachable[node.0 as usize] || unit.is_unparsed(span) || unit.locks.is_detached(node) {
        return;
    }
    let message = format!(
        "{what} calls '{api}' while other threads wait for it attached: when the call has to wait for one of them, or the collector stops them, all stand still"
    );
    let mut finding = unit.finding_at(rule, span, message);
    finding.confidence = if runs == RunsPython::No { Confidence::Low } else { Confidence::Medium };
    finding.help = Some(
        "do it when the module is imported; or use a call_once whose waiters detach: pybind11's gil_safe_call_once_and_store (2.12), or detach around the wait (Py_BEGIN_ALLOW_THREADS) and attach inside"
            .to_owned(),
    );
    out.push(finding);
}

/// The first Python API that an initialiser calls: in an expression, a closure in it, or a function of the project that it names.
fn python_call(unit: &Unit<'_>, init: ExprId) -> Option<(String, RunsPython)> {
    let span = unit.expr(init).span;
    let mut found = strongest(unit, unit.body, |expr| span.contains(unit.expr(expr).span));
    let named = match unit.kind(unit.strip(init)) {
        ExprKind::Name(name) => Some(name),
        ExprKind::Unary { op: UnaryOp::AddressOf, operand } => match unit.kind(operand) {
            ExprKind::Name(name) => Some(name),
            _ => None,
        },
        ExprKind::Call { .. } => callee(unit.body, unit.strip(init)),
        _ => None,
    };
    if found.is_none()
        && let Some(name) = named
    {
        let functions = unit.analysis.index.functions(unit.project, unit.text(name));
        found = functions.iter().find_map(|id| strongest(unit, &unit.project.function(*id).body, |_| true));
    }
    found
}

/// The call of Python API, among those of a body that are asked about, that is most likely to wait; none if something attaches or detaches
/// by itself in between.
fn strongest(unit: &Unit<'_>, body: &Body, inside: impl Fn(ExprId) -> bool) -> Option<(String, RunsPython)> {
    let mut best: Option<(String, RunsPython)> = None;
    for index in 0..body.exprs.len() as u32 {
        let expr = ExprId(index);
        if !inside(expr) {
            continue;
        }
        let ExprKind::Call { callee: called, .. } = body.kind(expr) else { continue };
        let ExprKind::Name(name) = body.kind(strip(body, called)) else { continue };
        let name = unit.text(name);
        if matches!(name, "PyGILState_Ensure" | "PyEval_SaveThread" | "PyThreadState_Ensure")
            || name.contains("gil_scoped")
            || name.contains("gil_safe")
        {
            return None;
        }
        let runs = match api::runs_python(name) {
            Some(runs) if !api::is_detach_safe(name) => runs,
            None if is_binding(name) => RunsPython::Maybe,
            _ => continue,
        };
        let weight = |runs: RunsPython| usize::from(runs != RunsPython::No);
        if best.as_ref().is_none_or(|(_, known)| weight(runs) > weight(*known)) {
            best = Some((name.to_owned(), runs));
        }
    }
    best
}

/// Calls of pybind11 and nanobind.
fn is_binding(name: &str) -> bool {
    ["py::", "pybind11::", "nb::", "nanobind::"].iter().any(|space| name.starts_with(space))
}
