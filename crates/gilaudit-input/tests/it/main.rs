//! The crate seen from outside: inputs are made on disk, collected, and read.

// clippy.toml allows this in test functions; here it is for what they are built of.
#![allow(clippy::unwrap_used)]

mod archives; // a zip writer that can lie
mod folders; // plain folders, symbolic links, limits
mod installed; // site-packages, environments
mod projects; // what a project's folder holds besides the project
mod sdists; // compressed tars and zips of sources
mod wheels; // wheels, sound and hostile

use std::fs;
use std::path::{Path, PathBuf};

use gilaudit_input::{Given, Inventory, Limits, collect};
use tempfile::TempDir;

/// A temporary folder to make inputs in.
struct Scratch(TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    /// Writes a file, with the folders above it.
    fn write(&self, relative: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        path
    }

    fn collect(&self, relative: &str) -> Inventory {
        self.collect_within(relative, &Limits::default())
    }

    fn collect_within(&self, relative: &str, limits: &Limits) -> Inventory {
        collect(&[Given::Path(self.path(relative))], None, limits)
    }

    /// The folder, as origins show it.
    fn shown(&self) -> String {
        self.0.path().to_string_lossy().replace('\\', "/")
    }

    /// What was found, one line each: `kind origin = module (distribution) [hash]`, and problems as `! origin: error`, with `!!` for
    /// those that left something unread.
    fn list(&self, inventory: &Inventory) -> Vec<String> {
        let prefix = format!("{}/", self.shown());
        let mut lines = Vec::new();
        for member in &inventory.members {
            let mut line = format!("{:?} {} = {}", member.kind, member.origin, member.module);
            if let Some(distribution) = &member.distribution {
                line += &format!(" ({} {})", distribution.name, distribution.version);
            }
            if let Some(hash) = &member.record_sha256 {
                line += &format!(" [{}]", &hash[..4]);
            }
            lines.push(line.replace(&prefix, ""));
        }
        for problem in &inventory.problems {
            let mark = if problem.unread { "!!" } else { "!" };
            lines.push(format!("{mark} {}: {}", problem.origin, problem.error).replace(&prefix, ""));
        }
        lines
    }

    /// The artifacts, one line each: `kind origin python`.
    fn artifacts(&self, inventory: &Inventory) -> Vec<String> {
        let shown = self.shown();
        let line = |artifact: &gilaudit_input::Artifact| {
            let origin = artifact.origin.to_string();
            let origin = origin.strip_prefix(&shown).unwrap_or(&origin).trim_start_matches('/').to_owned();
            let python = artifact.python.map(|python| format!(" {python}")).unwrap_or_default();
            format!("{:?} {origin}{python}", artifact.kind)
        };
        inventory.artifacts.iter().map(line).collect()
    }
}

/// Reads every member: contents, or the error, with `unread` problems marked by `!!`.
fn read_all(inventory: &Inventory) -> Vec<Result<Vec<u8>, String>> {
    let read = |member| match inventory.read(member) {
        Ok(bytes) => Ok(bytes.to_vec()),
        Err(problem) => Err(format!("{}{}", if problem.unread { "!! " } else { "! " }, problem.error)),
    };
    inventory.members.iter().map(read).collect()
}

#[cfg(unix)]
fn link(target: impl AsRef<Path>, at: impl AsRef<Path>) {
    std::os::unix::fs::symlink(target, at).unwrap();
}

#[test]
fn hashes() {
    assert_eq!(gilaudit_input::sha256_hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}
