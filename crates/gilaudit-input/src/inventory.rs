//! What was found: artifacts, the members worth reading, and what could not be listed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gilaudit_model::{Distribution, Origin, Problem, Stage, Target, WheelTags};
use tempfile::TempDir;

use crate::budget::Budget;
use crate::bytes::Bytes;
use crate::contents::{Contents, FileContents};
use crate::limits::Limits;
use crate::open::{Opened, ReadError};
use crate::problems::{not_read, unread};
use crate::zip::{Archive, Entry};

/// Everything that was found, sorted by origin. Holds what was downloaded until it is dropped.
#[derive(Debug)]
pub struct Inventory {
    /// What was given, and the wheels, environments and `site-packages` found inside given folders.
    pub artifacts: Vec<Artifact>,
    /// The files named like shared libraries, and those that the user named.
    pub members: Vec<Member>,
    /// What could not be listed, and what is worth saying about the rest.
    pub problems: Vec<Problem>,
    /// The source files that are linted, and those that are read for what they define.
    pub sources: Vec<SourceFile>,
    archives: Vec<Arc<Archive>>,
    downloads: Vec<TempDir>,
    requires: Vec<String>,
    installed: Vec<Distribution>,
    limits: Limits,
    budget: Arc<Budget>,
}

/// What kind of thing an artifact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArtifactKind {
    /// A wheel.
    Wheel,
    /// A source distribution.
    Sdist,
    /// A folder that is nothing more particular.
    Folder,
    /// A folder with installed distributions.
    SitePackages,
    /// A virtual environment, or the environment of the active Python.
    Environment,
    /// A single file; what it is, its reader says.
    Binary,
    /// A source file that the user named.
    Source,
}

/// Something that was given, or found inside a given folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// Where it is. A downloaded wheel is `pypi:NAME==VERSION/FILE`.
    pub origin: Origin,
    /// What it is.
    pub kind: ArtifactKind,
    /// Whether the user named it, as against found inside what the user named.
    pub explicit: bool,
    /// The distribution, for a wheel or sdist.
    pub distribution: Option<Distribution>,
    /// The tags, for a wheel.
    pub tags: Option<WheelTags>,
    /// The interpreter of an environment, when gilaudit knows its version.
    pub python: Option<Target>,
}

/// What a member is as far as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberKind {
    /// Named like an extension (`.so`, `.pyd`), or a file that the user named.
    Candidate,
    /// Any other shared library: `.so.1`, `.dll`, `.dylib`.
    Library,
}

/// A file worth reading.
#[derive(Clone, Debug)]
pub struct Member {
    /// Where it is; for a member of an archive, its path there.
    pub origin: Origin,
    /// What its name says it is.
    pub kind: MemberKind,
    /// Whether the user named this very file.
    pub explicit: bool,
    /// The dotted name that it would be imported by.
    pub module: String,
    /// The distribution it belongs to.
    pub distribution: Option<Distribution>,
    /// The tags of the wheel it is in, or was installed from.
    pub tags: Option<WheelTags>,
    /// SHA-256 that RECORD claims, in hex.
    pub record_sha256: Option<String>,
    /// The size that RECORD claims, where it is still to be compared.
    pub record_size: Option<u64>,
    /// The index in [`Inventory::artifacts`] of the innermost artifact it is in.
    pub artifact: usize,
    pub(crate) handle: Handle,
}

impl Member {
    /// The file's size in bytes, where listing told: the declared one, for a member of an archive.
    pub fn size(&self) -> Option<u64> {
        match &self.handle {
            Handle::File(_) => None,
            Handle::Entry { entry, .. } => Some(entry.size),
            Handle::Memory(bytes) => u64::try_from(bytes.len()).ok(),
        }
    }

    /// Whether it is a member of an archive, as against a file on disk.
    pub fn in_archive(&self) -> bool {
        !matches!(self.handle, Handle::File(_))
    }
}

