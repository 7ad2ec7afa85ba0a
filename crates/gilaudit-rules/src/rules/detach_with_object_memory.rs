//! Flags a pointer into a Python object that is used while the thread state is detached.

use gilaudit_model::source::ExprKind;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::exempt;
use crate::engine::values::{Root, Source};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "detach-with-object-memory",
    summary: "a pointer into a Python object that is used while the thread state is detached",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("detach_with_object_memory.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for (expr, kind, node) in unit.exprs() {
        let ExprKind::Local(local) = kind else { continue };
        if !unit.locks.is_detached(node) || unit.is_unparsed(unit.expr(expr).span) {
            continue;
        }
        let sources = unit.values.reaching(&unit.cfg, local, node);
        let taken = sources.iter().find_map(|definition| match definition.source {
            Source::Value(value) if !unit.locks.is_detached(definition.node) => unit.call(value),
            _ => None,
        });
        let Some(call) = taken else { continue };
        let Some(owner) = call.args.first().copied() else { continue };
        let mutable = matches!(call.name, "PyByteArray_AS_STRING" | "PyByteArray_AsString" | "PySequence_Fast_ITEMS");
        // Text of an object that was itself only borrowed from a container: nobody keeps it alive.
        let borrowed = matches!(
            call.name,
            "PyUnicode_AsUTF8" | "PyUnicode_AsUTF8AndSize" | "PyBytes_AS_STRING" | "PyBytes_AsString"
        ) && unit.roots(owner, call.node).iter().any(|root| match root {
            Root::Call(call) => unit.call(*call).is_some_and(|call| {
                matches!(
                    call.name,
                    "PyList_GetItem"
                        | "PyList_GET_ITEM"
                        | "PyDict_GetItem"
                        | "PyDict_GetItemString"
                        | "PyDict_GetItemWithError"
                        | "PySequence_Fast_GET_ITEM"
                )
            }),
            _ => false,
        });
        // What nobody else has yet nobody resizes.
        if !mutable && !borrowed || exempt::is_fresh(unit, owner, call.node) {
            continue;
        }
        let message = format!(
            "the pointer that '{}' gave is used while other threads run: they can release or resize the object it points into",
            call.name
        );
        let mut finding = unit.finding(rule, expr, message);
        finding.help = Some("take a reference to the object (PyList_GetItemRef), or copy the data, before detaching; for a bytearray hold a Py_buffer".to_owned());
        finding.related.push(unit.related(call.expr, "taken here"));
        out.push(finding);
    }
}
