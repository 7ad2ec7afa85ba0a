//! The rules for sources on their pages and fixtures.
//!
//! In a fixture the expectation is a comment on the flagged line, `expect: rule-a, rule-b`; all rules run on all fixtures, and what is
//! found with at least medium confidence must be expected there, notes included. The blocks of a rule's page must raise it (Bad) or
//! raise nothing (Good).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gilaudit_model::{Confidence, Finding, Location, Origin};
use gilaudit_rules::{Options, RULES, Rule, check_project};
use gilaudit_source::c::{Limits, SourceText, read_project};

fn lint(path: &str, text: &str) -> Vec<Finding> {
    let file = SourceText { origin: Origin::path(path), path: path.to_owned(), text: text.to_owned(), report: true };
    let (project, problems) = read_project(vec![file], &Limits::default());
    assert_eq!(problems, [], "{path}");
    assert_eq!(project.files[0].unparsed, 0, "{path} does not parse: {:?}", project.files[0].unparsed_spans);
    let options = Options { target: "3.14t".parse().unwrap(), frozen: Vec::new() };
    let mut findings = check_project(&project, &options);
    findings.retain(|finding| finding.confidence >= Confidence::Medium);
    findings
}

fn line_of(finding: &Finding) -> u32 {
    match finding.location {
        Location::Text { line, .. } => line,
        _ => 0,
    }
}

fn is_source(rule: &Rule) -> bool {
    rule.subject() != "extension"
}

fn fixtures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/rules");
    let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = folders
        .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "c" || extension == "cpp"))
        .collect();
    files.sort();
    files
}

/// The expectations of a fixture: line and rule.
fn expected(text: &str) -> BTreeSet<(u32, String)> {
    let mut out = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        let Some((_, rest)) = line.split_once("expect:") else { continue };
        for rule in rest.trim_end_matches("*/").split(',') {
            out.insert((index as u32 + 1, rule.trim().to_owned()));
        }
    }
    out
}

#[test]
fn all_rules_on_all_source_fixtures() {
    let mut wrong = String::new();
    for path in fixtures() {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy();
        let found: BTreeSet<(u32, String)> =
            lint(&name, &text).iter().map(|finding| (line_of(finding), finding.rule.to_owned())).collect();
        let expected = expected(&text);
        for (line, rule) in expected.difference(&found) {
            wrong.push_str(&format!("{}:{line}: {rule} was expected\n", path.display()));
        }
        for (line, rule) in found.difference(&expected) {
            wrong.push_str(&format!("{}:{line}: {rule} was not expected\n", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_source_rule_has_fixtures_that_fire_and_that_do_not() {
    for rule in RULES.iter().filter(|rule| is_source(rule)) {
        let own: Vec<PathBuf> = fixtures()
            .into_iter()
            .filter(|path| path.parent().is_some_and(|folder| folder.ends_with(rule.id)))
            .collect();
        let fires =
            |path: &PathBuf| expected(&std::fs::read_to_string(path).unwrap()).iter().any(|(_, id)| id == rule.id);
        assert!(own.iter().any(fires), "{}: no fixture fires", rule.id);
        assert!(own.iter().any(|path| !fires(path)), "{}: no fixture is silent", rule.id);
    }
}

/// The code blocks under a heading of a page.
fn blocks(page: &str, heading: &str) -> Vec<(String, String)> {
    let section = page.split("\n## ").find(|section| section.starts_with(heading)).unwrap_or_default();
    section
        .split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| {
            let (language, code) = block.split_once('\n')?;
            matches!(language, "c" | "cpp").then(|| (language.to_owned(), code.to_owned()))
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
            for (language, code) in blocks {
                let text = format!("#include <Python.h>\n{code}");
                let findings = lint(&format!("page.{language}"), &text);
                let raised: BTreeSet<&str> = findings.iter().map(|finding| finding.rule).collect();
                if fires && !raised.contains(rule.id) || !fires && !raised.is_empty() {
                    wrong.push_str(&format!("{} {heading}: raises {raised:?}\n{code}\n", rule.id));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
