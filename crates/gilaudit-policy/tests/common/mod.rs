//! What the tests of this crate share: the built-in policies, a made-up extension, golden texts.

use std::path::Path;

use gilaudit_model::{
    Abi, Arch, BuiltFor, Declaration, Distribution, Extension, Format, Init, Mechanism, Origin, Severity, Status,
};
use gilaudit_policy::{Date, Diagnostic, Known, Policy};

pub(crate) const RULES: [&str; 2] = ["enables-gil", "wrong-abi"];

pub(crate) const BUILT_IN: [(&str, &str); 6] = [
    ("pep703", include_str!("../../../../policies/pep703.yaml")),
    ("gil", include_str!("../../../../policies/gil.yaml")),
    ("nogil", include_str!("../../../../policies/nogil.yaml")),
    ("unsafe-nogil", include_str!("../../../../policies/unsafe-nogil.yaml")),
    ("serialize", include_str!("../../../../policies/serialize.yaml")),
    ("audited", include_str!("../../../../policies/audited.yaml")),
];

pub(crate) fn today() -> Date {
    Date::new(2026, 11, 22).unwrap()
}

pub(crate) fn built_in(name: &str) -> Result<String, String> {
    let found = BUILT_IN.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
    found.ok_or_else(|| "no such file".to_owned())
}

/// Reads a policy that may extend the built-in ones.
pub(crate) fn parse(name: &str, text: &str) -> (Option<Policy>, Vec<Diagnostic>) {
    Policy::parse(name, text, &Known { rules: &RULES, today: today(), base: &built_in, shows_bases: true })
}

/// Reads a policy without mistakes; warnings are fine.
pub(crate) fn policy(text: &str) -> Policy {
    let (policy, diagnostics) = parse("policy.yaml", text);
    assert!(diagnostics.iter().all(|d| d.severity != Severity::Error), "{}", shown(&diagnostics));
    policy.unwrap()
}

pub(crate) fn shown(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n")).collect()
}

/// An extension of lxml 6.1.3 with this declaration, by a slot where it says anything.
pub(crate) fn extension(module: &str, status: Status) -> Extension {
    let declaration = match status {
        Status::Unknown => {
            Declaration::unknown(gilaudit_model::Reason::Build("the slots are filled in by code".to_owned()))
        }
        Status::Undeclared => Declaration::new(status, Mechanism::None),
        _ => Declaration::new(status, Mechanism::Slot),
    };
    let path = format!("{}.cpython-314t-x86_64-linux-gnu.so", module.replace('.', "/"));
    Extension {
        module: module.to_owned(),
        origin: Origin::path(path),
        sha256: None,
        record_sha256: None,
        distribution: Some(Distribution { name: "lxml".to_owned(), version: "6.1.3".to_owned() }),
        format: Format::Elf,
        arch: Arch::X86_64,
        abi: Abi { tag: Some("cp314t".to_owned()), built_for: BuiltFor::FreeThreaded },
        init: Init::MultiPhase,
        framework: None,
        declaration,
        failure: None,
    }
}

/// Compares with a text kept beside the tests; `UPDATE=1` rewrites it.
pub(crate) fn golden(path: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept.replace("\r\n", "\n"), found, "{} differs; UPDATE=1 rewrites it", path.display());
}
