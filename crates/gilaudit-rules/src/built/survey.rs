//! What is looked up for every module of a project, worked out once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::OnceLock;

use gilaudit_model::source::build::Maker;
use gilaudit_model::source::{FileId, Language, Project};

use super::names::{self, last, stem};
use super::{Listed, builds, cython};

/// A project, indexed by what its build files and sources are asked for.
pub(super) struct Survey<'p> {
    pub(super) project: &'p Project,
    /// What the build files list, in their order.
    pub(super) listed: Vec<Listed<'p>>,
    /// The numbers of those with a source of this stem, and of this last part of their name.
    by_stem: HashMap<&'p str, Vec<usize>>,
    by_name: HashMap<&'p str, Vec<usize>>,
    /// All sources that are listed, and those that a compiler gets first.
    sources: HashSet<&'p str>,
    first_sources: HashSet<&'p str>,
    /// The names of the files that Cython files include, with the file that does and whether several do.
    included: HashMap<&'p str, (FileId, bool)>,
    /// The first Cython module, and the first C file that Cython generated, by stem.
    cython: HashMap<&'p str, FileId>,
    generated: HashMap<&'p str, FileId>,
    /// The first two C and C++ files that declare for a module whose init function is elsewhere.
    declaring: Vec<FileId>,
    /// The folders of Cargo's manifests.
    crates: HashSet<&'p str>,
    /// Why the build may overrule the directives of Cython files.
    pub(super) overruled: Option<String>,
    /// The dotted names under which the project's Python imports things, by their last part.
    imported: OnceLock<HashMap<String, BTreeSet<String>>>,
}

impl<'p> Survey<'p> {
    pub(super) fn new(project: &'p Project) -> Self {
        let listed: Vec<Listed<'_>> = builds(project)
            .flat_map(|build| build.modules.iter().map(move |module| Listed { build, module }))
            .collect();
        let mut survey = Self {
            project,
            by_stem: HashMap::new(),
            by_name: HashMap::new(),
            sources: HashSet::new(),
            first_sources: HashSet::new(),
            included: HashMap::new(),
            cython: HashMap::new(),
            generated: HashMap::new(),
            declaring: Vec::new(),
            crates: project.cargo.iter().map(|it| folder(&project.file(it.file).path)).collect(),
            overruled: cython::macro_of_build(project),
            imported: OnceLock::new(),
            listed: Vec::new(),
        };
        for (number, Listed { module, .. }) in listed.iter().copied().enumerate() {
            survey.by_name.entry(last(&module.name)).or_default().push(number);
            survey.sources.extend(module.sources.iter().map(|source| &**source));
            if module.maker == Maker::Compiler {
                survey.first_sources.extend(module.sources.first().map(|source| &**source));
            }
            for source in &module.sources {
                let known = survey.by_stem.entry(stem(source)).or_default();
                if known.last() != Some(&number) {
                    known.push(number);
                }
            }
        }
        survey.listed = listed;
        for (file, id) in project.files.iter().zip((0u32..).map(FileId)) {
            match file.language {
                Language::Cython => {
                    if cython::is_implementation(&file.path) {
                        survey.cython.entry(stem(&file.path)).or_insert(id);
                    }
                    for name in cython::included(&file.text) {
                        let by = survey.included.entry(name).or_insert((id, false));
                        by.1 |= by.0 != id;
                    }
                }
                Language::C | Language::Cpp if file.cython.is_none() => {
                    let declares =
                        ["Py_mod_gil", "PyUnstable_Module_SetGIL"].iter().any(|word| file.text.contains(word));
                    if survey.declaring.len() < 2 && declares && !file.text.contains("PyInit_") {
                        survey.declaring.push(id);
                    }
                }
                _ => {}
            }
            if file.cython.is_some() {
                survey.generated.entry(stem(&file.path)).or_insert(id);
            }
        }
        survey
    }

    /// The numbers of the entries that are made of a file, or of what is generated from it.
    pub(super) fn made_of(&self, path: &str) -> &[usize] {
        self.by_stem.get(stem(path)).map_or(&[], Vec::as_slice)
    }

    /// The numbers of the entries of which the last part of the name is this.
    pub(super) fn named(&self, last: &str) -> &[usize] {
        self.by_name.get(last).map_or(&[], Vec::as_slice)
    }

    /// Whether an entry has this source.
    pub(super) fn is_source(&self, path: &str) -> bool {
        self.sources.contains(path)
    }

    /// Whether this is the first source of what a compiler makes a module of.
    pub(super) fn is_first_source(&self, path: &str) -> bool {
        self.first_sources.contains(path)
    }

    /// Whether other Cython files include a file: then it is no module.
    pub(super) fn is_included(&self, id: FileId) -> bool {
        let by = self.included.get(self.project.file(id).name());
        by.is_some_and(|(first, several)| *several || *first != id)
    }

    /// The C file that Cython generated from a file, where it is in the project.
    pub(super) fn twin(&self, id: FileId) -> Option<FileId> {
        self.generated.get(stem(&self.project.file(id).path)).copied()
    }

    /// The Cython file that a C file was generated from, where it is in the project.
    pub(super) fn origin_of(&self, id: FileId) -> Option<FileId> {
        self.cython.get(stem(&self.project.file(id).path)).copied()
    }

    /// Whether C code without an init function of its own, in another file, declares: that of a module in several files.
    pub(super) fn declares_elsewhere(&self, own: FileId) -> bool {
        self.declaring.iter().any(|id| *id != own)
    }

    /// Whether a file belongs to the package of a manifest: no other manifest is nearer.
    pub(super) fn is_in_crate(&self, manifest: &str, path: &str) -> bool {
        let mut around = folder(path);
        while !around.is_empty() && !self.crates.contains(around) {
            around = folder(around);
        }
        self.crates.contains(around) && around == folder(manifest)
    }

    /// The one dotted name under which the project's Python files import a module; none if there are several or none.
    pub(super) fn imported_as(&self, name: &str) -> Option<String> {
        let mut all = self.imported.get_or_init(|| names::imports(self.project)).get(name)?.iter();
        let first = all.next()?;
        all.next().is_none().then(|| first.clone())
    }
}

/// The folder that a path is in; empty for the root.
fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
