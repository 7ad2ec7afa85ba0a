//! The modules that a project's sources and build files make, and what each will declare.
//!
//! Sources define modules, build files name them and say what they are made of; the two are matched by source path, then by name.
//! "Not used" is only said where something says so for certain: what depends on the build, or is computed, is unknown with its reason.

mod cython;
mod generated;
mod names;
mod native;
mod tools;

use std::collections::{BTreeMap, HashSet};

use gilaudit_model::source::build::{BuildFile, BuildModule};
use gilaudit_model::source::{FileId, Language, Project, Span};
use gilaudit_model::{Declaration, Evidence, Framework, Init, Origin, Status, Target};

use crate::engine::analysis::is_test_path;
use names::{last, stem};

/// A module that would be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceModule {
    /// Its dotted name, as far as sources and build files show it.
    pub name: String,
    /// The file that defines it.
    pub origin: Origin,
    /// How it initialises.
    pub init: Init,
    /// The framework that makes it.
    pub framework: Option<Framework>,
    /// What it declares.
    pub declaration: Declaration,
}

/// A module as its sources define it.
struct Candidate {
    /// Its own name, or the dotted one if the sources say it.
    name: String,
    file: FileId,
    framework: Option<&'static str>,
    init: Init,
    declaration: Declaration,
}

/// A module as a build file names it.
#[derive(Clone, Copy)]
struct Listed<'p> {
    build: &'p BuildFile,
    module: &'p BuildModule,
}

/// The modules that a project makes, sorted by name.
pub fn modules(project: &Project, target: &Target) -> Vec<SourceModule> {
    let listed: Vec<Listed<'_>> =
        builds(project).flat_map(|build| build.modules.iter().map(move |module| Listed { build, module })).collect();
    let complete = !listed.is_empty() && !builds(project).any(|build| build.computed);
    let mut used = HashSet::new();
    let mut made: BTreeMap<String, SourceModule> = BTreeMap::new();
    for candidate in candidates(project, &listed, target) {
        let file = project.file(candidate.file);
        let found = matching(project, &listed, &candidate);
        if found.is_empty()
            && (complete
                || is_test_path(&file.path)
                || !file.report
                || native::is_part_of_another(project, &listed, &candidate))
        {
            continue;
        }
        used.extend(found.iter().copied());
        let of_build: Vec<Listed<'_>> = found.iter().filter_map(|index| listed.get(*index).copied()).collect();
        for name in names::of(project, &candidate, &of_build) {
            let row = SourceModule {
                name: name.clone(),
                origin: file.origin.clone(),
                init: candidate.init,
                framework: candidate.framework.map(|name| Framework { name, version: None }),
                declaration: candidate.declaration.clone(),
            };
            // The same module defined several times: for several versions of Python, or on several platforms.
            made.entry(name)
                .and_modify(|known| {
                    if known.declaration.status != row.declaration.status {
                        known.declaration = Declaration::unknown(format!(
                            "it is defined several times, and the definitions differ: {} and {}",
                            known.origin.file_path(),
                            row.origin.file_path()
                        ));
                    }
                })
                .or_insert(row);
        }
    }
    for (index, listed) in listed.iter().enumerate() {
        if used.contains(&index) {
            continue;
        }
        if let Some(row) = tools::without_source(project, *listed, target) {
            let is_known = made.keys().any(|known| names::is_same(known, &row.name));
            if !is_known {
                made.insert(row.name.clone(), row);
            }
        }
    }
    made.into_values().collect()
}

/// The build files that count: those of tests and examples build nothing that is installed.
fn builds(project: &Project) -> impl Iterator<Item = &BuildFile> {
    project.builds.iter().filter(|build| !is_test_path(&project.file(build.file).path))
}

/// The entries of the build files that a candidate belongs to: those with its file among their sources; else the ones of its name, when
/// they can be the same module.
fn matching(project: &Project, listed: &[Listed<'_>], candidate: &Candidate) -> Vec<usize> {
    let path = &project.file(candidate.file).path;
    let own = last(&candidate.name);
    if project.file(candidate.file).language == Language::Rust {
        return native::crates_of(project, listed, candidate);
    }
    let is_named = |it: &Listed<'_>| last(&it.module.name) == own;
    let numbered = || listed.iter().enumerate();
    let by_source: Vec<usize> =
        numbered().filter(|(_, it)| is_made_of(it.module, path)).map(|(index, _)| index).collect();
    // A file that several modules are made of defines the one of its name.
    let named = by_source.iter().any(|index| listed.get(*index).is_some_and(is_named));
    let mut found: Vec<usize> = by_source
        .into_iter()
        .filter(|index| !named || listed.get(*index).is_some_and(|it| is_named(it) || it.module.name.is_empty()))
        .collect();
    if let Some(first) = found.first().and_then(|index| listed.get(*index)) {
        // What another file says of the same module: setup.py names it, CMake says what it is made of.
        let name = first.module.name.clone();
        found.extend(
            numbered()
                .filter(|(_, it)| {
                    it.module.sources.is_empty() && !name.is_empty() && names::is_same(&it.module.name, &name)
                })
                .map(|(index, _)| index),
        );
        found.sort_unstable();
        found.dedup();
        return found;
    }
    let same: Vec<usize> = numbered().filter(|(_, it)| is_named(it)).map(|(index, _)| index).collect();
    let compatible = same.iter().filter_map(|index| listed.get(*index)).all(|one| {
        same.iter()
            .filter_map(|index| listed.get(*index))
            .all(|other| names::is_same(&one.module.name, &other.module.name))
    });
    if compatible { same } else { Vec::new() }
}

/// Whether a source of a module is this file, or what is generated from it.
fn is_made_of(module: &BuildModule, path: &str) -> bool {
    module.sources.iter().any(|source| **source == *path || stem(source) == stem(path))
}

fn candidates(project: &Project, listed: &[Listed<'_>], target: &Target) -> Vec<Candidate> {
    let mut out = native::candidates(project, target.version);
    for (index, file) in project.files.iter().enumerate() {
        let id = FileId(index as u32);
        match file.language {
            Language::Cython => out.extend(cython::candidate(project, listed, id)),
            Language::Python => out.extend(cython::pure(project, listed, id)),
            _ => out.extend(generated::candidate(project, listed, id, target)),
        }
    }
    out
}

fn seen(
    status: Status,
    mechanism: gilaudit_model::Mechanism,
    project: &Project,
    listed: Listed<'_>,
    what: &str,
) -> Declaration {
    let mut declaration = Declaration::new(status, mechanism);
    declaration.evidence.push(evidence(project, listed.build.file, listed.module.span, what));
    declaration
}

fn evidence(project: &Project, file: FileId, span: Span, what: &str) -> Evidence {
    let file = project.file(file);
    Evidence { what: what.to_owned(), at: format!("{}:{}", file.path, file.lines.line(span.start)) }
}
