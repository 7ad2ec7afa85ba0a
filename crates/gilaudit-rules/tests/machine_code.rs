//! What rules find in machine code: `fixtures/code/unsafe.c`, compiled with every level of optimisation and stripped. Each function is
//! named for the rule that it breaks, or `ok_` for why it breaks none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gilaudit_binary::{CodeLimits, Hints, Limits, read, read_code};
use gilaudit_model::flow::Code;
use gilaudit_model::{Declaration, Extension, Finding, Init, Mechanism, Origin, Status};
use gilaudit_rules::check_code;

fn fixture(level: &str) -> (PathBuf, Vec<u8>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/code").join(level);
    let path = folder.join("unsafe.cpython-314t-x86_64-linux-gnu.so");
    let bytes = std::fs::read(&path).unwrap();
    (path, bytes)
}

fn look(bytes: &[u8], name: &str) -> Option<(Code, Vec<Finding>)> {
    let origin = Origin::path(name);
    let (facts, _) = read(bytes, &Hints::new(name), &Limits::default());
    let facts = facts.into_iter().next()?;
    let code = read_code(bytes, &facts, &CodeLimits::default());
    let extension = Extension {
        module: "unsafe".to_owned(),
        origin,
        sha256: None,
        record_sha256: None,
        distribution: None,
        format: facts.format,
        arch: facts.arch,
        abi: facts.abi,
        init: Init::MultiPhase,
        framework: None,
        declaration: Declaration::new(Status::NotUsed, Mechanism::Slot),
        failure: None,
    };
    let findings = check_code(&code, &extension);
    Some((code, findings))
}

#[test]
fn functions_named_for_a_rule_break_it_and_the_others_none() {
    for level in ["O1", "O2", "O3"] {
        let (_, bytes) = fixture(level);
        let (code, findings) = look(&bytes, "unsafe.cpython-314t-x86_64-linux-gnu.so").unwrap();
        assert_eq!(code.looked.nothing, None, "{level}");
        assert!(code.looked.not_followed.is_empty(), "{level}: {:?}", code.looked.not_followed);
        let found: BTreeSet<(String, &str)> = findings
            .iter()
            .map(|finding| {
                let place = finding.code.as_ref().unwrap();
                assert!(place.section.is_some() && place.symbol.is_none(), "{level}: {finding:?}");
                (place.python_name.clone().unwrap_or_default(), finding.rule)
            })
            .collect();
        let expected = [
            ("borrowed_list_item", "borrowed-list-item"),
            ("borrowed_list_item_inlined", "borrowed-list-item"),
            ("borrowed_dict_item", "borrowed-dict-item"),
            ("dict_next_unlocked", "dict-next-unlocked"),
            ("mutable_static", "mutable-static"),
            ("lazy_static_object", "lazy-static-object"),
        ];
        let expected: BTreeSet<(String, &str)> =
            expected.iter().map(|(name, rule)| ((*name).to_owned(), *rule)).collect();
        assert_eq!(found, expected, "{level}");
    }
}

/// Nothing is inlined there: the lock is two calls away, and so is the test that it is a list.
#[test]
fn without_optimisation_calls_are_still_found() {
    let (_, bytes) = fixture("O0");
    let (_, findings) = look(&bytes, "unsafe.cpython-314t-x86_64-linux-gnu.so").unwrap();
    let rules: BTreeSet<&str> = findings.iter().map(|finding| finding.rule).collect();
    let expected =
        ["borrowed-dict-item", "borrowed-list-item", "dict-next-unlocked", "lazy-static-object", "mutable-static"];
    assert_eq!(rules, expected.into_iter().collect());
}

#[test]
fn damaged_code_is_read_to_some_end() {
    let (_, bytes) = fixture("O2");
    for length in (64..bytes.len()).step_by(997) {
        let _ = look(&bytes[..length], "unsafe.cpython-314t-x86_64-linux-gnu.so");
    }
    for at in (0x40..bytes.len()).step_by(61) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        let _ = look(&damaged, "unsafe.cpython-314t-x86_64-linux-gnu.so");
    }
}
