//! The modules that a project's sources and build files make, and what each will declare.
//!
//! Sources define modules, build files name them and say what they are made of; the two are matched by source path, then by name.
//! "Not used" is only said where something says so for certain: what depends on the build, or is computed, is unknown with its reason.

mod cython;
mod generated;
mod names;
mod native;
mod survey;
mod tools;
mod unread;

use std::collections::{BTreeMap, HashMap, HashSet};

use gilaudit_model::source::build::{BuildFile, BuildModule};
use gilaudit_model::source::{FileId, Language, Project, Span};
use gilaudit_model::{Declaration, Evidence, Framework, Init, MadeBy, Origin, Reason, Site, Status, Target};

use crate::engine::analysis::is_test_path;
use crate::engine::declarations::Module;
use names::last;
use survey::Survey;
pub(crate) use unread::unjudged;

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
    pub framework: Option<MadeBy>,
    /// What it declares.
    pub declaration: Declaration,
}

/// A module as its sources define it.
struct Candidate {
    /// Its own name, or the dotted one if the sources say it.
    name: String,
    file: FileId,
    framework: Option<Framework>,
    init: Init,
    declaration: Declaration,
}

/// A module as a build file names it.
#[derive(Clone, Copy)]
struct Listed<'p> {
    build: &'p BuildFile,
    module: &'p BuildModule,
}

/// The modules that a project makes, sorted by name. `defined` are those that its sources define.
pub(crate) fn modules(project: &Project, defined: &[Module], target: &Target) -> Vec<SourceModule> {
    let survey = Survey::new(project);
    let complete = !survey.listed.is_empty() && !builds(project).any(|build| build.computed);
    let mut used = HashSet::new();
    let mut made: BTreeMap<String, SourceModule> = BTreeMap::new();
    for candidate in candidates(&survey, defined, target) {
        let file = project.file(candidate.file);
        let found = matching(&survey, &candidate);
        if found.is_empty()
            && (complete || is_test_path(&file.path) || !file.report || native::is_part_of_another(&survey, &candidate))
        {
            continue;
        }
        used.extend(found.iter().copied());
        let of_build: Vec<Listed<'_>> = found.iter().filter_map(|index| survey.listed.get(*index).copied()).collect();
        for name in names::of(&survey, &candidate, &of_build) {
            let row = SourceModule {
                name: name.clone(),
                origin: file.origin.clone(),
                init: candidate.init,
                framework: candidate.framework.map(Into::into),
                declaration: candidate.declaration.clone(),
            };
            // The same module defined several times: for several versions of Python, or on several platforms.
            made.entry(name)
                .and_modify(|known| {
                    if known.declaration.status != row.declaration.status {
                        known.declaration = Declaration::unknown(Reason::DefinitionsDiffer {
                            first: known.origin.file_path().to_owned(),
                            second: row.origin.file_path().to_owned(),
                        });
                    }
                })
                .or_insert(row);
        }
    }
    let mut known: HashMap<String, Vec<String>> = HashMap::new();
    made.keys().for_each(|name| known.entry(last(name).to_owned()).or_default().push(name.clone()));
    for (index, listed) in survey.listed.iter().enumerate() {
        if used.contains(&index) {
            continue;
        }
        if let Some(row) = tools::without_source(&survey, *listed, target) {
            // Of two names for one module, one is the end of the other.
            let namesakes = known.entry(last(&row.name).to_owned()).or_default();
            if !namesakes.iter().any(|known| names::is_same(known, &row.name)) {
                namesakes.push(row.name.clone());
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
fn matching(survey: &Survey<'_>, candidate: &Candidate) -> Vec<usize> {
    let file = survey.project.file(candidate.file);
    let own = last(&candidate.name);
    if file.language == Language::Rust {
        return native::crates_of(survey, candidate);
    }
    let name_of = |index: &usize| survey.listed.get(*index).map_or("", |it| &*it.module.name);
    let is_named = |index: &usize| last(name_of(index)) == own;
    let by_source = survey.made_of(&file.path);
    // A file that several modules are made of defines the one of its name.
    let named = by_source.iter().any(is_named);
    let fits = |index: &&usize| !named || is_named(index) || name_of(index).is_empty();
    let mut found: Vec<usize> = by_source.iter().filter(fits).copied().collect();
    if let Some(first) = found.first() {
        // What another file says of the same module: setup.py names it, CMake says what it is made of.
        let name = name_of(first);
        let more = survey.named(last(name)).iter().filter(|index| {
            let is_bare = survey.listed.get(**index).is_some_and(|it| it.module.sources.is_empty());
            is_bare && names::is_same(name_of(index), name)
        });
        found.extend(more.copied().collect::<Vec<usize>>());
        found.sort_unstable();
        found.dedup();
        return found;
    }
    let same = survey.named(own);
    // All are ends of the longest one, and so of each other.
    let longest = same.iter().map(name_of).max_by_key(|name| name.len()).unwrap_or_default();
    if same.iter().all(|index| names::is_same(name_of(index), longest)) { same.to_vec() } else { Vec::new() }
}

fn candidates(survey: &Survey<'_>, defined: &[Module], target: &Target) -> Vec<Candidate> {
    let mut out = native::candidates(survey, defined, target.version);
    for (file, id) in survey.project.files.iter().zip((0u32..).map(FileId)) {
        match file.language {
            Language::Cython => out.extend(cython::candidate(survey, id)),
            Language::Python => out.extend(cython::pure(survey, id)),
            _ => out.extend(generated::candidate(survey, id, target)),
        }
    }
    unread::amend(survey.project, &mut out);
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
    Evidence {
        what: what.to_owned(),
        at: Site::Text { path: file.path.clone(), line: file.lines.line(span.start) }.into(),
    }
}
