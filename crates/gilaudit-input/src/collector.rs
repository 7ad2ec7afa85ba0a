//! What is gathered while the inputs are gone through.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use gilaudit_model::Problem;
use tempfile::TempDir;

use crate::inventory::{Artifact, Inventory, Member, SourceFile};
use crate::limits::Limits;
use crate::zip::Archive;

/// The inventory in the making, and the files that are in it already: an input that is given twice is listed once.
#[derive(Debug)]
pub(crate) struct Collector {
    inventory: Inventory,
    seen: HashSet<PathBuf>,
    reads_nested_environments: bool,
}

impl Collector {
    pub(crate) fn new(limits: &Limits, reads_nested_environments: bool) -> Self {
        let inventory = Inventory { limits: limits.clone(), ..Inventory::default() };
        Self { inventory, seen: HashSet::new(), reads_nested_environments }
    }

    /// Whether the virtual environments in a project's folder are wanted, too.
    pub(crate) fn reads_nested_environments(&self) -> bool {
        self.reads_nested_environments
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inventory.limits
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

    pub(crate) fn problem(&mut self, problem: Problem) {
        self.inventory.problems.push(problem);
    }

    /// Keeps an archive open and gives its index, for [`Handle::Entry`].
    pub(crate) fn archive(&mut self, archive: Archive) -> usize {
        self.inventory.archives.push(archive);
        self.inventory.archives.len().saturating_sub(1)
    }

    /// Keeps a folder of downloads until the inventory is dropped.
    pub(crate) fn download(&mut self, folder: TempDir) {
        self.inventory.downloads.push(folder);
    }

    /// Whether this file is met for the first time. The path must be absolute, its folder without symbolic links.
    pub(crate) fn first_time(&mut self, path: &Path) -> bool {
        self.seen.insert(path.to_owned())
    }

    pub(crate) fn finish(mut self) -> Inventory {
        self.inventory.sort();
        self.inventory
    }
}
