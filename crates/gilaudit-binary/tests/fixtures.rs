//! The committed files of `fixtures/binaries` and what their paths say about them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use gilaudit_binary::{Hints, Limits, Unread, read};
use gilaudit_model::{BinaryFacts, Origin, Target, cpython};

/// One compiled file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fixture {
    /// The case's folder: `mp_declared`.
    pub(crate) case: String,
    /// How it was compiled: `elf-x86_64-clang`.
    pub(crate) variant: String,
    /// The path below the variant's folder, with `/`.
    pub(crate) file: String,
}

/// The folder of all cases.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/binaries")
}

/// The free-threaded interpreters that were asked.
pub(crate) fn targets() -> Vec<Target> {
    Target::all().filter(|target| target.free_threaded).collect()
}

/// All files below the variants' folders, sorted.
pub(crate) fn all() -> Vec<Fixture> {
    let mut fixtures = Vec::new();
    for case in names(&root()) {
        for variant in names(&root().join(&case)) {
            collect(&case, &variant, "", &mut fixtures);
        }
    }
    fixtures.sort();
    assert!(fixtures.len() > 900, "only {} files: is the folder complete?", fixtures.len());
    fixtures
}

fn collect(case: &str, variant: &str, below: &str, fixtures: &mut Vec<Fixture>) {
    let folder = root().join(case).join(variant).join(below);
    if !folder.is_dir() {
        return;
    }
    for name in names(&folder) {
        let file = if below.is_empty() { name } else { format!("{below}/{name}") };
        if folder.join(file.rsplit('/').next().unwrap()).is_dir() {
            collect(case, variant, &file, fixtures);
        } else {
            fixtures.push(Fixture { case: case.to_owned(), variant: variant.to_owned(), file });
        }
    }
}

/// What a folder holds; nothing for what is no folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

impl Fixture {
    pub(crate) fn new(case: &str, path: &str) -> Self {
        let (variant, file) = path.split_once('/').unwrap();
        Self { case: case.to_owned(), variant: variant.to_owned(), file: file.to_owned() }
    }

    /// The path below the case's folder, as in truth.tsv.
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.variant, self.file)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let path = root().join(&self.case).join(self.path());
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn origin(&self) -> Origin {
        Origin::path(format!("{}/{}", self.case, self.path()))
    }

    /// The name of the module that the file would be imported as.
    pub(crate) fn module(&self) -> &str {
        let mut parts = self.file.rsplit('/');
        let stem = cpython::module_stem(parts.next().unwrap());
        if stem == "__init__" { parts.next().unwrap() } else { stem }
    }

    /// The version that it was built for, `314t`, from its file name or variant; empty for files of no one version.
    pub(crate) fn built_for(&self) -> &str {
        let tag = self.file.rsplit('/').next().unwrap().split('.').rev().find_map(|part| {
            let tag = part.strip_prefix("cpython-").or(part.strip_prefix("cp"))?;
            tag.split('-').next()
        });
        let version = self.variant.strip_prefix("elf-x86_64-3.");
        tag.or(version.map(|minor| if minor == "13" { "313t" } else { "315t" })).unwrap_or_default()
    }

    /// Reads the file with the library.
    fn read(&self) -> Read {
        let mut limits = Limits::default();
        if self.case == "long_loop" {
            // Ten million rounds: any budget runs out, and this one does so in a fiftieth of the time.
            limits.instructions /= 50;
        }
        read(&self.bytes(), &Hints::new(self.origin().file_path()), &limits)
    }
}

/// What the library says of a file: the facts of each slice, and what could not be read.
pub(crate) type Read = (Vec<BinaryFacts>, Vec<Unread>);

/// What the library says of every file; read once, by two threads, for all tests.
pub(crate) fn read_all() -> &'static BTreeMap<Fixture, Read> {
    static READ: OnceLock<BTreeMap<Fixture, Read>> = OnceLock::new();
    READ.get_or_init(|| {
        let fixtures = all();
        let next = AtomicUsize::new(0);
        let work = || {
            let mine = std::iter::from_fn(|| fixtures.get(next.fetch_add(1, Ordering::Relaxed)));
            mine.map(|fixture| (fixture.clone(), fixture.read())).collect::<Vec<_>>()
        };
        thread::scope(|scope| {
            let other = scope.spawn(work);
            let mut read: BTreeMap<Fixture, Read> = work().into_iter().collect();
            read.extend(other.join().unwrap());
            read
        })
    })
}
