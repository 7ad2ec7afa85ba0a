//! The Python files of a folder on `sys.path`, and what its distributions require of each other.
//!
//! This is a pass of its own, made only when imports are asked about: an ordinary audit does not list `.py` files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gilaudit_model::{Distribution, Problem, Stage};
use walkdir::WalkDir;

use crate::bytes::Bytes;
use crate::dist_info;
use crate::inventory::{ArtifactKind, Inventory};
use crate::limits::Limits;
use crate::problems::{io_text, not_read, notice, origin_of, slashed};
use crate::walk::is_site_packages;

/// A folder on `sys.path`.
#[derive(Clone, Debug, Default)]
pub struct PythonRoot {
    /// The folder as origins show it, with `/`.
    pub path: String,
    /// Whether it is a `site-packages`, whose `.pth` files count.
    pub is_site: bool,
    /// Its `.py` and `.pyi` files and, directly in it, `.pth` files: relative paths with `/`, sorted.
    pub files: Vec<String>,
    /// Files in it that are named like extensions, the same way.
    pub compiled: Vec<String>,
    /// What is installed in it.
    pub installed: Vec<InstalledDistribution>,
    folder: PathBuf,
}

/// An installed distribution as the graph of imports needs it.
#[derive(Clone, Debug, Default)]
pub struct InstalledDistribution {
    /// Name and version.
    pub distribution: Option<Distribution>,
    /// The names of what it requires without an extra, as written.
    pub requires: Vec<String>,
    /// The names of what it requires with one of its extras.
    pub suggests: Vec<String>,
    /// Whether somebody asked for it by name, as against it being there for others.
    pub requested: bool,
    /// Its files that Python can import, relative to the folder.
    pub files: Vec<String>,
    /// Its entry points: group, name, value.
    pub entry_points: Vec<(String, String, String)>,
}

impl Inventory {
    /// The folders of what was given that an interpreter has on `sys.path`: application folders, then every `site-packages`.
    pub fn python_folders(&self) -> Vec<PathBuf> {
        let (mut applications, mut sites) = (Vec::new(), Vec::new());
        for artifact in &self.artifacts {
            let path = PathBuf::from(artifact.origin.file_path());
            match artifact.kind {
                ArtifactKind::Environment if path.join("pyvenv.cfg").is_file() => sites.extend(site_packages(&path)),
                ArtifactKind::SitePackages => sites.push(path),
                ArtifactKind::Folder if artifact.explicit && path.is_dir() => applications.push(path),
                _ => {}
            }
        }
        // Those of the active environment and of an installation are artifacts of their own, beside the environment.
        applications.extend(sites);
        let mut seen = std::collections::HashSet::new();
        applications.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
        applications
    }
}

/// The `site-packages` of a virtual environment.
fn site_packages(environment: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for lib in ["lib", "lib64", "Lib"] {
        let lib = environment.join(lib);
        let pythons = std::fs::read_dir(&lib).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut candidates: Vec<PathBuf> = pythons.map(|python| python.join("site-packages")).collect();
        candidates.push(lib.join("site-packages"));
        candidates.sort();
        found.extend(candidates.into_iter().filter(|path| path.is_dir()));
    }
    found
}

/// Lists a folder.
pub fn python_root(folder: &Path, limits: &Limits) -> (PythonRoot, Vec<Problem>) {
    let is_site = folder.file_name().is_some_and(is_site_packages) || has_dist_info(folder);
    let path = slashed(folder);
    let mut root = PythonRoot { path, is_site, folder: folder.to_owned(), ..PythonRoot::default() };
    let mut problems = Vec::new();
    let mut dist_infos = Vec::new();
    let mut walk = WalkDir::new(folder).max_depth(limits.walk_depth).sort_by_file_name().into_iter();
    let mut count: usize = 0;
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let text = error.io_error().map_or_else(|| error.to_string(), io_text);
                problems.push(notice(origin_of(error.path().unwrap_or(folder)), Stage::Open, text));
                continue;
            }
        };
        count = count.saturating_add(1);
        if count > limits.walk_entries {
            let error =
                format!("more than {} files and folders; imports of the rest are not known", limits.walk_entries);
            problems.push(notice(origin_of(folder), Stage::Limits, error));
            break;
        }
        let name = entry.file_name().as_encoded_bytes();
        if entry.file_type().is_dir() {
            let skipped = matches!(name, b".git" | b"node_modules" | b"__pycache__");
            let environment = entry.depth() > 0 && entry.path().join("pyvenv.cfg").is_file();
            if entry.depth() > 0 && (skipped || environment) {
                walk.skip_current_dir();
            } else if entry.depth() == 1 && name.ends_with(b".dist-info") {
                dist_infos.push(entry.path().to_owned());
                walk.skip_current_dir();
            }
            continue;
        }
        let wanted = name.ends_with(b".py") || name.ends_with(b".pyi") || entry.depth() == 1 && name.ends_with(b".pth");
        if wanted && let Ok(relative) = entry.path().strip_prefix(folder) {
            root.files.push(slashed(relative));
        } else if (name.ends_with(b".so") || name.ends_with(b".pyd"))
            && let Ok(relative) = entry.path().strip_prefix(folder)
        {
            root.compiled.push(slashed(relative));
        }
    }
    root.files.sort();
    for dist_info in dist_infos {
        root.installed.push(installed(&dist_info, limits));
    }
    (root, problems)
}

