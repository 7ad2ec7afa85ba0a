//! One pass over a folder, by names alone.
//!
//! The walk neither opens nor stats files: an environment has tens of thousands of them, and which of them matter, what is a
//! package and where distributions are installed all shows in names. Making sense of the listing is `folder.rs`'s business.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use gilaudit_model::Stage;
use walkdir::{DirEntry, WalkDir};

use crate::collector::Collector;
use crate::inventory::MemberKind;
use crate::names::{is_source, shared_library};
use crate::problems::{io_text, notice, origin_of, unread};
use crate::project::Project;

/// What a folder holds. All paths are relative to it, in the order of a sorted walk.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Files named like shared libraries.
    pub(crate) libraries: Vec<Found>,
    /// Source files of extensions, and build files.
    pub(crate) sources: Vec<PathBuf>,
    /// Wheels.
    pub(crate) wheels: Vec<PathBuf>,
    /// `.dist-info` folders.
    pub(crate) dist_infos: Vec<PathBuf>,
    /// Folders named `site-packages` or `dist-packages`.
    pub(crate) site_packages: Vec<PathBuf>,
    /// Folders with a `pyvenv.cfg`.
    pub(crate) environments: Vec<PathBuf>,
    /// Folders with an `__init__.py`.
    pub(crate) packages: HashSet<PathBuf>,
}

/// A file named like a shared library.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) kind: MemberKind,
    pub(crate) symlink: bool,
}

/// Folders that hold nothing importable: version control, JavaScript, caches.
const SKIPPED: [&str; 3] = [".git", "node_modules", "__pycache__"];

/// Walks a folder. Symbolic links to folders are not followed: what is inside the folder is met anyway, and of what is outside a
/// problem says so. Of a project, what is not its own is left out.
pub(crate) fn walk(collector: &mut Collector, root: &Path) -> Listing {
    let mut listing = Listing::default();
    let (depth, entries) = (collector.limits().walk_depth, collector.limits().walk_entries);
    let mut walk = WalkDir::new(root).max_depth(depth).sort_by_file_name().into_iter();
    let mut count: usize = 0;
    let mut project = Project::of(root, !collector.reads_nested_environments());
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let at = origin_of(error.path().unwrap_or(root));
                let text = error.io_error().map_or_else(|| error.to_string(), io_text);
                collector.problem(unread(at, Stage::Open, text));
                continue;
            }
        };
        count = count.saturating_add(1);
        if count > entries {
            let error = format!("more than {entries} files and folders; the rest was not looked at");
            collector.problem(unread(origin_of(root), Stage::Limits, error));
            break;
        }
        let kind = entry.file_type();
        if kind.is_dir() {
            let skipped = entry.depth() > 0 && SKIPPED.iter().any(|name| entry.file_name() == OsStr::new(name));
            if skipped || project.as_mut().is_some_and(|project| project.skips(&entry)) {
                walk.skip_current_dir();
            } else if entry.depth() >= depth {
                let error = format!("more than {depth} folders deep; what is in it was not looked at");
                collector.problem(unread(origin_of(entry.path()), Stage::Limits, error));
            } else {
                folder(&mut listing, root, &entry);
            }
        } else if project.as_mut().is_some_and(|project| project.skips(&entry)) {
            continue;
        } else if kind.is_file() {
            file(&mut listing, root, &entry, false);
        } else if kind.is_symlink() {
            symlink(collector, &mut listing, root, &entry);
        } else {
            not_a_file(collector, &entry);
        }
    }
    if let Some(project) = project {
        project.finish(collector);
    }
    listing
}

fn folder(listing: &mut Listing, root: &Path, entry: &DirEntry) {
    let name = entry.file_name();
    if is_site_packages(name) {
        listing.site_packages.extend(relative(root, entry));
    } else if name.as_encoded_bytes().ends_with(b".dist-info") {
        listing.dist_infos.extend(relative(root, entry));
    }
}

/// Whether a folder of this name is where distributions are installed.
pub(crate) fn is_site_packages(name: &OsStr) -> bool {
    name == "site-packages" || name == "dist-packages"
}

fn file(listing: &mut Listing, root: &Path, entry: &DirEntry, symlink: bool) {
    let bytes = entry.file_name().as_encoded_bytes();
    if is_source(&entry.file_name().to_string_lossy()) {
        listing.sources.extend(relative(root, entry));
    }
    if bytes.ends_with(b".py") {
        if bytes == b"__init__.py" {
            listing.packages.extend(parent(root, entry));
        }
    } else if bytes == b"pyvenv.cfg" {
        listing.environments.extend(parent(root, entry));
    } else if bytes.ends_with(b".whl") {
        listing.wheels.extend(relative(root, entry));
    } else if let Some(kind) = shared_library(&entry.file_name().to_string_lossy()) {
        listing.libraries.extend(relative(root, entry).map(|path| Found { path, kind, symlink }));
    }
}

/// A symbolic link counts as what it points at, but for folders.
fn symlink(collector: &mut Collector, listing: &mut Listing, root: &Path, entry: &DirEntry) {
    match entry.path().metadata() {
        Ok(metadata) if metadata.is_file() => file(listing, root, entry, true),
        Ok(metadata) if metadata.is_dir() => {
            let (target, root) = (entry.path().canonicalize(), root.canonicalize());
            if let (Ok(target), Ok(root)) = (target, root)
                && !target.starts_with(&root)
            {
                let error = "a symbolic link to a folder outside, not followed: name that folder to have it audited";
                collector.problem(notice(origin_of(entry.path()), Stage::Find, error));
            }
        }
        Ok(_) => not_a_file(collector, entry),
        // Dangling or looping: nothing can be imported from it.
        Err(error) => {
            if shared_library(&entry.file_name().to_string_lossy()) == Some(MemberKind::Candidate) {
                let error = format!("a symbolic link that leads nowhere: {}", io_text(&error));
                collector.problem(notice(origin_of(entry.path()), Stage::Find, error));
            }
        }
    }
}

/// A pipe, a socket or a device, which is worth a word where its name is one that would be read.
fn not_a_file(collector: &mut Collector, entry: &DirEntry) {
    let name = entry.file_name().to_string_lossy();
    if is_source(&name) || shared_library(&name).is_some() || name.ends_with(".whl") || name == "pyvenv.cfg" {
        let error = "not a regular file, and so not looked at";
        collector.problem_of(
            entry.path().parent().unwrap_or(entry.path()),
            notice(origin_of(entry.path()), Stage::Find, error),
        );
    }
}

fn relative(root: &Path, entry: &DirEntry) -> Option<PathBuf> {
    entry.path().strip_prefix(root).ok().map(Path::to_owned)
}

fn parent(root: &Path, entry: &DirEntry) -> Option<PathBuf> {
    entry.path().parent()?.strip_prefix(root).ok().map(Path::to_owned)
}
