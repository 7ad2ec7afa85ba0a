//! Flags items of a list read through PySequence_Fast without a lock on the original.

use gilaudit_model::source::ExprId;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::cfg::NodeId;
use crate::engine::values::Root;
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
    check: Check::Function(check),
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
