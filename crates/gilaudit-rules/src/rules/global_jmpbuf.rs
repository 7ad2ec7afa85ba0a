//! Flags a jump buffer that all threads share.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::globals;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "global-jmpbuf",
    summary: "a jump buffer that all threads share",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("global_jmpbuf.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for call in unit.calls() {
        if !matches!(call.name, "setjmp" | "_setjmp" | "sigsetjmp" | "longjmp" | "siglongjmp" | "_longjmp") {
            continue;
        }
        let Some(buffer) = call.args.first().copied() else { continue };
        let Some((name, _)) = globals::process_wide(unit, buffer) else { continue };
        if unit.is_unparsed(call.span) || unit.is_locked_at(call.node) {
            continue;
        }
        let message = format!(
            "'{}' uses the jump buffer '{}' of the whole process: a thread can jump into the stack of another",
            call.name,
            unit.text(name)
        );
        let mut finding = unit.finding(rule, call.expr, message);
        finding.help = Some("return an error code; or keep the buffer in a local variable that is passed down, or in a _Thread_local one".to_owned());
        out.push(finding);
    }
}
