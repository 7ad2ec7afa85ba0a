//! Flags items of a list read through PySequence_Fast without a lock on the original.

use gilaudit_model::source::rust::RustFile;
use gilaudit_model::source::{ExprId, ExprKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::{Analysis, Unit};
use crate::engine::cfg::NodeId;
use crate::engine::code;
use crate::engine::rust_borrow;
use crate::engine::values::{Root, callee, strip};
use crate::engine::{borrow, exempt};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "sequence-fast-items",
    summary: "items of a list read through PySequence_Fast without a lock on the original",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("sequence_fast_items.md"),
    checks: &[Check::Function(check), Check::Rust(check_rust), Check::Code(code::containers::fast_items)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for borrow in borrow::unprotected(unit, rule.id) {
        if borrow.call.name == "PySequence_Fast_GET_SIZE" {
            // A size alone is stale at worst; the reads of items are reported.
            continue;
        }
        if let Some(container) = borrow.container
            && (is_guarded(unit, container, borrow.call.node) || exempt::is_checked_tuple(unit, container))
        {
            continue;
        }
        let mut finding =
            borrow::report(unit, rule, &borrow, "replace the items of the list that PySequence_Fast was given");
        if borrow.call.name == "PySequence_Fast_GET_ITEM" {
            finding.severity = Severity::Warning;
            finding.confidence = finding.confidence.min(Confidence::Medium);
        }
        finding.help = Some(
            "take a snapshot with PySequence_Tuple; or read each item with PySequence_GetItem and release it; or hold a critical section on the object that PySequence_Fast was given"
                .to_owned(),
        );
        out.push(finding);
    }
    handed_on(unit, rule, out);
}

/// Reports `PySequence_Fast` calls whose result a function of the project reads by the macros.
fn handed_on(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.is_init() {
        return;
    }
    for call in unit.calls().filter(|call| call.name == "PySequence_Fast") {
        let Some(original) = call.args.first().copied() else { continue };
        let Some((fast, stored)) = borrow::stored_local(unit, call.expr) else { continue };
        if borrow::is_protected(unit, original, call.node)
            || exempt::is_checked_tuple(unit, original)
            || unit.is_unparsed(call.span)
        {
            continue;
        }
        let reader = unit.calls().find(|reader| {
            let position = reader.args.iter().position(|arg| unit.local(*arg) == Some(fast));
            position.is_some_and(|position| reads_items(unit, reader.name, position))
                && !borrow::is_protected(unit, original, reader.node)
                && unit.cfg.after(stored, |_| false).binary_search(&reader.node).is_ok()
        });
        let Some(reader) = reader else { continue };
        let message = format!(
            "'{}' reads the items of what PySequence_Fast gave; when that is the caller's own list, another thread can replace them",
            reader.name
        );
        let mut finding = unit.finding(rule, call.expr, message);
        finding.severity = Severity::Warning;
        finding.confidence = Confidence::Medium;
        finding.help =
            Some("take a snapshot with PySequence_Tuple; or hold a critical section on the original".to_owned());
        finding.related.push(unit.related(reader.expr, "its items are read in here"));
        out.push(finding);
    }
}

/// Whether a function of the project uses the macros on its parameter of this position.
fn reads_items(unit: &Unit<'_>, name: &str, position: usize) -> bool {
    unit.analysis.index.functions(unit.project, name).iter().any(|id| {
        let function = unit.project.function(*id);
        let Some(parameter) = function.parameters.get(position) else { return false };
        let body = &function.body;
        body.exprs.iter().enumerate().any(|(index, expr)| match expr.kind {
            ExprKind::Call { args, .. } => {
                let called = callee(body, ExprId(index as u32)).map_or("", |name| unit.text(name));
                matches!(called, "PySequence_Fast_GET_ITEM" | "PySequence_Fast_ITEMS")
                    && body
                        .list(args)
                        .first()
                        .is_some_and(|arg| body.kind(strip(body, *arg)) == ExprKind::Local(*parameter))
            }
            _ => false,
        })
    })
}

/// Whether the object that `PySequence_Fast` was given cannot change: nobody else has it, it is a tuple, or it is locked.
fn is_guarded(unit: &Unit<'_>, fast: ExprId, at: NodeId) -> bool {
    let originals: Vec<ExprId> = unit
        .roots(fast, at)
        .iter()
        .filter_map(|root| match root {
            Root::Call(call) => unit.call(*call).filter(|call| call.name == "PySequence_Fast")?.args.first().copied(),
            _ => None,
        })
        .collect();
    !originals.is_empty()
        && originals
            .iter()
            .all(|original| borrow::is_protected(unit, *original, at) || exempt::is_checked_tuple(unit, *original))
}

fn check_rust(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    for function in &facts.functions {
        let borrows = rust_borrow::unprotected(analysis, facts, function, rule.id).into_iter();
        // A size alone is stale at worst.
        for borrow in borrows.filter(|borrow| *borrow.call.name != *"PySequence_Fast_GET_SIZE") {
            let what = "replace the items of the list that PySequence_Fast was given";
            let mut finding = rust_borrow::report(analysis, facts, function, rule, &borrow, what);
            finding.help = Some("take a snapshot with PySequence_Tuple, or iterate with PyO3's try_iter".to_owned());
            out.push(finding);
        }
    }
}
