//! Flags a module whose import turns the GIL on for the whole process.

use gilaudit_model::cpython::outcome;
use gilaudit_model::framework::advice;
use gilaudit_model::{Confidence, Extension, Finding, Format, Init, Outcome, Severity, Status, Target};

use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "enables-gil",
    summary: "importing the module turns the GIL on for the whole process",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("enables_gil.md"),
    checks: &[Check::Extension(check)],
};

fn check(extension: &Extension, target: &Target, rule: &Rule, out: &mut Vec<Finding>) {
    // Of a module that is not built yet `undeclared-module` says so, at the place where it is to be repaired.
    if outcome(extension, target) != Outcome::EnablesGil || extension.format == Format::Source {
        return;
    }
    // The quoted half is CPython's own warning (Python/import.c), so that a search for it finds this.
    let message = format!(
        "importing '{}' enables the global interpreter lock (GIL) for the whole process: {}; CPython {target} warns that it \
         \"has not declared that it can run safely without the GIL\"",
        extension.module,
        what_it_says(extension),
    );
    out.push(Finding {
        help: Some(way_out(extension)),
        module: Some(extension.module.clone()),
        ..rule.finding(&extension.origin, message)
    });
}

/// What the module says, or does not say, and by which mechanism.
fn what_it_says(extension: &Extension) -> String {
    if extension.declaration.status == Status::Used {
        return match extension.declaration.evidence.first() {
            Some(evidence) => format!("it declares {} ({})", evidence.what, evidence.at),
            None => "it declares that it needs the GIL".to_owned(),
        };
    }
    match extension.init {
        Init::SinglePhase => "its init function does not call PyUnstable_Module_SetGIL",
        Init::MultiPhase => "its module definition has no Py_mod_gil slot",
        Init::ModuleExport => "its PySlot array has no Py_mod_gil slot",
        Init::Unknown => "it declares nothing",
    }
    .to_owned()
}

/// What authors and users can do about it.
fn way_out(extension: &Extension) -> String {
    let package = extension.distribution.as_ref().map_or_else(
        || "the package".to_owned(),
        |distribution| format!("{} (newer than {})", distribution.name, distribution.version),
    );
    format!(
        "authors: once the module is safe without the GIL, {}, and rebuild; users: look for a release of {package} that declares \
         it; PYTHON_GIL=0 or -X gil=0 keeps the GIL off at your own risk: races in this module then go unguarded",
        advice(extension.framework.as_ref(), extension.init)
    )
}
