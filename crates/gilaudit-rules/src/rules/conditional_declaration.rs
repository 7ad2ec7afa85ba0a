//! Flags a declaration that depends on how the module is built.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "conditional-declaration",
    summary: "a declaration that depends on how the module is built",
    severity: Severity::Note,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("conditional_declaration.md"),
    checks: &[Check::Project(check)],
};

fn check(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for module in analysis.modules {
        let Some(condition) = &module.condition else { continue };
        if !analysis.project.file(module.file).report {
            continue;
        }
        let message =
            format!("whether '{}' declares that it runs without the GIL depends on '{condition}'", module.name);
        let mut finding = analysis.finding(rule, module.file, module.span, message);
        finding.module = Some(module.name.clone());
        finding.help =
            Some("say in the build which it is; gilaudit check on the built wheel shows what came out".to_owned());
        out.push(finding);
    }
}
