//! README.md shows what the command prints, and names the commands that CI runs.
//!
//! A block that begins with `$ gilaudit …` and is marked `console` is run at the root of the repository and compared with what
//! follows. Blocks that need the network are marked `text` and are not.

use std::fs;

use crate::common::{command, finish, root};

/// The `console` blocks: a command line and the output below it.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    for block in text.split("```console\n").skip(1) {
        let block = block.split("\n```").next().unwrap();
        let (line, output) = block.split_once('\n').unwrap_or((block, ""));
        blocks.push((line.strip_prefix("$ ").expect("a console block begins with $").to_owned(), output.to_owned()));
    }
    blocks
}

#[test]
fn console_blocks_are_what_the_command_prints() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = blocks(&readme);
    assert!(!blocks.is_empty());
    for (line, shown) in blocks {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[0], "gilaudit", "{line}");
        let ran = finish(command(&words[1..]).current_dir(root()));
        assert_eq!(ran.stdout.trim_end(), shown.trim_end(), "$ {line}\n{}", ran.stderr);
    }
}

#[test]
fn rules_and_policies_are_all_named() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for list in [["rules"].as_slice(), &["policy", "list"]] {
        for line in finish(&mut command(list)).stdout.lines() {
            let name = line.split_whitespace().next().unwrap();
            assert!(readme.contains(&format!("`{name}`")), "README.md does not name {name}");
        }
    }
}

#[test]
fn ci_runs_the_readmes_test_command() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    assert!(readme.contains("\ncargo test --workspace\n"));
    assert!(ci.lines().any(|line| line == "cargo test --workspace"));
}