/// A source file: text of a language that extensions are written in, or a build file.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Where it is.
    pub origin: Origin,
    /// Its path in its project, with `/`.
    pub path: String,
    /// Whether findings in it are wanted; the headers beside a single file are read for what they define.
    pub report: bool,
    /// The index in [`Inventory::artifacts`] of the artifact it is in: the files of one artifact are one project.
    pub artifact: usize,
    pub(crate) handle: Handle,
}

/// How to get at a member's bytes.
#[derive(Clone, Debug)]
pub(crate) enum Handle {
    File(PathBuf),
    Entry { archive: usize, entry: Entry },
    Memory(Bytes),
}

/// Files up to this size are read as a whole without looking at their beginning first.
const SMALL: u64 = 64 << 10;

/// Bytes of a file's beginning that tell what it is.
const HEAD: usize = 512;

impl Inventory {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            artifacts: Vec::new(),
            members: Vec::new(),
            problems: Vec::new(),
            sources: Vec::new(),
            archives: Vec::new(),
            downloads: Vec::new(),
            requires: Vec::new(),
            installed: Vec::new(),
            budget: Budget::new(limits.flight_bytes),
            limits: limits.clone(),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn add_archive(&mut self, archive: Arc<Archive>) -> usize {
        self.archives.push(archive);
        self.archives.len().saturating_sub(1)
    }

    /// What the wheels need: the `Requires-Dist` lines of their METADATA, as they are written.
    pub fn wheel_requirements(&self) -> &[String] {
        &self.requires
    }

    /// The distributions that are installed in the folders given, with and without extensions.
    pub fn installed(&self) -> &[Distribution] {
        &self.installed
    }

    pub(crate) fn add_installed(&mut self, distribution: Distribution) {
        self.installed.push(distribution);
    }

    pub(crate) fn add_requirements(&mut self, lines: Vec<String>) {
        self.requires.extend(lines);
    }

    pub(crate) fn add_download(&mut self, folder: TempDir) {
        self.downloads.push(folder);
    }

    /// The contents of a member if `matters` says so of its first bytes, else only these, or all of what is small. So what is merely
    /// named like an extension is not inflated, however large it says it is, and of a file only what is asked for is read.
    ///
    /// May be called from several threads at once, like [`Self::read`].
    pub fn contents(&self, member: &Member, matters: impl Fn(&[u8]) -> bool) -> Result<Contents, Problem> {
        let path = match &member.handle {
            Handle::File(path) => path,
            Handle::Entry { archive, entry } if entry.size > SMALL => {
                let head = self.archives.get(*archive).map(|archive| archive.head(entry, HEAD));
                return match head {
                    Some(head) if !head.is_empty() && !matters(&head) => Ok(Contents::Memory(Bytes::from(head))),
                    _ => self.read(member).map(Contents::Memory),
                };
            }
            Handle::Entry { .. } | Handle::Memory(_) => return self.read(member).map(Contents::Memory),
        };
        let read = || {
            let opened = Opened::open(path, self.limits.member_bytes)?;
            let head = opened.len().min(HEAD as u64);
            let mut bytes = Vec::new();
            opened.append(&mut bytes, 0, head)?;
            opened.ends()?;
            if matters(&bytes) {
                return Ok(Contents::File(FileContents::new(opened, &self.budget)));
            }
            if opened.len() <= SMALL {
                opened.append(&mut bytes, head, opened.len().saturating_sub(head))?;
            }
            Ok(Contents::Memory(Bytes::from(bytes)))
        };
        read().map_err(|error| self.not_read(member, &error))
    }

    /// The problem of a member that could not be read to its end.
    pub fn not_read(&self, member: &Member, error: &ReadError) -> Problem {
        Problem { unread: member.kind == MemberKind::Candidate, ..not_read(member.origin.clone(), error) }
    }

