//! README.md shows what the command prints, and names the commands that CI runs.
//!
//! Blocks marked `console` are run with those of the book (`book.rs`). Those marked `text` that begin with `$ gilaudit …` are run here:
//! they need the network, and say loudly when they were not compared for want of it.

use std::fs;

use crate::common::{Ran, command, finish, root, skipped};

/// The blocks about downloads: a command line and the output below it.
fn blocks() -> Vec<(String, String)> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut blocks = Vec::new();
    for block in readme.split("```text\n$ ").skip(1) {
        let (line, output) = block.split("\n```").next().unwrap().split_once('\n').expect("a command has output");
        blocks.push((line.to_owned(), output.to_owned()));
    }
    assert!(!blocks.is_empty(), "README.md has no such block");
    blocks
}

fn run_line(line: &str) -> Ran {
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[0], "gilaudit", "{line}");
    finish(command(&words[1..]).current_dir(root()))
}

#[test]
fn text_blocks_are_what_the_command_prints_about_downloads() {
    for (line, shown) in blocks() {
        let ran = run_line(&line);
        if ran.stdout.contains("not read[find]") || !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            skipped(&format!("$ {line}: not downloaded, or for another platform than the one shown"));
            continue;
        }
        assert_eq!(ran.stdout.trim_end(), shown, "$ {line}\n{}", ran.stderr);
    }
}

#[test]
fn policies_are_all_named() {
    let named = ["README.md", "docs/using.md"].map(|page| fs::read_to_string(root().join(page)).unwrap());
    for line in finish(&mut command(["policy", "list"])).stdout.lines() {
        let name = line.split_whitespace().next().unwrap();
        assert!(
            named.iter().all(|page| page.contains(&format!("`{name}`"))),
            "README.md and docs/using.md do not both name {name}"
        );
    }
}

/// A stranger reads so much in two minutes.
#[test]
fn it_is_short() {
    let bytes = fs::metadata(root().join("README.md")).unwrap().len();
    assert!(bytes <= 6 * 1024, "README.md has {bytes} bytes");
}

#[test]
fn ci_runs_the_readmes_test_command() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(readme.contains("\ncargo test --workspace\n"));
    assert!(ci.lines().any(|line| line == "cargo test --workspace"));
}
