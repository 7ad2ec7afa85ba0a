//! The documentation: README.md and the book in `docs/`.
//!
//! Every `console` block is run at the root of the repository and compared with what it shows; `TRYCMD=overwrite cargo test --test it
//! book` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{SCRUBBED, root};

/// The pages: README.md, and all of the book but the pages that have their home elsewhere.
fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = docs.filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
    pages.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    pages.sort();
    pages
}

/// The targets of the links in a page, without those in code.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let prose = text.split("```").step_by(2);
    for part in prose.flat_map(|prose| prose.split("](").skip(1)) {
        links.extend(part.split(')').next());
    }
    links
}

#[test]
fn console_blocks_are_what_the_command_prints() {
    let cases = trycmd::TestCases::new();
    cases.case("README.md").case("docs/*.md").env("COLUMNS", "80");
    for name in SCRUBBED.into_iter().filter(|name| *name != "COLUMNS") {
        cases.env(name, "");
    }
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text) {
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty() || link.contains("://") {
                continue;
            }
            let target = page.parent().unwrap().join(file);
            assert!(target.exists(), "{}: no {link}", page.display());
        }
    }
}

#[test]
fn every_page_of_the_book_is_in_its_summary() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let listed: Vec<&str> = links(&summary);
    for page in fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = page.file_name().unwrap().to_str().unwrap().to_owned();
        if Path::new(&name).extension().is_some_and(|it| it == "md") && name != "SUMMARY.md" {
            assert!(listed.contains(&name.as_str()), "SUMMARY.md does not list {name}");
        }
    }
}

/// Tables of all rules, one for each thing that rules look at.
fn tables_of_rules() -> String {
    let mut subjects: Vec<Vec<&str>> = gilaudit_rules::RULES.iter().map(gilaudit_rules::Rule::subjects).collect();
    subjects.sort_unstable();
    subjects.dedup();
    let mut tables = String::new();
    for subject in subjects {
        tables += &format!("\n## {}\n\n| rule | severity | what it finds |\n| --- | --- | --- |\n", subject.join(", "));
        for rule in gilaudit_rules::RULES.iter().filter(|rule| rule.subjects() == subject) {
            let page = format!("../crates/gilaudit-rules/src/rules/{}.md", rule.id.replace('-', "_"));
            tables += &format!("| [{}]({page}) | {} | {} |\n", rule.id, rule.severity.as_str(), rule.summary);
        }
    }
    tables
}

#[test]
fn the_page_of_rules_has_them_all() {
    let path = root().join("docs/rules.md");
    let text = fs::read_to_string(&path).unwrap();
    let (kept, _) = text.split_once("\n<!-- ").expect("the page says where its tables begin");
    let note = "\n<!-- the tables are made by UPDATE=1 cargo test -p gilaudit --test it book -->\n";
    let fresh = format!("{kept}{note}{}", tables_of_rules());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap() == fresh,
        "docs/rules.md is not up to date: UPDATE=1 cargo test -p gilaudit --test it book"
    );
}