    /// Whether this is one of the files that are audited: a report written there would destroy it.
    pub fn is_input(&self, path: &Path) -> bool {
        let Ok(file) = path.canonicalize() else { return false };
        let same = |other: &Path| other.canonicalize().is_ok_and(|other| other == file) || is_same_file(path, other);
        let handles = self.members.iter().map(|it| &it.handle).chain(self.sources.iter().map(|it| &it.handle));
        let files =
            handles.filter_map(|handle| if let Handle::File(path) = handle { Some(path.as_path()) } else { None });
        let artifacts = self.artifacts.iter().map(|artifact| Path::new(artifact.origin.file_path()));
        // Compared by name first, since asking the system about every file of an environment takes a while.
        let name = file.file_name();
        let alike = |other: &&Path| other.file_name() == name || has_other_names(path);
        path.is_file() && files.chain(artifacts).filter(alike).any(same)
    }

    /// The contents of a member. May be called from several threads at once; waits while they together hold too many bytes, so what
    /// is no longer needed should be dropped.
    ///
    /// A member of an archive is inflated in memory, its length and checksum verified. The problem of one that cannot be read says
    /// `unread` when it is a candidate: a library that cannot be read leaves no extension unread.
    pub fn read(&self, member: &Member) -> Result<Bytes, Problem> {
        let result = self.bytes(&member.handle, &member.origin);
        result.map_err(|problem| Problem { unread: member.kind == MemberKind::Candidate, ..problem })
    }

    /// The contents of a source file. May be called from several threads at once.
    pub fn read_source(&self, source: &SourceFile) -> Result<Bytes, Problem> {
        self.bytes(&source.handle, &source.origin)
    }

    fn bytes(&self, handle: &Handle, origin: &Origin) -> Result<Bytes, Problem> {
        match handle {
            Handle::File(path) => Bytes::within(&self.budget, path, self.limits.member_bytes)
                .map_err(|error| not_read(origin.clone(), &error)),
            Handle::Entry { archive, entry } => match self.archives.get(*archive) {
                Some(archive) => archive
                    .read(entry, &self.limits, &self.budget)
                    .map_err(|fault| unread(origin.clone(), fault.stage, fault.error)),
                None => Err(unread(origin.clone(), Stage::Internal, "it is of another inventory")),
            },
            Handle::Memory(bytes) => Ok(bytes.clone()),
        }
    }

    /// Sorts everything by origin, so that two runs list the same in the same order.
    pub(crate) fn sort(&mut self) {
        let mut order: Vec<usize> = (0..self.artifacts.len()).collect();
        let mut artifacts: Vec<(usize, Artifact)> =
            std::mem::take(&mut self.artifacts).into_iter().enumerate().collect();
        artifacts.sort_by(|(_, a), (_, b)| (&a.origin, a.kind).cmp(&(&b.origin, b.kind)));
        for (new, (old, artifact)) in artifacts.into_iter().enumerate() {
            if let Some(place) = order.get_mut(old) {
                *place = new;
            }
            self.artifacts.push(artifact);
        }
        for member in &mut self.members {
            member.artifact = order.get(member.artifact).copied().unwrap_or(member.artifact);
        }
        for source in &mut self.sources {
            source.artifact = order.get(source.artifact).copied().unwrap_or(source.artifact);
        }
        self.sources.sort_by(|a, b| (a.artifact, &a.path, &a.origin).cmp(&(b.artifact, &b.path, &b.origin)));
        self.members.sort_by(|a, b| (&a.origin, &a.module).cmp(&(&b.origin, &b.module)));
        self.problems.sort();
        self.problems.dedup();
    }
}

/// Whether two paths lead to one file.
fn is_same_file(a: &Path, b: &Path) -> bool {
    let open = |path: &Path| Opened::open(path, u64::MAX);
    cfg!(unix) && matches!((open(a), open(b)), (Ok(a), Ok(b)) if a.identity() == b.identity())
}

/// Whether a file has more than one name.
fn has_other_names(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        path.metadata().is_ok_and(|metadata| metadata.nlink() > 1 || metadata.file_type().is_symlink())
            || path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
    }
    #[cfg(not(unix))]
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
}
