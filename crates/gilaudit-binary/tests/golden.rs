//! The whole answer about every file, beside its case: `fixtures/binaries/<case>/expected.txt`.
//!
//! `UPDATE=1 cargo test -p gilaudit-binary` writes what the library says now; the difference is then for a person to read.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use gilaudit_model::{BinaryFacts, Target};

use crate::fixtures::{Fixture, Read, read_all, root, targets};

/// What the library says of one file.
fn describe(fixture: &Fixture, (slices, unread): &Read) -> String {
    let mut text = format!("{}\n", fixture.path());
    for it in unread {
        writeln!(text, "  problem at parse: {}", it.error).unwrap();
    }
    for facts in slices {
        let slice = facts.slice.as_ref().map_or(String::new(), |slice| format!("[{slice}] "));
        let tag = facts.abi.tag.as_deref().unwrap_or("no tag");
        write!(
            text,
            "  {slice}{} {} {}-bit, {tag}, built for {}",
            facts.format.as_str(),
            facts.arch.as_str(),
            facts.bits,
            facts.abi.built_for.as_str()
        )
        .unwrap();
        if let Some(framework) = &facts.framework {
            write!(text, ", made by {} {}", framework.framework, framework.version.as_deref().unwrap_or("?")).unwrap();
        }
        text.push('\n');
        if !facts.needed.is_empty() {
            writeln!(text, "  needs {}", facts.needed.join(", ")).unwrap();
        }
        if !facts.other_hooks.is_empty() {
            writeln!(text, "  init functions for other names: {}", facts.other_hooks.join(", ")).unwrap();
        }
        // Most files are the same to all targets.
        let mut said: Vec<(String, String)> = Vec::new();
        for target in targets() {
            let what = loading(facts, fixture.module(), &target);
            match said.iter_mut().find(|said| said.1 == what) {
                Some(said) => said.0 += &format!(" {target}"),
                None => said.push((target.to_string(), what)),
            }
        }
        for (targets, what) in said {
            write!(text, "  {targets}: {what}").unwrap();
        }
    }
    text
}

/// What the library says that a target makes of one file.
fn loading(facts: &BinaryFacts, module: &str, target: &Target) -> String {
    let Some(loading) = facts.load(module, target) else { return format!("no init function for {module}\n") };
    let declaration = &loading.declaration;
    let at = facts.hooks.iter().find(|hook| hook.symbol == loading.hook).map(|hook| hook.at.to_string());
    let mut text = format!(
        "{}, {}, by {}, {} at {}\n",
        declaration.status.as_str(),
        loading.init.as_str(),
        declaration.mechanism.as_str(),
        loading.hook,
        at.unwrap_or_default()
    );
    for evidence in &declaration.evidence {
        writeln!(text, "    {} at {}", evidence.what, evidence.at).unwrap();
    }
    if let Some(reason) = &declaration.reason {
        writeln!(text, "    because {reason}").unwrap();
    }
    if let Some(other) = &declaration.delegated_to {
        writeln!(text, "    delegated to {other}").unwrap();
    }
    if let Some(tool) = &declaration.declared_by_tool {
        writeln!(text, "    declared by {tool}").unwrap();
    }
    if let Some(failure) = &loading.failure {
        writeln!(text, "    fails ({:?}): {}", failure.kind, failure.error).unwrap();
    }
    text
}

#[test]
fn the_whole_answer_is_as_written_beside_each_case() {
    let mut cases: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (fixture, read) in read_all() {
        cases.entry(&fixture.case).or_default().push(describe(fixture, read));
    }
    let update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    let mut report = String::new();
    for (case, files) in cases {
        let path = root().join(case).join("expected.txt");
        let now = files.join("\n");
        if update {
            fs::write(&path, now).unwrap();
            continue;
        }
        let before = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        if now != before {
            let differing: Vec<String> = files.into_iter().filter(|file| !before.contains(file.as_str())).collect();
            writeln!(report, "--- {case}, now:\n{}", differing.join("\n")).unwrap();
        }
    }
    assert!(report.is_empty(), "other than in expected.txt (UPDATE=1 writes them anew):\n{report}");
}
