//! A rule exists if and only if its `.rs`, its `.md`, its fixture folder and its line in `RULES` exist, and its page has its parts.

use std::collections::BTreeSet;
use std::path::PathBuf;

use gilaudit_rules::{RULES, find};

fn crate_folder(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The names in a folder, without the extension if one is asked for.
fn names(folder: &str, extension: Option<&str>) -> BTreeSet<String> {
    let entries = std::fs::read_dir(crate_folder(folder)).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| match extension {
            Some(extension) => path.extension().is_some_and(|found| found == extension),
            None => path.is_dir(),
        })
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn four_places_agree() {
    let registered: BTreeSet<String> = RULES.iter().map(|rule| rule.id.to_owned()).collect();
    let as_id = |names: BTreeSet<String>| names.into_iter().map(|name| name.replace('_', "-")).collect::<BTreeSet<_>>();
    assert_eq!(as_id(names("src/rules", Some("rs"))), registered, "src/rules/*.rs");
    assert_eq!(as_id(names("src/rules", Some("md"))), registered, "src/rules/*.md");
    assert_eq!(names("../../fixtures/rules", None), registered, "fixtures/rules/*/");
}

#[test]
fn the_registry_is_sorted_and_finds_each_once() {
    assert!(RULES.windows(2).all(|pair| pair[0].id < pair[1].id));
    for rule in RULES {
        assert_eq!(find(rule.id).unwrap().id, rule.id);
    }
    assert!(find("no-such-rule").is_none());
}

#[test]
fn every_rule_is_described() {
    for rule in RULES {
        let kebab = rule.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        assert!(kebab, "{}", rule.id);
        assert!(rule.summary.starts_with(|c: char| !c.is_uppercase()) && !rule.summary.ends_with('.'), "{}", rule.id);
        let file = rule.id.replace('-', "_");
        let page = std::fs::read_to_string(crate_folder(&format!("src/rules/{file}.md"))).unwrap();
        assert_eq!(rule.doc, page, "{} embeds its own page", rule.id);
        let title = format!("# {}", rule.id);
        let expected = [title.as_str(), "## What it does", "## Why", "## Bad", "## Good", "## References"];
        assert_eq!(headings(&page), expected);
        for part in ["## Bad", "## Good"] {
            let after = page.split_once(part).unwrap().1;
            assert!(after.trim_start().starts_with("```"), "{}: {part} shows code", rule.id);
        }
    }
}

/// The headings of a page; a `#` in a code block is none.
fn headings(page: &str) -> Vec<&str> {
    let outside_code = page.split("```").step_by(2);
    outside_code.flat_map(str::lines).filter(|line| line.starts_with('#')).collect()
}
