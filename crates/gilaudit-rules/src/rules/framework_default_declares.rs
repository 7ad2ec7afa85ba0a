//! Flags a module that PyO3 declares by default although it has unsafe shared state.

use gilaudit_model::source::rust::{RustDeclared, RustFile, RustModuleForm};
use gilaudit_model::source::{FileId, Span};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::api;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "framework-default-declares",
    summary: "a module that the framework declares by default although it has unsafe code to audit",
    severity: Severity::Note,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("framework_default_declares.md"),
    checks: &[Check::Rust(check)],
};

fn check(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    if analysis.is_test(facts.file) {
        return;
    }
    let version = analysis.options.target.version;
    let by_default = facts.modules.iter().filter(|module| {
        module.form == RustModuleForm::PyO3 && module.gil_used.is_none() && module.declared(version).0 == RustDeclared::NotUsed
            // `m.gil_used(false)` is as good as the attribute.
            && facts.gil_slots.is_empty()
    });
    for module in by_default {
        let Some((file, span, what)) = to_audit(analysis) else { return };
        let message = format!(
            "'{}' declares that it runs without the GIL only because that is {}, and its sources have {what}",
            module.name,
            module.declared(version).1
        );
        let mut finding = analysis.finding(rule, facts.file, module.span, message);
        finding.module = Some(module.name.to_string());
        finding.help = Some(
            "audit the unsafe code, then write #[pymodule(gil_used = false)]; until then gil_used = true".to_owned(),
        );
        finding.related.push(analysis.related(file, span, "for example this"));
        out.push(finding);
    }
}

/// The first thing in the project's sources whose safety the compiler does not check.
fn to_audit(analysis: &Analysis<'_>) -> Option<(FileId, Span, &'static str)> {
    analysis.project.rust.iter().filter(|facts| !analysis.is_test(facts.file)).find_map(|facts| {
        let by_hand = facts.unsafe_impls.first().map(|it| (it.span, "an unsafe impl of Send or Sync"));
        let mutable = || facts.statics.iter().find(|it| it.mutable).map(|it| (it.span, "a static mut"));
        let borrowed = || {
            let calls = facts.functions.iter().flat_map(|function| &function.calls);
            calls
                .filter(|call| api::borrowed(&call.name).is_some())
                .map(|it| (it.span, "calls that give borrowed references"))
                .next()
        };
        by_hand.or_else(mutable).or_else(borrowed).map(|(span, what)| (facts.file, span, what))
    })
}
