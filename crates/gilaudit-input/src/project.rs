//! What a project's folder holds besides the project: files that its ignore files name, what was built beside the sources, and virtual
//! environments.
//!
//! Tools of a project do not look there, and neither does an audit of the whole folder, unless one of them is named. What was left out
//! is said. Ignore files outside the given folder do not count: who names `dist/` wants what is in it, and a report must not depend on
//! the settings of whoever runs it. In a folder that is no project (a `site-packages`, an environment, a folder of wheels) ignore files
//! are only files: a package must not be able to hide from an audit by shipping one.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use gilaudit_model::Stage;
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use walkdir::DirEntry;

use crate::collector::Collector;
use crate::names::{is_source, shared_library};
use crate::problems::{notice, origin_of};
use crate::walk::is_site_packages;

/// Files of which one in a folder makes it the root of something that is built.
const BUILD_FILES: [&str; 6] =
    ["pyproject.toml", "setup.py", "setup.cfg", "meson.build", "CMakeLists.txt", "Cargo.toml"];
/// What version control keeps at the top of its tree; a file in a worktree or submodule.
const VERSION_CONTROL: [&str; 3] = [".git", ".hg", ".svn"];
/// Where build backends put what they make, beside the build file: setuptools, build, hatch, meson-python, scikit-build-core.
const BUILT: [&str; 2] = ["build", "dist"];
/// The ignore files of a folder, the one that counts more first, as in ripgrep.
const IGNORE_FILES: [&str; 2] = [".ignore", ".gitignore"];
/// No ignore file of a project is larger; one that is does not count, so that more is audited and not less.
const LARGEST: u64 = 1 << 20;
/// How many names a notice lists.
const LISTED: usize = 6;

/// Why something is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    Environment,
    Built,
    Ignored,
}

/// A project while its folder is walked.
#[derive(Debug)]
pub(crate) struct Project {
    root: PathBuf,
    /// Whether environments in it are left out.
    skips_environments: bool,
    /// The ignore files in force, the outermost first, with how deep their folder is.
    stack: Vec<(usize, Gitignore)>,
    /// How deep the environment is that is being walked: what is in it is installed, and no file of the project.
    environment: Option<usize>,
    skipped: Vec<(Reason, PathBuf)>,
}

impl Project {
    /// The project in this folder; `None` when the folder is none.
    pub(crate) fn of(root: &Path, skips_environments: bool) -> Option<Self> {
        let canonical = root.canonicalize().ok()?;
        if root.join("pyvenv.cfg").is_file() || canonical.ancestors().filter_map(Path::file_name).any(is_site_packages)
        {
            return None;
        }
        let marked = BUILD_FILES.iter().chain(&VERSION_CONTROL).any(|name| root.join(name).exists());
        let mut names = Vec::new();
        if !marked {
            // A folder of plain scripts is a project, too; one in which something is installed is not.
            let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
            names.extend(entries.map(|entry| entry.file_name().to_string_lossy().into_owned()));
            let installed = names.iter().any(|name| name.ends_with(".dist-info"));
            if installed || !names.iter().any(|name| is_source(name)) {
                return None;
            }
        }
        let (root, stack, skipped) = (root.to_owned(), Vec::new(), Vec::new());
        Some(Self { root, skips_environments, stack, environment: None, skipped })
    }

    /// Whether an entry of the walk is left out. Every entry has to be asked about, in the order of the walk.
    pub(crate) fn skips(&mut self, entry: &DirEntry) -> bool {
        let (depth, is_folder) = (entry.depth(), entry.file_type().is_dir());
        // An ignore file at depth n is about what is deeper.
        self.stack.retain(|(of, _)| *of < depth);
        self.environment = self.environment.filter(|of| *of < depth);
        if self.environment.is_some() {
            return false;
        }
        let reason = if depth == 0 { None } else { self.reason(entry, is_folder) };
        if let Some(reason) = reason {
            let name = entry.file_name().to_string_lossy();
            if is_folder || is_source(&name) || shared_library(&name).is_some() || name.ends_with(".whl") {
                self.skipped.extend(entry.path().strip_prefix(&self.root).ok().map(|path| (reason, path.to_owned())));
            }
            return true;
        }
        if is_folder && self.environment.is_none() {
            // The one that counts more is asked first, and the last of the stack is.
            for name in IGNORE_FILES.iter().rev() {
                self.stack.extend(ignore_file(entry.path(), name).map(|file| (depth, file)));
            }
        }
        false
    }

    fn reason(&mut self, entry: &DirEntry, is_folder: bool) -> Option<Reason> {
        if is_folder && entry.path().join("pyvenv.cfg").is_file() {
            self.environment = Some(entry.depth());
            return self.skips_environments.then_some(Reason::Environment);
        }
        let is_built = |name: &OsStr| BUILT.iter().any(|built| name == *built);
        if is_folder && is_built(entry.file_name()) {
            let beside = |name: &&str| entry.path().with_file_name(name).is_file();
            // A package of that name is one of the project's own.
            if BUILD_FILES.iter().any(beside) && !entry.path().join("__init__.py").is_file() {
                return Some(Reason::Built);
            }
        }
        let matched = self.stack.iter().rev().map(|(_, file)| file.matched(entry.path(), is_folder));
        match matched.into_iter().find(|matched| !matched.is_none()) {
            Some(Match::Ignore(_)) => Some(Reason::Ignored),
            _ => None,
        }
    }

    /// Says what was left out.
    pub(crate) fn finish(mut self, collector: &mut Collector) {
        self.skipped.sort();
        let mut said = Vec::new();
        for alike in self.skipped.chunk_by(|(a, _), (b, _)| a == b) {
            let names: Vec<String> =
                alike.iter().take(LISTED).map(|(_, path)| crate::problems::slashed(path)).collect();
            let more = match alike.len().saturating_sub(LISTED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let why = match alike.first().map(|(reason, _)| reason) {
                Some(Reason::Environment) => "virtual environments",
                Some(Reason::Built) => "built from the sources",
                _ => "named by ignore files",
            };
            said.push(format!("{}{more} ({why})", names.join(", ")));
        }
        if !said.is_empty() {
            let error = format!("not looked at in this project: {}; name one to have it audited", said.join("; "));
            collector.problem(notice(origin_of(&self.root), Stage::Find, error));
        }
    }
}

/// The rules of an ignore file, if the folder has one. Like git, this does not follow a symbolic link.
fn ignore_file(folder: &Path, name: &str) -> Option<Gitignore> {
    let path = folder.join(name);
    if !path.symlink_metadata().ok()?.is_file() {
        return None;
    }
    let text = crate::open::read(&path, LARGEST).ok()?;
    let mut builder = GitignoreBuilder::new(folder);
    for line in String::from_utf8_lossy(&text).lines() {
        // A pattern that cannot be read names nothing.
        let _ = builder.add_line(None, line);
    }
    builder.build().ok().filter(|rules| !rules.is_empty())
}
