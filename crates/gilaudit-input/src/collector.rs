//! What is gathered while the inputs are gone through.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gilaudit_model::{Distribution, Origin, Problem};
use tempfile::TempDir;

use crate::budget::Budget;
use crate::inventory::{Artifact, Inventory, Member, SourceFile};
use crate::limits::Limits;
use crate::problems::{Problems, origin_of};
use crate::zip::Archive;

/// The inventory in the making, and the files that are in it already: an input that is given twice is listed once.
#[derive(Debug)]
pub(crate) struct Collector {
    inventory: Inventory,
    seen: HashSet<PathBuf>,
    reads_nested_environments: bool,
    problems: Problems,
    /// Bytes that may still be held in memory for the whole run.
    kept: u64,
    /// What is read while collecting waits for nobody: it is read one by one.
    unlimited: Arc<Budget>,
}

impl Collector {
    pub(crate) fn new(limits: &Limits, reads_nested_environments: bool) -> Self {
        Self {
            inventory: Inventory::new(limits),
            seen: HashSet::new(),
            reads_nested_environments,
            problems: Problems::default(),
            kept: limits.kept_bytes,
            unlimited: Budget::new(u64::MAX),
        }
    }

    /// Whether the virtual environments in a project's folder are wanted, too.
    pub(crate) fn reads_nested_environments(&self) -> bool {
        self.reads_nested_environments
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.inventory.limits()
    }

    pub(crate) fn unlimited(&self) -> Arc<Budget> {
        Arc::clone(&self.unlimited)
    }

    /// Whether so many bytes may be held for the whole run, which then count.
    pub(crate) fn keep(&mut self, bytes: u64) -> bool {
        let left = self.kept.checked_sub(bytes);
        self.kept = left.unwrap_or(self.kept);
        left.is_some()
    }

    /// Adds an artifact and gives its index, for [`Member::artifact`].
    pub(crate) fn artifact(&mut self, artifact: Artifact) -> usize {
        self.inventory.artifacts.push(artifact);
        self.inventory.artifacts.len().saturating_sub(1)
    }

    pub(crate) fn member(&mut self, member: Member) {
        self.inventory.members.push(member);
    }

    pub(crate) fn source(&mut self, source: SourceFile) {
        self.inventory.sources.push(source);
    }

    /// Adds a problem of the file or archive that its origin begins with.
    pub(crate) fn problem(&mut self, problem: Problem) {
        let of = problem.origin.parts().first().map(Origin::path).unwrap_or_else(|| problem.origin.clone());
        self.problems.add(&of, problem);
    }

    /// Adds a problem that has the origin of one file but is of another, such as the RECORD that names it.
    pub(crate) fn problem_of(&mut self, of: &Path, problem: Problem) {
        self.problems.add(&origin_of(of), problem);
    }

    /// Keeps an archive and gives its index, for [`Handle::Entry`].
    pub(crate) fn archive(&mut self, archive: Arc<Archive>) -> usize {
        self.inventory.add_archive(archive)
    }

    /// Keeps that a distribution is installed.
    pub(crate) fn installed(&mut self, distribution: Distribution) {
        self.inventory.add_installed(distribution);
    }

    /// Keeps what a wheel says that it needs.
    pub(crate) fn requirements(&mut self, lines: Vec<String>) {
        self.inventory.add_requirements(lines);
    }

    /// Keeps a folder of downloads until the inventory is dropped.
    pub(crate) fn download(&mut self, folder: TempDir) {
        self.inventory.add_download(folder);
    }

    /// Whether this file is met for the first time. The path must be absolute, its folder without symbolic links.
    pub(crate) fn first_time(&mut self, path: &Path) -> bool {
        self.seen.insert(path.to_owned())
    }

    pub(crate) fn finish(mut self) -> Inventory {
        self.inventory.problems = self.problems.all();
        self.inventory.sort();
        self.inventory
    }
}
