//! Invariants of the source tree that no compiler checks.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{root, run};

/// All files below `folder` whose names end with `suffix`, sorted.
fn files(folder: &Path, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, suffix));
        } else if path.to_string_lossy().ends_with(suffix) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Whether a file holds only tests.
fn is_test(path: &Path) -> bool {
    path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests")
}

fn rust() -> Vec<(PathBuf, String)> {
    let all = ["crates", "src", "tests"].iter().flat_map(|folder| files(&root().join(folder), ".rs"));
    all.map(|path| (path.clone(), fs::read_to_string(&path).unwrap())).collect()
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, text) in rust() {
        // What a file of tests in a crate is for is in the name of what it tests.
        let tests = path.starts_with(root().join("crates")) && is_test(&path);
        assert!(tests || text.starts_with("//! "), "{} does not begin with a //! header", path.display());
    }
}

#[test]
fn files_stay_readable() {
    for (path, text) in rust() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!["utils.rs", "util.rs", "helpers.rs", "misc.rs"].contains(&name.as_str()), "{name} says nothing");
        // Tables are as long as what they list.
        let lines = text.split("#[cfg(test)]\nmod tests").next().unwrap().lines().count();
        assert!(lines <= 1000, "{} has {lines} lines before its tests", path.display());
    }
}

#[test]
fn no_merge_was_left_half_done() {
    let documents =
        ["docs", "crates", "src", "tests", "policies", "corpus", "python"].map(|folder| root().join(folder));
    let mut texts: Vec<PathBuf> = documents
        .iter()
        .flat_map(|folder| [".md", ".rs", ".py", ".yaml", ".json", ".js"].map(|it| files(folder, it)))
        .flatten()
        .collect();
    texts.extend(
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "ARCHITECTURE.md", ".ci/run"].map(|name| root().join(name)),
    );
    for path in texts {
        let text = fs::read_to_string(&path).unwrap();
        let marker = text.lines().find(|line| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> "));
        assert!(marker.is_none(), "{}: {marker:?}", path.display());
    }
}

#[test]
fn no_machine_paths() {
    for (path, text) in rust() {
        if path.ends_with("tests/tidy.rs") {
            continue;
        }
        for machine in ["/root/", "/work/", "/Users/", "C:\\Users"] {
            assert!(!text.contains(machine), "{} has {machine}", path.display());
        }
    }
}

/// Invariant: only `gilaudit-input` and the command touch files, and only the command prints.
#[test]
fn no_input_or_output_in_the_core() {
    for crate_name in ["model", "binary", "source", "rules", "policy", "audit"] {
        for path in files(&root().join(format!("crates/gilaudit-{crate_name}/src")), ".rs") {
            if is_test(&path) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let words = ["std::fs", "std::net", "std::process", "std::env", "SystemTime", "println!", "eprintln!"];
            let of_paths = [".is_dir()", ".is_file()", ".exists()", ".canonicalize()", ".read_dir()"];
            for word in words.into_iter().chain(of_paths) {
                let used = code.lines().any(|line| line.contains(word) && !line.trim_start().starts_with("//"));
                assert!(!used, "{} uses {word}", path.display());
            }
        }
    }
}

/// Invariant: only `gilaudit-index` speaks to a network.
#[test]
fn one_crate_speaks_to_a_network() {
    for path in files(&root().join("crates"), "Cargo.toml").into_iter().chain([root().join("Cargo.toml")]) {
        let text = fs::read_to_string(&path).unwrap();
        let dependencies = text.split("[workspace.dependencies]").next().unwrap().to_owned()
            + text.split("[workspace.lints.rust]").nth(1).unwrap_or_default();
        let speaks = ["ureq", "rustls"].iter().any(|name| {
            dependencies
                .lines()
                .any(|line| line.starts_with(&format!("{name}.workspace")) || line.starts_with(&format!("{name} =")))
        });
        let is_index = path.parent().unwrap().ends_with("gilaudit-index");
        assert_eq!(speaks, is_index, "{}", path.display());
    }
    for (path, text) in rust().into_iter().filter(|(path, _)| path.starts_with(root().join("crates"))) {
        let in_index = path.components().any(|part| part.as_os_str() == "gilaudit-index");
        assert!(in_index || !text.contains("std::net"), "{} uses std::net", path.display());
    }
}

/// Invariant: whatever is read is opened by one function, which waits for nobody and has a limit.
#[test]
fn files_are_opened_in_one_place() {
    let all = ["crates", "src"].iter().flat_map(|folder| files(&root().join(folder), ".rs"));
    let sources = all.filter(|path| {
        let aside = ["tests", "examples", "benches"];
        !is_test(path) && !path.components().any(|part| aside.iter().any(|name| part.as_os_str() == *name))
    });
    let mut openers = Vec::new();
    for path in sources {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let words = ["File::open", "OpenOptions", "fs::read(", "fs::read_to_string", "io::stdin", "Mmap"];
        if words.iter().any(|word| code.lines().any(|line| line.contains(word) && !line.trim_start().starts_with("//")))
        {
            openers.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    assert_eq!(openers, ["open.rs"]);
}

/// Invariant: what is known of a framework by its name is in one file.
#[test]
fn frameworks_have_one_home() {
    for crate_name in ["model", "binary", "policy", "audit"] {
        for path in files(&root().join(format!("crates/gilaudit-{crate_name}/src")), ".rs") {
            if is_test(&path) || path.ends_with("gilaudit-model/src/framework.rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for framework in gilaudit_model::Framework::ALL {
                assert!(!code.contains(&format!("\"{framework}\"")), "{} names {framework}", path.display());
            }
        }
    }
}

/// Invariant: the model is not serialisable.
#[test]
fn the_model_depends_on_nothing() {
    let manifest = fs::read_to_string(root().join("crates/gilaudit-model/Cargo.toml")).unwrap();
    assert!(!manifest.contains("[dependencies]"));
}

#[test]
fn every_policy_file_is_built_in() {
    let mut listed: Vec<String> = run(["policy", "list"])
        .exits(0)
        .stdout
        .lines()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    listed.sort();
    let files = files(&root().join("policies"), ".yaml");
    let names: Vec<String> =
        files.iter().map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(listed, names);
}

#[test]
fn crates_are_in_the_workspace_and_forbid_unsafe_code() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    for path in files(&root().join("crates"), "Cargo.toml") {
        let name = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        assert!(manifest.contains(&format!("\"crates/{name}\"")), "{name} is not a member");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("[lints]\nworkspace = true"), "{name}");
    }
}

#[test]
fn documents_are_short_and_there() {
    for name in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE", "deny.toml"] {
        assert!(root().join(name).is_file(), "{name}");
    }
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(architecture.lines().count() <= 100);
    for path in files(&root().join("crates"), "Cargo.toml") {
        let name = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        assert!(architecture.contains(&name), "ARCHITECTURE.md does not name {name}");
    }
}

#[test]
fn the_minimum_version_is_stated_once_and_the_same() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let version =
        manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).unwrap().trim_end_matches('"');
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(&format!("Rust {version}")), "README.md does not say Rust {version}");
}
