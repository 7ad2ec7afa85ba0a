//! The rules for sources on their pages and fixtures.
//!
//! In a fixture the expectation is a comment on the flagged line, `expect: rule-a, rule-b`; all rules run on all fixtures, and what is
//! found with at least medium confidence must be expected there, notes included. The blocks of a rule's page must raise it (Bad) or
//! raise nothing (Good).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gilaudit_model::{Confidence, Finding, Location, Origin};
use gilaudit_rules::{Options, RULES, Rule, check_project};
use gilaudit_source::{Limits, SourceText, read_project};

/// Lints the files of one project: path and text.
fn lint(files: &[(String, String)]) -> Vec<Finding> {
    let source = |(path, text): &(String, String)| SourceText {
        origin: Origin::path(path),
        path: path.clone(),
        text: text.clone(),
        report: true,
        unread: None,
    };
    let (project, problems) = read_project(files.iter().map(source).collect(), &Limits::default());
    assert_eq!(problems, []);
    for file in &project.files {
        assert_eq!(file.unparsed, 0, "{} does not parse: {:?}", file.path, file.unparsed_spans);
    }
    let options = Options {
        target: "3.14t".parse().unwrap(),
        frozen: Vec::new(),
        ignored: Vec::new(),
        suppressions: true,
        steps: gilaudit_model::source::Steps::MOST,
    };
    let mut findings = check_project(&project, &options).findings;
    // What a rule is never surer of than this is not reported by default, and tested all the same.
    let least = |rule: &str| {
        gilaudit_rules::find(rule).map_or(Confidence::Medium, |rule| rule.confidence.min(Confidence::Medium))
    };
    findings.retain(|finding| finding.confidence >= least(finding.rule));
    findings
}

fn line_of(finding: &Finding) -> u32 {
    match finding.location {
        Location::Text { line, .. } => line,
        _ => 0,
    }
}

fn is_source(rule: &Rule) -> bool {
    !rule.subjects().contains(&"extension")
}

/// The files of a folder and the folders in it.
fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            walk(&entry, out);
        } else if entry.extension().is_none_or(|extension| extension != "ext") {
            out.push(entry);
        }
    }
}

/// The source fixtures, each a project: a file in a rule's folder, or a folder in it with all its files.
fn fixtures() -> Vec<(PathBuf, Vec<PathBuf>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/rules");
    let mut out = Vec::new();
    for rule in std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for entry in std::fs::read_dir(rule).unwrap().map(|entry| entry.unwrap().path()) {
            let mut files = Vec::new();
            if entry.is_dir() {
                walk(&entry, &mut files);
            } else if entry.extension().is_none_or(|extension| extension != "ext") {
                files.push(entry.clone());
            }
            if !files.is_empty() {
                out.push((entry, files));
            }
        }
    }
    out.sort();
    out
}

/// A fixture's files as a project: paths relative to its folder.
fn read(fixture: &Path, files: &[PathBuf]) -> Vec<(String, String)> {
    let base = if fixture.is_dir() { fixture } else { fixture.parent().unwrap() };
    let path = |file: &Path| file.strip_prefix(base).unwrap().to_string_lossy().replace('\\', "/");
    files.iter().map(|file| (path(file), std::fs::read_to_string(file).unwrap())).collect()
}

/// The expectations of a fixture: file, line and rule.
fn expected(files: &[(String, String)]) -> BTreeSet<(String, u32, String)> {
    let mut out = BTreeSet::new();
    for (path, text) in files {
        for (index, line) in text.lines().enumerate() {
            let Some((_, rest)) = line.split_once("expect:") else { continue };
            for rule in rest.trim_end().trim_end_matches("*/").split(',') {
                out.insert((path.clone(), index as u32 + 1, rule.trim().to_owned()));
            }
        }
    }
    out
}

#[test]
fn all_rules_on_all_source_fixtures() {
    let mut wrong = String::new();
    for (fixture, files) in fixtures() {
        let files = read(&fixture, &files);
        let place = |finding: &Finding| (finding.origin.to_string(), line_of(finding), finding.rule.to_owned());
        let found: BTreeSet<_> = lint(&files).iter().map(place).collect();
        let expected = expected(&files);
        for (path, line, rule) in expected.difference(&found) {
            wrong.push_str(&format!("{} {path}:{line}: {rule} was expected\n", fixture.display()));
        }
        for (path, line, rule) in found.difference(&expected) {
            wrong.push_str(&format!("{} {path}:{line}: {rule} was not expected\n", fixture.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_source_rule_has_fixtures_that_fire_and_that_do_not() {
    for rule in RULES.iter().filter(|rule| is_source(rule)) {
        let own: Vec<bool> = fixtures()
            .into_iter()
            .filter(|(fixture, _)| fixture.parent().is_some_and(|folder| folder.ends_with(rule.id)))
            .map(|(fixture, files)| expected(&read(&fixture, &files)).iter().any(|(_, _, id)| id == rule.id))
            .collect();
        assert!(own.contains(&true), "{}: no fixture fires", rule.id);
        assert!(own.contains(&false), "{}: no fixture is silent", rule.id);
    }
}

/// The file that a code block of a page stands for, by its language; a language may be followed by the name of a file.
fn page_file(info: &str) -> Option<&str> {
    match info {
        "c" => Some("page.c"),
        "cpp" => Some("page.cpp"),
        "cython" => Some("page.pyx"),
        "rust" => Some("page.rs"),
        "python" => Some("page.py"),
        "cmake" => Some("CMakeLists.txt"),
        "meson" => Some("meson.build"),
        _ => info.split_once(' ').map(|(_, name)| name),
    }
}

/// The code blocks under a heading of a page, each a file of its own: name and text.
fn blocks(page: &str, heading: &str) -> Vec<(String, String)> {
    let section = page.split("\n## ").find(|section| section.starts_with(heading)).unwrap_or_default();
    section
        .split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| {
            let (language, code) = block.split_once('\n')?;
            let name = page_file(language)?;
            let code =
                if name.starts_with("page.c") { format!("#include <Python.h>\n{code}") } else { code.to_owned() };
            Some((name.to_owned(), code))
        })
        .collect()
}

#[test]
fn the_blocks_of_every_page() {
    let mut wrong = String::new();
    for rule in RULES.iter().filter(|rule| is_source(rule)) {
        for (heading, fires) in [("Bad", true), ("Good", false)] {
            let blocks = blocks(rule.doc, heading);
            assert!(!blocks.is_empty(), "{}: no {heading} block", rule.id);
            let mut metadata = None;
            for (name, code) in blocks {
                // A project's metadata belongs to the code that follows.
                if name == "pyproject.toml" || name == "Cargo.toml" && metadata.is_none() && rule.id != "pyo3-too-old" {
                    metadata = Some((name, code));
                    continue;
                }
                let files: Vec<_> = metadata.take().into_iter().chain([(name, code.clone())]).collect();
                let findings = lint(&files);
                let raised: BTreeSet<&str> = findings.iter().map(|finding| finding.rule).collect();
                if fires && !raised.contains(rule.id) || !fires && !raised.is_empty() {
                    wrong.push_str(&format!("{} {heading}: raises {raised:?}\n{code}\n", rule.id));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
