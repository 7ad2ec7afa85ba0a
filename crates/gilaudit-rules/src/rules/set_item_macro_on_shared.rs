//! Flags an item of an existing list or tuple set by the macro meant for new ones.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::values::Root;
use crate::engine::{borrow, exempt, members};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "set-item-macro-on-shared",
    summary: "an item of an existing list or tuple set by the macro meant for new ones",
    severity: Severity::Warning,
    confidence: Confidence::Low,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("set_item_macro_on_shared.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.is_init() || exempt::is_polyfill(unit) {
        return;
    }
    for call in unit.calls() {
        if !matches!(call.name, "PyList_SET_ITEM" | "PyTuple_SET_ITEM" | "PyTuple_SetItem")
            || unit.is_unparsed(call.span)
        {
            continue;
        }
        let Some(container) = call.args.first().copied() else { continue };
        // Only what certainly came from elsewhere: helpers that fill a new container get it as a parameter, too.
        let roots = unit.roots(container, call.node);
        let shared = !roots.is_empty()
            && roots.iter().all(|root| matches!(root, Root::Field(_) | Root::Global(_) | Root::Static(_)));
        if !shared || borrow::is_protected(unit, container, call.node) {
            continue;
        }
        if unit.is_lifecycle() || members::is_made_here(unit, container) {
            continue;
        }
        let message = format!(
            "'{}' overwrites an item without a lock and without releasing the old one; it is meant for containers that nobody else has yet",
            call.name
        );
        let mut finding = unit.finding(rule, call.expr, message);
        // Of five on code that nobody had looked at one was true: most are filled before others have them, elsewhere.
        finding.confidence = Confidence::Low;
        finding.help = Some("use PyList_SetItem, which locks the list and releases the old item; make a new tuple instead of changing one".to_owned());
        out.push(finding);
    }
}
