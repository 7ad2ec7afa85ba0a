//! Flags a module that does not declare whether it needs the GIL.

use gilaudit_model::framework::{ADVICE_IN_C, ADVICE_IN_RUST, advice_in_sources};
use gilaudit_model::{Confidence, Finding, Framework, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::declarations::{Declared, Form};
use crate::engine::{generators, rust};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "undeclared-module",
    summary: "a module that does not declare whether it needs the GIL",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("undeclared_module.md"),
    checks: &[Check::Project(check), Check::Build(generated)],
};

fn check(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for module in analysis.modules {
        if module.declared != Declared::Nothing
            || analysis.is_test(module.file)
            || !analysis.project.file(module.file).report
            || generators::is_cffi(analysis.project.file(module.file))
            // That is another finding: the declaration would not help.
            || module.form == Form::Made(Framework::PyO3) && rust::is_too_old(analysis, module.file)
        {
            continue;
        }
        let message = format!(
            "'{}' does not declare that it runs without the GIL: importing it turns the GIL on for the whole process",
            module.name
        );
        let mut finding = analysis.finding(rule, module.file, module.span, message);
        finding.module = Some(module.name.clone());
        finding.help = Some(match module.form {
            // Its registries have no locks up to 1.90.
            Form::Made(Framework::BoostPython) => format!(
                "after an audit, also of Boost.Python itself, whose registries have no locks up to 1.90: {}",
                advice_in_sources(Framework::BoostPython)
            ),
            Form::Made(framework) => format!("after an audit: {}", advice_in_sources(framework)),
            Form::Rust => format!("after an audit: {ADVICE_IN_RUST}"),
            Form::C => format!("after an audit: {ADVICE_IN_C}"),
        });
        out.push(finding);
    }
}

/// Modules whose C a tool writes that is not told to declare.
fn generated(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for module in generators::undeclared(analysis.project) {
        let message = format!(
            "'{}' does not declare that it runs without the GIL, so importing it turns the GIL on for the whole process: {}",
            module.name, module.why
        );
        let mut finding = analysis.finding(rule, module.file, module.span, message);
        finding.module = Some(module.name);
        finding.help = Some(module.help);
        out.push(finding);
    }
}
