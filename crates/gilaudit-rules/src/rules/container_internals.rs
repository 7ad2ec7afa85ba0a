//! Flags the memory of a list or dict that is used directly, past its lock.

use gilaudit_model::source::ExprKind;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::{borrow, exempt};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "container-internals",
    summary: "the memory of a list or dict that is used directly, past its lock",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("container_internals.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if exempt::is_polyfill(unit) {
        return;
    }
    for (expr, kind, node) in unit.exprs() {
        let ExprKind::Field { base, name, .. } = kind else { continue };
        let member = unit.text(name);
        let container = match member {
            "ob_item" | "allocated" => "PyListObject",
            "ma_used" | "ma_keys" | "ma_values" | "ma_version_tag" => "PyDictObject",
            _ => continue,
        };
        // A struct of the project may have a member of this name; only CPython's own count.
        let Some(ty) = unit.type_of(base).filter(|ty| unit.text(ty.base) == container) else { continue };
        if ty.pointers == 0 || unit.is_unparsed(unit.expr(expr).span) || borrow::is_protected(unit, base, node) {
            continue;
        }
        let message = format!(
            "'{member}' of a {} is used directly: other threads change it under the object's lock, and can free the memory",
            &container[2..container.len() - 6].to_lowercase()
        );
        let mut finding = unit.finding(rule, expr, message);
        finding.help = Some(if container == "PyListObject" {
            "use PyList_GetItemRef (new in Python 3.13; pythoncapi-compat has it for older ones) and PyList_SetItem"
                .to_owned()
        } else {
            "use the PyDict_* functions; the members are not part of the API".to_owned()
        });
        out.push(finding);
    }
}
