//! What every built-in policy does in every case, as a text that is read by people: `truth_table.txt`.

use std::fmt::Write as _;

use gilaudit_model::{
    Confidence, Extension, FailureKind, Finding, Gil, ImportFailure, Location, Origin, Outcome, Severity, Status,
    Target, Version, cpython,
};
use gilaudit_policy::{Policy, decide};

use crate::common::{self, BUILT_IN};

fn policies() -> Vec<Policy> {
    BUILT_IN.iter().map(|(name, text)| common::parse(name, text).0.unwrap()).collect()
}

/// A finding in the sources of `module` that contradicts a declaration of not-used.
pub(crate) fn finding(module: &str) -> Finding {
    Finding {
        origin: Origin::path("src/etree.c"),
        location: Location::Text { line: 3, column: 5, end_line: 3, end_column: 9 },
        rule: "unguarded-static",
        severity: Severity::Warning,
        confidence: Confidence::Medium,
        readiness: false,
        message: "'cache' is shared by all threads and has no lock".to_owned(),
        help: None,
        function: None,
        module: Some(module.to_owned()),
        related: Vec::new(),
        suppressed: None,
        code: None,
    }
}

fn target(version: Version, free_threaded: bool, gil: Gil) -> Target {
    Target { version, free_threaded, gil }
}

/// Outcome and the action of each policy; an exclamation mark where CPython warns.
fn cells(extension: &Extension, findings: &[Finding], target: &Target, policies: &[Policy]) -> String {
    let mut line = String::new();
    for (index, policy) in policies.iter().enumerate() {
        let decision = decide(policy, extension, findings, target, common::today());
        assert_eq!(
            decision.outcome,
            cpython::outcome(extension, target),
            "the outcome is CPython's, whatever the policy"
        );
        assert_eq!(decision.warning.is_some(), decision.outcome == Outcome::EnablesGil);
        assert!(decision.because.len() >= 2, "{decision:?}");
        assert!(decision.because.iter().all(|reason| !reason.is_empty() && !reason.ends_with('.')), "{decision:?}");
        if index == 0 {
            let warned = if decision.warning.is_some() { " !" } else { "" };
            let _ = write!(line, " {:<18} |", format!("{}{warned}", decision.outcome.as_str()));
        }
        let _ = write!(line, " {:<12} |", decision.action.as_str());
    }
    line
}

fn head(first: &str, width: usize) -> String {
    let mut text = format!("| {first:<width$} | {:<18} |", "CPython");
    for (name, _) in BUILT_IN {
        let _ = write!(text, " {name:<12} |");
    }
    let rule: String = text.chars().map(|c| if c == '|' { '|' } else { '-' }).collect();
    format!("{text}\n{rule}\n")
}

fn declarations(version: Version) -> String {
    let policies = policies();
    let mut text = head("declaration  findings  build          gil", 45);
    for (free_threaded, build) in [(true, "free-threaded"), (false, "GIL build")] {
        for gil in [Gil::Default, Gil::Off, Gil::On] {
            for status in Status::ALL {
                for contradicted in [false, true] {
                    let extension = common::extension("lxml.etree", status);
                    let findings = if contradicted { vec![finding("lxml.etree")] } else { Vec::new() };
                    let case = format!(
                        "{:<11}  {:<8}  {build:<13}  {}",
                        status.as_str(),
                        if contradicted { "one" } else { "none" },
                        gil.as_str()
                    );
                    let target = target(version, free_threaded, gil);
                    let _ = writeln!(text, "| {case:<45} |{}", cells(&extension, &findings, &target, &policies));
                }
            }
        }
    }
    text
}

fn failures() -> String {
    let policies = policies();
    let mut text = head("declaration  import fails by  build", 45);
    let kinds = [
        (FailureKind::NotSearched, "not-searched"),
        (FailureKind::WrongAbi, "wrong-abi"),
        (FailureKind::NoHook, "no-hook"),
        (FailureKind::MissingSymbol, "missing-symbol"),
        (FailureKind::Slots, "slots"),
        (FailureKind::InitFails, "init-fails"),
    ];
    for (free_threaded, build) in [(true, "free-threaded"), (false, "GIL build")] {
        for (kind, kind_name) in kinds {
            for status in Status::ALL {
                let mut extension = common::extension("lxml.etree", status);
                extension.failure = Some(ImportFailure { kind, error: "what CPython says".to_owned() });
                let case = format!("{:<11}  {kind_name:<15}  {build}", status.as_str());
                let target = target(Version::V3_14, free_threaded, Gil::Default);
                let _ = writeln!(text, "| {case:<45} |{}", cells(&extension, &[], &target, &policies));
            }
        }
    }
    text
}

#[test]
fn truth_table() {
    let by_declaration = declarations(Version::V3_14);
    for version in Version::ALL {
        assert_eq!(
            declarations(version),
            by_declaration,
            "decisions do not depend on the version but through the declaration"
        );
    }
    let text = format!(
        "What CPython and each built-in policy do with a module, for Python 3.13 to 3.15. Written by tests/truth_table.rs; UPDATE=1 \
         rewrites it.\n\n\
         CPython: what it does at import by itself; `!` where it warns (of the first such module of a process only).\n\
         The other columns: the action of the policy. `findings`: whether a finding stands against the module.\n\
         With gil=0 a GIL build does not start at all; the rows are there so that nobody meets a surprise.\n\n\
         1. By declaration\n\n{by_declaration}\n\
         2. Files that the target cannot import, gil=default\n\n{}",
        failures()
    );
    common::golden("tests/truth_table.txt", &text);
}
