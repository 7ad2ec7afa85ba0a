//! A Python that is installed without a virtual environment: `/usr`, the prefix of a container's interpreter, a conda environment.
//!
//! It is an environment like any other: its packages are audited for its interpreter, and the rest of the folder is nobody's project.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gilaudit_model::{Gil, Stage, Target, Version};

use crate::collector::Collector;
use crate::folder;
use crate::inventory::{Artifact, ArtifactKind};
use crate::problems::{notice, origin_of};

/// Where an interpreter's prefix can be below a folder that was named: the folder itself, `/usr`, and a container's root.
const PREFIXES: [&str; 4] = ["", "local", "usr", "usr/local"];
/// Where a prefix has its library.
const LIBRARIES: [&str; 2] = ["lib", "lib64"];

/// An interpreter's version: minor, and whether it is free-threaded.
type Python = (u32, bool);

/// Lists the packages of the Python that is installed in this folder; `false` when none is.
pub(crate) fn collect(collector: &mut Collector, root: &Path) -> bool {
    let pythons = pythons(root);
    // The newest one is the one that is meant; a system keeps older ones for itself.
    let Some((&(minor, free_threaded), sites)) = pythons.last_key_value() else { return false };
    let named = |(minor, free_threaded): Python| format!("3.{minor}{}", if free_threaded { "t" } else { "" });
    let python = Version::from_minor(minor).map(|version| Target { version, free_threaded, gil: Gil::Default });
    if python.is_none() {
        let error = format!("its Python is 3.{minor}, whose loading rules gilaudit does not know");
        collector.problem(notice(origin_of(root), Stage::Find, error));
    }
    if pythons.len() > 1 {
        let others: Vec<String> = pythons.keys().rev().skip(1).map(|python| named(*python)).collect();
        let (newest, others) = (named((minor, free_threaded)), others.join(", "));
        let error = format!(
            "Python {newest} is audited here, and not {others}: name the site-packages of one to have it audited"
        );
        collector.problem(notice(origin_of(root), Stage::Find, error));
    }
    collector.artifact(Artifact {
        origin: origin_of(root),
        kind: ArtifactKind::Environment,
        explicit: true,
        distribution: None,
        tags: None,
        python,
    });
    for site in sites {
        folder::collect(collector, site, python);
    }
    true
}

/// The interpreters whose standard library is below a folder, each with the folders where its packages are.
fn pythons(root: &Path) -> BTreeMap<Python, Vec<PathBuf>> {
    let mut pythons: BTreeMap<Python, Vec<PathBuf>> = BTreeMap::new();
    let libraries: Vec<PathBuf> = PREFIXES
        .iter()
        .flat_map(|prefix| LIBRARIES.iter().map(move |library| root.join(prefix).join(library)))
        .filter(|library| library.is_dir())
        .collect();
    for library in &libraries {
        for entry in std::fs::read_dir(library).into_iter().flatten().flatten() {
            let python = version(&entry.file_name().to_string_lossy());
            if let Some(python) = python.filter(|_| entry.path().join("os.py").is_file()) {
                pythons.entry(python).or_default();
            }
        }
    }
    for (&(minor, free_threaded), sites) in &mut pythons {
        let own = format!("python3.{minor}{}", if free_threaded { "t" } else { "" });
        for library in &libraries {
            // Debian keeps what all its interpreters share in `python3`.
            for name in [own.as_str(), "python3"] {
                let found = ["site-packages", "dist-packages"].map(|packages| library.join(name).join(packages));
                sites.extend(found.into_iter().filter(|folder| folder.is_dir()));
            }
        }
    }
    pythons
}

/// `python3.14t`
fn version(name: &str) -> Option<Python> {
    let version = name.strip_prefix("python3.")?;
    let (minor, free_threaded) = match version.strip_suffix('t') {
        Some(minor) => (minor, true),
        None => (version, false),
    };
    Some((minor.parse().ok()?, free_threaded))
}
