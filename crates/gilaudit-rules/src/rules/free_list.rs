//! Flags a list of free objects that all threads take from without a lock.

use gilaudit_model::source::{ExprId, ExprKind, LocalId, Name};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::cfg::{NodeId, Step};
use crate::engine::globals;
use crate::engine::values::Source;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "free-list",
    summary: "a list of free objects that all threads take from without a lock",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("free_list.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.is_init() {
        return;
    }
    for (expr, kind, node) in unit.exprs() {
        if let ExprKind::Assign { op: None, target, value } = kind
            && !unit.is_locked_at(node)
            && !unit.is_unparsed(unit.expr(expr).span)
            && let Some(name) = popped(unit, target, value, node)
        {
            out.push(found(unit, rule, expr, name));
            continue;
        }
        // `list[--n]`, `list[n++] = x`
        let ExprKind::Index { base, index } = kind else { continue };
        let index = unit.strip(index);
        let counter = match unit.kind(index) {
            ExprKind::Update { operand, .. } => operand,
            // `list[n] = x; n++;`
            ExprKind::Name(_) | ExprKind::Field { .. } if is_counted(unit, index) => index,
            _ => continue,
        };
        let find = |expr| globals::process_wide(unit, expr).or_else(|| globals::handed_in(unit, expr));
        let (Some((name, ty)), Some(_)) = (find(base), find(counter)) else { continue };
        // The list can be a member of the variable.
        let pointers = unit.type_of(unit.strip(base)).unwrap_or(ty).pointers;
        if unit.is_locked_at(node) || pointers == 0 || unit.is_unparsed(unit.expr(expr).span) {
            continue;
        }
        out.push(found(unit, rule, expr, name));
    }
}

fn found(unit: &Unit<'_>, rule: &Rule, expr: ExprId, name: Name) -> Finding {
    let name = unit.text(name);
    let message = format!("'{name}' is a list of free objects without a lock: two threads can take the same one");
    let mut finding = unit.finding(rule, expr, message);
    finding.help = Some("leave it out in the free-threaded build (#ifndef Py_GIL_DISABLED), whose allocator is fast; or make it thread-local".to_owned());
    finding
}

/// The head of a linked list that all threads share, if this assignment takes the first of it: `x = head; head = x->next;`, where
/// the list is of objects that are used again, so that what is taken is handed out by this function.
fn popped(unit: &Unit<'_>, target: ExprId, value: ExprId, node: NodeId) -> Option<Name> {
    let head = unit.strip(target);
    let name = shared_head(unit, head)?;
    let place = unit.path(head)?;
    let value = unit.strip(value);
    // What follows the first: something that is reached through it.
    if matches!(unit.kind(value), ExprKind::Local(_) | ExprKind::Null | ExprKind::Number(_)) {
        return None;
    }
    let first = locals_in(unit, value, 6).into_iter().find(|local| {
        unit.values.definitions(*local).iter().any(|definition| match definition.source {
            Source::Value(from) => {
                let from = unit.strip(from);
                !matches!(unit.kind(from), ExprKind::Local(_)) && unit.path(from).as_ref() == Some(&place)
            }
            _ => false,
        }) && unit.cfg.after(node, |_| false).iter().any(|after| is_handed_out(unit, *local, *after))
    })?;
    unit.body.locals.get(first.0 as usize).filter(|local| local.ty.pointers > 0)?;
    Some(name)
}

/// Whether a step returns a local, or makes an object of it.
fn is_handed_out(unit: &Unit<'_>, local: LocalId, node: NodeId) -> bool {
    match unit.cfg.node(node).step {
        Step::Return(Some(value)) => unit.local(value) == Some(local),
        Step::Eval(expr) => unit.call(expr).is_some_and(|call| {
            matches!(
                call.name,
                "_Py_NewReference" | "PyObject_Init" | "PyObject_InitVar" | "PyObject_INIT" | "PyObject_INIT_VAR"
            ) && call.args.first().is_some_and(|arg| unit.local(*arg) == Some(local))
        }),
        _ => false,
    }
}

/// The name of a pointer that all threads share: a variable of the process, an element of one, or a member of a module's state.
fn shared_head(unit: &Unit<'_>, head: ExprId) -> Option<Name> {
    if let ExprKind::Field { name, .. } = unit.kind(head)
        && unit.field_struct(head).is_some_and(|owner| unit.analysis.is_module_state(owner))
    {
        return Some(name);
    }
    globals::process_wide(unit, head).filter(|(_, ty)| ty.pointers > 0).map(|(name, _)| name)
}

fn locals_in(unit: &Unit<'_>, expr: ExprId, fuel: u32) -> Vec<LocalId> {
    let expr = unit.strip(expr);
    let Some(fuel) = fuel.checked_sub(1) else { return Vec::new() };
    match unit.kind(expr) {
        ExprKind::Local(local) => vec![local],
        _ => unit.body.children(expr).into_iter().flat_map(|child| locals_in(unit, child, fuel)).collect(),
    }
}

/// Whether this function also counts this variable up or down.
fn is_counted(unit: &Unit<'_>, counter: gilaudit_model::source::ExprId) -> bool {
    unit.exprs().any(|(_, kind, _)| matches!(kind, ExprKind::Update { operand, .. } if unit.same(operand, counter)))
}
