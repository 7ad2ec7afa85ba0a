//! Flags calls of API that is gone, does nothing any more, or is on its way out.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::{api, exempt};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "removed-and-deprecated-api",
    summary: "calls of API that is gone, does nothing any more, or is on its way out",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("removed_and_deprecated_api.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if exempt::is_polyfill(unit) {
        return;
    }
    for call in unit.calls() {
        let Some(known) = api::deprecated(call.name) else { continue };
        let is_own = !unit.analysis.index.functions(unit.project, call.name).is_empty();
        if is_own || unit.is_unparsed(call.span) || unit.analysis.is_test(unit.function.file) {
            continue;
        }
        let target = unit.analysis.options.target.to_string();
        let removed = api::minor(known.removed)
            .is_some_and(|removed| api::minor(&target).is_some_and(|target| removed <= target));
        let (severity, what) = if removed {
            (Severity::Error, format!("was removed in Python {}", known.removed))
        } else if known.no_op != "-" {
            // What it once did decides whether its caller relies on the GIL.
            let about_threads =
                ["PyEval_", "PyGILState_", "PyThread", "PyOS_"].iter().any(|it| call.name.starts_with(it));
            let severity = if about_threads { Severity::Warning } else { Severity::Note };
            (severity, format!("does nothing since Python {}", known.no_op))
        } else if known.removed != "-" {
            // A release that is out, or nearly: soon enough to say so in every audit.
            let soon = api::minor(known.removed).is_some_and(|removed| removed <= api::NEWEST);
            (if soon { Severity::Warning } else { Severity::Note }, format!("is removed in Python {}", known.removed))
        } else if known.deprecated.ends_with("soft") {
            // Nobody plans to remove it: not worth a word in every audit.
            continue;
        } else {
            (Severity::Note, format!("is deprecated since Python {}", known.deprecated))
        };
        let mut finding = unit.finding(rule, call.expr, format!("'{}' {what}", call.name));
        finding.severity = severity;
        finding.help = Some(match known.replacement {
            "-" => known.note.to_owned(),
            replacement if known.note == "-" => format!("use {replacement}"),
            replacement => format!("use {replacement} ({})", known.note),
        });
        out.push(finding);
    }
}
