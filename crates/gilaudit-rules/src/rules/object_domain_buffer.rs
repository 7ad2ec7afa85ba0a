//! Flags memory for something else than Python objects that is taken from the objects' allocator.

use gilaudit_model::source::{ExprId, ExprKind, Type};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::exempt;
use crate::engine::objects::{Objectness, objectness};
use crate::engine::{borrow, cfg};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "object-domain-buffer",
    summary: "memory for something else than an object that is taken from the objects' allocator",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("object_domain_buffer.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for call in unit.calls() {
        let replacement = match call.name {
            "PyObject_Malloc" | "PyObject_MALLOC" => "PyMem_Malloc",
            "PyObject_Calloc" => "PyMem_Calloc",
            "PyObject_Realloc" | "PyObject_REALLOC" => "PyMem_Realloc",
            _ => continue,
        };
        if unit.is_unparsed(call.span) || exempt::is_polyfill(unit) {
            continue;
        }
        let Some(ty) = destination(unit, call.expr) else { continue };
        let sure = match objectness(unit.project, &unit.analysis.types, ty) {
            // An array of pointers to objects is no object.
            Objectness::Object | Objectness::Unknown if ty.pointers > 1 => true,
            Objectness::Plain if ty.pointers > 0 => true,
            Objectness::Unknown => false,
            _ => continue,
        };
        if !sure && becomes_object(unit, call.expr) {
            continue;
        }
        let message = format!(
            "'{}' is for objects only: without the GIL its memory must hold nothing else, and this is stored as '{} {}'",
            call.name,
            unit.text(ty.base),
            "*".repeat(usize::from(ty.pointers))
        );
        let mut finding = unit.finding(rule, call.expr, message);
        finding.confidence = if sure { Confidence::High } else { Confidence::Low };
        finding.help = Some(format!("use '{replacement}', and 'PyMem_Free' where it is released"));
        out.push(finding);
    }
}

/// The type of the variable or member that a result goes to, or that it is cast to.
fn destination(unit: &Unit<'_>, call: ExprId) -> Option<Type> {
    if let Some((local, _)) = borrow::stored_local(unit, call) {
        return unit.body.locals.get(local.0 as usize).map(|local| local.ty);
    }
    let stored = unit.parent(call).and_then(|parent| match unit.kind(parent) {
        ExprKind::Assign { op: None, target, .. } => unit.type_of(target),
        _ => None,
    });
    stored.or_else(|| {
        unit.body.exprs.iter().find_map(|expr| match expr.kind {
            ExprKind::Cast { base, pointers, value } if value == call => Some(Type { pointers, ..Type::named(base) }),
            _ => None,
        })
    })
}

/// Whether what was allocated is made an object here, or handed on as one.
fn becomes_object(unit: &Unit<'_>, call: ExprId) -> bool {
    let returned = unit.cfg.ids().any(|node| match unit.cfg.node(node).step {
        cfg::Step::Return(Some(value)) => unit.strip(value) == call,
        _ => false,
    });
    returned || unit.calls().any(|other| matches!(other.name, "PyObject_Init" | "PyObject_InitVar" | "PyObject_INIT"))
}
