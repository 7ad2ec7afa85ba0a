//! Flags a file of a GIL build that a free-threaded interpreter loads without complaint, because another module makes its module object.

use gilaudit_model::{BuiltFor, Confidence, Extension, Finding, Format, Severity, Target};

use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "foreign-layout",
    summary: "the file loads, but is built for another object layout",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("foreign_layout.md"),
    checks: &[Check::Extension(check)],
};

fn check(extension: &Extension, target: &Target, rule: &Rule, out: &mut Vec<Finding>) {
    // One that the interpreter refuses is another rule's, and one that is not built yet has no layout.
    if !target.free_threaded || extension.failure.is_some() || extension.format == Format::Source {
        return;
    }
    let built_for = match extension.abi.built_for {
        BuiltFor::Gil => "GIL builds",
        BuiltFor::Abi3 => "the stable ABI of GIL builds",
        BuiltFor::FreeThreaded | BuiltFor::Abi3t | BuiltFor::Unknown => return,
    };
    let by = extension.declaration.delegated_to.as_deref().unwrap_or("another module");
    let message = format!(
        "Python {target} loads '{}', which is built for {built_for}, since {by} makes the module: what its code reads and writes of \
         objects by itself is where other objects have it",
        extension.module
    );
    out.push(Finding {
        help: Some(format!(
            "authors: ship a wheel of this version's own ABI, or from 3.15 on an abi3t one, and give the file the suffix of its ABI; \
             users: install a wheel made for Python {target}, or build from source with it; until then the module is used at your own \
             risk"
        )),
        module: Some(extension.module.clone()),
        ..rule.finding(&extension.origin, message)
    });
}
