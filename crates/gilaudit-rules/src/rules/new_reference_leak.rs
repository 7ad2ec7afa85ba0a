//! Flags a new reference that is not released on some way out, or released where there is none.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::cfg::Step;
use crate::engine::{exempt, members, ownership};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "new-reference-leak",
    summary: "a new reference that is not released on some way out, or released where there is none",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("new_reference_leak.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let references = ownership::new_references(unit);
    if references.is_empty() || exempt::is_polyfill(unit) {
        return;
    }
    for new in references {
        let name = unit.text(unit.body.locals[new.local.0 as usize].name);
        if let Some(lost) = ownership::lost_at(unit, &new) {
            let overwritten = !matches!(unit.cfg.node(lost).step, Step::Return(_) | Step::Throw | Step::ScopeEnd(_))
                && unit.values.definitions(new.local).iter().any(|definition| definition.node == lost);
            let message = format!(
                "'{}' gives a new reference, and '{name}' is {} without releasing it: the object is never freed",
                new.call.name,
                if overwritten { "overwritten" } else { "left behind on a way out" }
            );
            let mut finding = unit.finding(rule, new.call.expr, message);
            finding.help = Some(format!(
                "unlike the borrowed reference of older API it is the caller's own: Py_DECREF('{name}') after its last use, on every way"
            ));
            let what = if overwritten { "overwritten here" } else { "left here" };
            finding.related.push(unit.analysis.related(unit.function.file, unit.cfg.node(lost).span, what));
            out.push(finding);
        }
        released_empty(unit, rule, &new, name, out);
    }
}

/// `Py_DECREF(x)` where a test has just said that there is no `x`.
fn released_empty(unit: &Unit<'_>, rule: &Rule, new: &ownership::New<'_>, name: &str, out: &mut Vec<Finding>) {
    for test in members::emptiness_tests(unit) {
        if unit.local(test.place) != Some(new.local) {
            continue;
        }
        let empty = ownership::empty_after(unit, new, &test);
        let release = unit.calls().find(|call| {
            call.name == "Py_DECREF"
                && call.args.first().is_some_and(|arg| unit.local(*arg) == Some(new.local))
                && empty.binary_search(&call.node).is_ok()
        });
        let Some(release) = release.filter(|release| !unit.is_unparsed(release.span)) else { continue };
        let message = format!("'{name}' is NULL here, and Py_DECREF reads what it points to");
        let mut finding = unit.finding(rule, release.expr, message);
        finding.help =
            Some("nothing was found, so nothing is to be released: leave it out, or use Py_XDECREF".to_owned());
        finding.related.push(unit.related(test.condition, "tested here"));
        out.push(finding);
    }
}
