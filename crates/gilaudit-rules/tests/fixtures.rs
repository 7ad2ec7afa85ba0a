//! All rules on all fixtures, so that a false positive of one rule is found by the fixtures of another.
//!
//! These rules judge extensions, so a fixture describes some: blocks of `key: value` lines, separated by empty lines; `#` begins a
//! comment line. `expect` lists every rule that fires, nothing else may; `message` and `help` are parts of the finding's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gilaudit_model::{
    Abi, Arch, BuiltFor, Declaration, Distribution, Evidence, Extension, FailureKind, Format, Framework, Gil,
    ImportFailure, Init, MadeBy, Mechanism, Origin, Site, Status, Target,
};
use gilaudit_rules::check_extension;

const KEYS: [&str; 14] = [
    "module",
    "distribution",
    "framework",
    "init",
    "built-for",
    "declaration",
    "mechanism",
    "evidence",
    "failure",
    "target",
    "gil",
    "expect",
    "message",
    "help",
];

type Block = BTreeMap<String, String>;

fn blocks(text: &str) -> Vec<Block> {
    let lines = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
    let groups = lines.split(|line| line.trim().is_empty()).filter(|group| !group.is_empty());
    groups
        .map(|group| {
            group
                .iter()
                .map(|line| {
                    let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("no colon: {line}"));
                    assert!(KEYS.contains(&key), "unknown key: {line}");
                    (key.to_owned(), value.trim().to_owned())
                })
                .collect()
        })
        .collect()
}

fn one_of<T: Copy>(word: &str, all: &[T], name: fn(T) -> &'static str) -> T {
    *all.iter().find(|value| name(**value) == word).unwrap_or_else(|| panic!("unknown word: {word}"))
}

fn extension(block: &Block) -> Extension {
    let get = |key: &str| block.get(key).map(String::as_str);
    let pair = |text: &str| {
        let (first, second) = text.split_once(' ').unwrap_or((text, ""));
        (first.to_owned(), second.to_owned())
    };
    let status = one_of(get("declaration").unwrap(), &Status::ALL, Status::as_str);
    let mechanism = one_of(
        get("mechanism").unwrap_or("none"),
        &[Mechanism::Slot, Mechanism::SetGil, Mechanism::None],
        Mechanism::as_str,
    );
    let mut declaration = Declaration::new(status, mechanism);
    declaration.evidence.extend(get("evidence").map(|text| {
        let (what, at) = text.split_once(" @ ").unwrap();
        Evidence { what: what.to_owned(), at: Site::Named(at.to_owned()).into() }
    }));
    let built_for = [BuiltFor::FreeThreaded, BuiltFor::Gil, BuiltFor::Abi3, BuiltFor::Abi3t, BuiltFor::Unknown];
    let failure = get("failure").map(|text| {
        let (kind, error) = pair(text);
        let kind = match kind.as_str() {
            "not-searched" => FailureKind::NotSearched,
            "wrong-abi" => FailureKind::WrongAbi,
            "no-hook" => FailureKind::NoHook,
            "missing-symbol" => FailureKind::MissingSymbol,
            "slots" => FailureKind::Slots,
            "init-fails" => FailureKind::InitFails,
            _ => panic!("unknown failure: {text}"),
        };
        ImportFailure { kind, error }
    });
    let module = get("module").unwrap();
    Extension {
        module: module.to_owned(),
        origin: Origin::path(format!("{}.so", module.replace('.', "/"))),
        sha256: None,
        record_sha256: None,
        distribution: get("distribution").map(|text| {
            let (name, version) = pair(text);
            Distribution { name, version }
        }),
        format: Format::Elf,
        arch: Arch::X86_64,
        abi: Abi { tag: None, built_for: one_of(get("built-for").unwrap_or("unknown"), &built_for, BuiltFor::as_str) },
        init: one_of(
            get("init").unwrap_or("multi-phase"),
            &[Init::MultiPhase, Init::SinglePhase, Init::ModuleExport, Init::Unknown],
            Init::as_str,
        ),
        framework: get("framework").map(|text| {
            let (name, version) = pair(text);
            let framework = one_of(&name, &Framework::ALL, Framework::as_str);
            MadeBy { framework, version: (!version.is_empty()).then_some(version) }
        }),
        declaration,
        failure,
    }
}

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/rules");
    let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = folders
        .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "ext"))
        .collect();
    files.sort();
    files
}

#[test]
fn all_rules_on_all_fixtures() {
    for file in files() {
        for block in blocks(&std::fs::read_to_string(&file).unwrap()) {
            let name = format!("{}: {}", file.display(), block["module"]);
            let target: Target = block["target"].parse().unwrap();
            let gil: Gil = block.get("gil").map_or(Ok(Gil::Default), |gil| gil.parse()).unwrap();
            let findings = check_extension(&extension(&block), &target.with_gil(gil));
            let found: Vec<&str> = findings.iter().map(|finding| finding.rule).collect();
            assert_eq!(found, block["expect"].split_whitespace().collect::<Vec<_>>(), "{name}");
            for finding in &findings {
                assert_eq!(finding.module.as_deref(), Some(block["module"].as_str()), "{name}");
                let part = |key: &str| block.get(key).map_or("", String::as_str);
                assert!(finding.message.contains(part("message")), "{name}: {}", finding.message);
                assert!(finding.help.as_deref().unwrap().contains(part("help")), "{name}: {:?}", finding.help);
            }
        }
    }
}

#[test]
fn every_rule_has_fixtures_that_fire_and_that_do_not() {
    let about_extensions = |rule: &&gilaudit_rules::Rule| rule.subjects().contains(&"extension");
    for rule in gilaudit_rules::RULES.iter().filter(about_extensions) {
        let mut fired = [false, false];
        for file in files().iter().filter(|file| file.parent().is_some_and(|folder| folder.ends_with(rule.id))) {
            for block in blocks(&std::fs::read_to_string(file).unwrap()) {
                let fires = block["expect"].split_whitespace().any(|id| id == rule.id);
                assert_eq!(fires, file.file_stem().unwrap().to_str().unwrap().starts_with("bad"), "{}", file.display());
                fired[usize::from(fires)] = true;
            }
        }
        assert_eq!(fired, [true, true], "{}", rule.id);
    }
}
