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
