//! A folder: a virtual environment, a `site-packages`, or any folder with some of these, wheels or binaries in it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use gilaudit_model::{Stage, Target};

use crate::collector::Collector;
use crate::environment;
use crate::installed::Installed;
use crate::inventory::{Artifact, ArtifactKind, Handle, Member, MemberKind, SourceFile};
use crate::names::module_name;
use crate::problems::{io_text, origin_of, slashed, unread};
use crate::walk::{Found, Listing, is_site_packages, walk};
use crate::wheel;

/// Lists a folder. `python` is the interpreter that it belongs to, when the caller knows.
pub(crate) fn collect(collector: &mut Collector, root: &Path, python: Option<Target>) {
    let canonical = match root.canonicalize() {
        Ok(canonical) => canonical,
        Err(error) => return collector.problem(unread(origin_of(root), Stage::Open, io_text(&error))),
    };
    if !collector.first_time(&canonical) {
        return;
    }
    let mut listing = walk(collector, root);
    let layout = Layout::new(collector, &listing, root, &canonical, python);

    let mut installed = Installed::default();
    for folder in &listing.dist_infos {
        let site = folder.parent().unwrap_or(Path::new(""));
        if layout.sites.contains(site) {
            installed.read(collector, root, folder, site);
        }
    }
    let mut libraries = std::mem::take(&mut listing.libraries);
    libraries.extend(installed.not_met(collector, root, &libraries));
    for found in once_each(libraries, root, &canonical) {
        if !collector.first_time(&canonical.join(&found.path)) {
            continue;
        }
        let (distribution, tags, claim) = installed.of(&slashed(&found.path));
        let path = root.join(&found.path);
        collector.member(Member {
            origin: origin_of(&path),
            kind: found.kind,
            explicit: false,
            module: layout.module(&found.path, &listing.packages),
            distribution,
            tags,
            record_sha256: claim.sha256,
            record_size: claim.size,
            artifact: layout.artifact_of(&found.path),
            handle: Handle::File(path),
        });
    }
    for path in &listing.sources {
        // What is installed is not linted: its authors lint it.
        if layout.is_installed(path) || !collector.first_time(&canonical.join(path)) {
            continue;
        }
        let full = root.join(path);
        collector.source(SourceFile {
            origin: origin_of(&full),
            path: slashed(path),
            report: true,
            artifact: layout.artifact_of(path),
            handle: Handle::File(full),
        });
    }
    for path in &listing.wheels {
        // Wheels below site-packages (ensurepip's, virtualenv's) are data: nothing imports from them.
        if layout.site_of(path).is_none() && collector.first_time(&canonical.join(path)) {
            let path = root.join(path);
            wheel::collect(collector, &path, origin_of(&path), false);
        }
    }
}

/// Every real file once for each module that it is: of several names for one file, one that can be imported is preferred to one
/// that cannot, and the file itself to a symbolic link.
fn once_each(mut libraries: Vec<Found>, root: &Path, canonical: &Path) -> Vec<Found> {
    libraries.sort_by(|a, b| (a.kind, a.symlink, &a.path).cmp(&(b.kind, b.symlink, &b.path)));
    let (mut files, mut seen) = (HashSet::new(), HashSet::new());
    libraries.retain(|found| {
        let here = canonical.join(&found.path);
        let real = if found.symlink { root.join(&found.path).canonicalize().unwrap_or(here) } else { here };
        // A second name of a library is the same library. Another name of an extension, or the same in another folder, is another
        // module.
        match found.kind {
            MemberKind::Candidate => {
                let first = files.insert(real.clone());
                seen.insert((real, module_name(&slashed(&found.path)))) || first
            }
            MemberKind::Library => files.insert(real),
        }
    });
    libraries
}

/// Where in the folder which artifact begins. Paths are relative to the folder.
#[derive(Debug)]
struct Layout {
    /// Folders that are on `sys.path` because distributions are installed there.
    sites: BTreeSet<PathBuf>,
    /// Virtual environments.
    environments: BTreeSet<PathBuf>,
    /// The index in the inventory, by the folder where the artifact begins.
    artifacts: HashMap<PathBuf, usize>,
    /// The path of the given folder as a package, when it is one: `pkg/sub` below the folder that is on `sys.path`.
    package: PathBuf,
    /// Whether the given folder is itself inside a `site-packages`.
    is_inside_site: bool,
}

