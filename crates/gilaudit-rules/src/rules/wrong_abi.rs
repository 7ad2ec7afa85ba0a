//! Flags a file that the target finds by its name and then cannot load.

use gilaudit_model::{BuiltFor, Confidence, Extension, FailureKind, Finding, Severity, Target};

use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "wrong-abi",
    summary: "the interpreter finds the file but cannot load it",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("wrong_abi.md"),
    checks: &[Check::Extension(check)],
};

fn check(extension: &Extension, target: &Target, rule: &Rule, out: &mut Vec<Finding>) {
    let Some(failure) = &extension.failure else { return };
    let what = match failure.kind {
        // Not an error of the file: this interpreter never looks at it.
        FailureKind::NotSearched => return,
        FailureKind::WrongAbi => "the file is built for another ABI",
        FailureKind::NoHook => "the file has no init function that this version calls",
        FailureKind::MissingSymbol => "it uses what this interpreter does not have",
        FailureKind::Slots => "this version refuses its slots",
        FailureKind::InitFails => "its init function fails",
    };
    let message = format!(
        "Python {target} finds '{}' by its name but cannot load it: {what}: {}",
        extension.module, failure.error
    );
    out.push(Finding {
        help: Some(way_out(extension, failure.kind, target)),
        module: Some(extension.module.clone()),
        ..rule.finding(&extension.origin, message)
    });
}

/// What authors and users can do about it.
fn way_out(extension: &Extension, kind: FailureKind, target: &Target) -> String {
    let author = match (kind, extension.abi.built_for) {
        (FailureKind::WrongAbi, BuiltFor::Abi3) if target.free_threaded => {
            "authors: free-threaded builds cannot load the stable ABI of GIL builds: ship a wheel of this version's own ABI, or \
             from 3.15 on an abi3t one"
                .to_owned()
        }
        (FailureKind::WrongAbi, _) => format!(
            "authors: build for Python {target}, and give the file the suffix of its ABI so that no other interpreter finds it"
        ),
        (FailureKind::NoHook | FailureKind::MissingSymbol | FailureKind::Slots, _) => {
            format!("authors: build with the headers of Python {target}, or of the oldest version that is to load the file")
        }
        (FailureKind::InitFails | FailureKind::NotSearched, _) => "authors: see CPython's error".to_owned(),
    };
    format!("{author}; users: install a wheel made for Python {target}, or build from source with it")
}
