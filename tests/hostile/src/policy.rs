//! Policies, in YAML and in TOML: an answer about any text, and what is accepted means the same when it is written out.

use gilaudit_model::{
    Abi, Arch, BuiltFor, Declaration, Distribution, Extension, Format, Init, Mechanism, Origin, Severity, Status,
};
use gilaudit_policy::{Date, Diagnostic, Known, Policy, decide};

use crate::binary::targets;

/// Text of a policy file.
pub fn yaml(data: &[u8]) {
    judge("policy.yaml", data, &|name, text, known| Some(Policy::parse(name, text, known)));
}

/// Text of a pyproject.toml.
pub fn toml(data: &[u8]) {
    judge("pyproject.toml", data, &|name, text, known| Policy::parse_pyproject(name, text, known));
}

type Parse<'p> = &'p dyn Fn(&str, &str, &Known<'_>) -> Option<(Option<Policy>, Vec<Diagnostic>)>;

fn judge(name: &str, data: &[u8], parse: Parse<'_>) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let today = Date::from_unix_seconds(1_780_000_000);
    // A policy that extends itself, and one that extends another.
    let base = |name: &str| match name {
        "nogil" => Ok("declarations: {used: refuse, undeclared: refuse, unknown: refuse}\n".to_owned()),
        _ => Ok(text.to_owned()),
    };
    let rules = ["enables-gil", "wrong-abi", "mutable-static"];
    let known = Known { rules: &rules, today, base: &base, shows_bases: true };
    let Some((policy, diagnostics)) = parse(name, text, &known) else { return };
    let lines = text.split('\n').count();
    for diagnostic in &diagnostics {
        let place = &diagnostic.place;
        let inside =
            0 < place.line && 0 < place.column && (place.line, place.column) < (place.end_line, place.end_column);
        assert!(inside && place.line as usize <= lines.max(1) + 1, "no place in {lines} lines: {diagnostic:?}");
    }
    let errors = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    assert_eq!(policy.is_none(), errors, "a policy with errors, or none without: {diagnostics:?}");
    let Some(policy) = policy else { return };
    let resolved = policy.to_yaml();
    let (again, diagnostics) = Policy::parse(name, &resolved, &known);
    let Some(again) = again else { panic!("{resolved}\nis not accepted: {diagnostics:?}") };
    for status in [Status::NotUsed, Status::Used, Status::Undeclared, Status::Unknown] {
        let extension = extension(status);
        for target in targets() {
            let actions = [&policy, &again].map(|policy| decide(policy, &extension, &[], &target, today).action);
            assert_eq!(actions[0], actions[1], "{resolved}\ndecides otherwise about {status:?} for {target}");
        }
    }
}

fn extension(status: Status) -> Extension {
    Extension {
        module: "pkg.core".to_owned(),
        origin: Origin::path("pkg/core.so"),
        sha256: None,
        record_sha256: None,
        distribution: Some(Distribution { name: "pkg".to_owned(), version: "1.2".to_owned() }),
        format: Format::Elf,
        arch: Arch::X86_64,
        abi: Abi { tag: None, built_for: BuiltFor::FreeThreaded },
        init: Init::MultiPhase,
        framework: None,
        declaration: Declaration::new(status, Mechanism::Slot),
        failure: None,
    }
}