impl Layout {
    /// Adds an artifact for the folder itself, one for every environment in it, and one for every `site-packages` outside those.
    fn new(
        collector: &mut Collector,
        listing: &Listing,
        root: &Path,
        canonical: &Path,
        python: Option<Target>,
    ) -> Self {
        let sites = sites(listing, canonical);
        let environments: BTreeSet<&Path> = listing.environments.iter().map(PathBuf::as_path).collect();
        let outside = |path: &&Path| !path.ancestors().any(|folder| environments.contains(folder));
        let top = Path::new("");

        let mut beginnings: BTreeSet<&Path> = environments.clone();
        beginnings.extend(sites.iter().map(PathBuf::as_path).filter(outside));
        beginnings.insert(top);
        let mut artifacts = HashMap::new();
        for folder in beginnings {
            // The folder itself is known to be new. One inside it may have been given before, by its own name.
            if folder != top && !collector.first_time(&canonical.join(folder)) {
                continue;
            }
            let path = if folder == top { root.to_owned() } else { root.join(folder) };
            let mut own_python = python;
            let kind = if environments.contains(folder) {
                own_python = own_python.or_else(|| environment::target_of(collector, &path));
                ArtifactKind::Environment
            } else if sites.contains(folder) {
                ArtifactKind::SitePackages
            } else {
                ArtifactKind::Folder
            };
            let artifact = Artifact {
                origin: origin_of(&path),
                kind,
                explicit: folder == top,
                distribution: None,
                tags: None,
                python: own_python,
            };
            artifacts.insert(folder.to_owned(), collector.artifact(artifact));
        }
        let environments = environments.into_iter().map(Path::to_owned).collect();
        let is_inside_site = canonical.ancestors().skip(1).filter_map(Path::file_name).any(is_site_packages);
        Self { sites, environments, artifacts, package: package(canonical), is_inside_site }
    }

    /// The innermost `site-packages` that a file is in.
    fn site_of<'a>(&self, file: &'a Path) -> Option<&'a Path> {
        file.ancestors().skip(1).find(|folder| self.sites.contains(*folder))
    }

    /// Whether a file is part of an environment or of a `site-packages`.
    fn is_installed(&self, file: &Path) -> bool {
        self.is_inside_site
            || self.site_of(file).is_some()
            || file.ancestors().skip(1).any(|folder| self.environments.contains(folder))
    }

    /// The innermost artifact that a file is in.
    fn artifact_of(&self, file: &Path) -> usize {
        file.ancestors().skip(1).find_map(|folder| self.artifacts.get(folder)).copied().unwrap_or_default()
    }

    /// The name a file is imported by: from its `site-packages`, else from the folder that holds its outermost package, else from
    /// the given folder.
    fn module(&self, file: &Path, packages: &HashSet<PathBuf>) -> String {
        let folder = file.parent().unwrap_or(Path::new(""));
        let base = self.site_of(file).or_else(|| {
            let outermost = folder.ancestors().take_while(|folder| packages.contains(*folder)).last();
            outermost.map(|package| package.parent().unwrap_or(Path::new("")))
        });
        let relative = base.and_then(|base| file.strip_prefix(base).ok()).unwrap_or(file);
        let in_site = self.site_of(file).is_some();
        let from_here = !in_site && base.is_none_or(|base| base == Path::new(""));
        module_name(&slashed(&if from_here { self.package.join(relative) } else { relative.to_owned() }))
    }
}

/// The path of a package's folder below the folder that it is imported from; empty when it is no package.
fn package(canonical: &Path) -> PathBuf {
    let packages = canonical.ancestors().take_while(|folder| folder.join("__init__.py").is_file());
    let above = packages.last().and_then(Path::parent);
    above.and_then(|above| canonical.strip_prefix(above).ok()).map_or_else(PathBuf::new, Path::to_owned)
}

/// The folders where distributions are installed: by their name, or because a `.dist-info` is in them.
fn sites(listing: &Listing, canonical: &Path) -> BTreeSet<PathBuf> {
    let mut sites: BTreeSet<PathBuf> = listing.site_packages.iter().cloned().collect();
    if canonical.file_name().is_some_and(is_site_packages) {
        sites.insert(PathBuf::new());
    }
    let mut holders: Vec<&Path> = listing.dist_infos.iter().filter_map(|folder| folder.parent()).collect();
    holders.sort_by_key(|path| path.components().count());
    for holder in holders {
        // A .dist-info further inside is that of a vendored copy, which is imported by the name it has there.
        if !holder.ancestors().any(|folder| sites.contains(folder)) {
            sites.insert(holder.to_owned());
        }
    }
    sites
}