fn has_dist_info(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().as_encoded_bytes().ends_with(b".dist-info"))
}

impl PythonRoot {
    /// A folder that is only read from, not listed.
    pub fn unlisted(folder: &Path) -> Self {
        Self { path: slashed(folder), folder: folder.to_owned(), ..Self::default() }
    }

    /// The contents of one of [`PythonRoot::files`]. May be called from several threads at once.
    pub fn read(&self, file: &str, limits: &Limits) -> Result<Bytes, Problem> {
        let path = self.folder.join(file);
        let read = Bytes::of_file(&path, limits.metadata_bytes);
        read.map_err(|error| Problem { unread: false, ..not_read(origin_of(&path), &error) })
    }

    /// A folder that a `.pth` file names, relative to this one; `None` when it is not there.
    pub fn beside(&self, folder: &str) -> Option<PathBuf> {
        Some(self.folder.join(folder)).filter(|path| path.is_dir())
    }
}

/// What a `.dist-info` folder says. What is wrong with it was said when the folder was audited.
fn installed(folder: &Path, limits: &Limits) -> InstalledDistribution {
    let read = |name: &str| Bytes::of_file(&folder.join(name), limits.metadata_bytes).ok();
    let metadata = read("METADATA");
    let distribution = metadata.as_ref().and_then(|text| dist_info::distribution(text).ok());
    let by_folder = || dist_info::distribution_of_folder(&folder.file_name()?.to_string_lossy());
    InstalledDistribution {
        distribution: distribution.or_else(by_folder),
        requires: metadata.as_ref().map(|text| dist_info::requires(text, false)).unwrap_or_default(),
        suggests: metadata.map(|text| dist_info::requires(&text, true)).unwrap_or_default(),
        requested: folder.join("REQUESTED").is_file(),
        files: read("RECORD").map(|text| dist_info::importable(&text)).unwrap_or_default(),
        entry_points: read("entry_points.txt").map(|text| entry_points(&text)).unwrap_or_default(),
    }
}

/// The entry points of a distribution that are read.
const MOST_ENTRY_POINTS: usize = 10_000;

/// What `entry_points.txt` says: sections are groups, lines are `name = value`.
fn entry_points(text: &[u8]) -> Vec<(String, String, String)> {
    let text = String::from_utf8_lossy(text);
    let mut group = String::new();
    let mut found = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.trim().clone_into(&mut group);
        } else if let Some((name, value)) = line.split_once('=')
            && found.len() < MOST_ENTRY_POINTS
        {
            found.push((group.clone(), name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    found
}

/// Which distribution a file of a root belongs to.
#[derive(Clone, Debug, Default)]
pub struct Owners<'r> {
    files: BTreeMap<&'r str, &'r InstalledDistribution>,
}

impl<'r> Owners<'r> {
    /// Indexes the RECORD files of a root.
    pub fn new(root: &'r PythonRoot) -> Self {
        let each = root.installed.iter().flat_map(|it| it.files.iter().map(move |file| (file.as_str(), it)));
        Self { files: each.collect() }
    }

    /// The distribution that this file of the root belongs to.
    pub fn of(&self, file: &str) -> Option<&'r Distribution> {
        self.files.get(file).and_then(|installed| installed.distribution.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn lists_and_reads_a_site_packages() {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("site-packages");
        let put = |name: &str, text: &str| {
            let path = site.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("a/__init__.py", "import b\n");
        put("a/__pycache__/x.py", "");
        put("a/data.txt", "");
        put("a/deep.pth", "");
        put("x.pth", "import a\n");
        put("env/pyvenv.cfg", "");
        put("env/y.py", "");
        put(
            "A_b-1.dist-info/METADATA",
            "Name: A.b\nVersion: 1\nRequires-Dist: C_d (>=1)\nRequires-Dist: e ; extra == 'x'\nRequires-Dist: f[g]>2; python_version>'3'\n",
        );
        put("A_b-1.dist-info/RECORD", "a/__init__.py,,\na/x.so,,\na/data.txt,,\n");
        put("A_b-1.dist-info/REQUESTED", "");
        let limits = Limits::default();
        let (root, problems) = python_root(&site, &limits);
        assert_eq!(problems, []);
        assert!(root.is_site);
        assert_eq!(root.files, ["a/__init__.py", "x.pth"]);
        assert_eq!(&*root.read("x.pth", &limits).unwrap(), b"import a\n");
        let installed = &root.installed[0];
        assert_eq!(installed.requires, ["C_d", "f"]);
        assert_eq!(installed.suggests, ["e"]);
        assert!(installed.requested);
        assert_eq!(installed.files, ["a/__init__.py", "a/x.so"]);
        assert_eq!(Owners::new(&root).of("a/x.so").unwrap().name, "A.b");
        assert!(root.read("missing.py", &limits).is_err() && root.beside("nowhere").is_none());
    }
}
