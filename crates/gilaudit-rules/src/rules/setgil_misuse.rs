//! Flags a call of PyUnstable_Module_SetGIL that fails or does nothing.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::values::Root;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "setgil-misuse",
    summary: "a call of PyUnstable_Module_SetGIL that fails or does nothing",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("setgil_misuse.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for call in unit.calls() {
        if call.name != "PyUnstable_Module_SetGIL" || unit.is_unparsed(call.span) {
            continue;
        }
        let Some(module) = call.args.first().copied() else { continue };
        let roots = unit.roots(module, call.node);
        let created = roots.iter().any(|root| {
            matches!(
                root,
                Root::Call(_)
                    | Root::Parameter(_)
                    | Root::OutArgument(_)
                    | Root::Global(_)
                    | Root::Static(_)
                    | Root::Field(_)
            )
        });
        let guarded = unit.file().guards.iter().any(|guard| {
            guard.span.contains(call.span)
                && (guard.condition.contains("Py_GIL_DISABLED") || guard.condition.contains("PY_VERSION_HEX"))
        });
        let message = if !created {
            "the first argument is not the module that was created here"
        } else if !guarded {
            "the function only exists in free-threaded builds of Python 3.13 and later: this does not compile on others"
        } else {
            continue;
        };
        let mut finding = unit.finding(rule, call.expr, message.to_owned());
        finding.help = Some(
            "call it on the result of PyModule_Create, after the check for NULL, under #ifdef Py_GIL_DISABLED"
                .to_owned(),
        );
        out.push(finding);
    }
}
