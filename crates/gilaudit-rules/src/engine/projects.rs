//! What the build files of a folder say together: a project's metadata is spread over pyproject.toml, setup.cfg and setup.py.

use gilaudit_model::source::build::{BuildFile, BuildMacro};
use gilaudit_model::source::{FileId, Project, Span};

use super::analysis::{Analysis, is_test_path};
use super::declarations::Declared;

/// The classifier of projects that say how far they support free threading.
pub(crate) const FREE_THREADING: &str = "Programming Language :: Python :: Free Threading";

/// A folder with metadata, and its build files.
pub(crate) struct Described<'p> {
    /// The folder's path; empty for the root of the sources.
    pub(crate) folder: &'p str,
    pub(crate) files: Vec<&'p BuildFile>,
}

impl<'p> Described<'p> {
    /// The classifiers, and where each is.
    pub(crate) fn classifiers(&self) -> impl Iterator<Item = (&'p BuildFile, &'p str, Span)> + '_ {
        self.files.iter().flat_map(|build| build.classifiers.iter().map(move |(text, span)| (*build, &**text, *span)))
    }

    /// `Requires-Python`, and where it is.
    pub(crate) fn requires_python(&self) -> Option<(&'p BuildFile, &'p str, Span)> {
        self.files.iter().find_map(|build| build.requires_python.as_ref().map(|(text, span)| (*build, &**text, *span)))
    }

    /// Whether the classifiers say that Windows is not supported.
    pub(crate) fn is_without_windows(&self) -> bool {
        let mut systems =
            self.classifiers().filter_map(|(_, text, _)| text.strip_prefix("Operating System ::")).peekable();
        systems.peek().is_some()
            && !systems.any(|system| system.contains("Microsoft") || system.contains("OS Independent"))
    }
}

/// The folders that describe a project, without those of tests and examples. The deeper ones come first.
pub(crate) fn described(project: &Project) -> Vec<Described<'_>> {
    let mut out: Vec<Described<'_>> = Vec::new();
    for build in reported(project).filter(|build| !build.classifiers.is_empty() || build.requires_python.is_some()) {
        let folder = folder_of(project, build.file);
        match out.iter_mut().find(|known| known.folder == folder) {
            Some(known) => known.files.push(build),
            None => out.push(Described { folder, files: vec![build] }),
        }
    }
    out.sort_by_key(|described| std::cmp::Reverse(described.folder.len()));
    out
}

/// The description of the project that a path belongs to, among those of [`described`].
pub(crate) fn of_path<'a, 'p>(all: &'a [Described<'p>], path: &str) -> Option<&'a Described<'p>> {
    all.iter().find(|described| {
        described.folder.is_empty() || path.strip_prefix(described.folder).is_some_and(|rest| rest.starts_with('/'))
    })
}

/// The build files whose findings are wanted, without those of tests and examples: they build nothing that is installed.
pub(crate) fn reported(project: &Project) -> impl Iterator<Item = &BuildFile> {
    project.builds.iter().filter(|build| {
        let file = project.file(build.file);
        file.report && !is_test_path(&file.path)
    })
}

/// The folder that a file is in.
pub(crate) fn folder_of(project: &Project, id: FileId) -> &str {
    project.file(id).path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Whether a project means to support free-threaded builds: a module declares it, or a classifier says so.
pub(crate) fn claims(analysis: &Analysis<'_>) -> bool {
    let mut classifiers = analysis.project.builds.iter().flat_map(|build| &build.classifiers);
    classifiers.any(|(text, _)| text.starts_with(FREE_THREADING))
        || analysis.modules.iter().any(|module| module.declared == Declared::NotUsed)
}

/// Where a text is in a build file. Readers that evaluate expressions know the place of the expression only.
pub(crate) fn place(project: &Project, build: &BuildFile, text: &str, span: Span) -> Span {
    let file = project.file(build.file);
    let within = |span: Span| {
        let at = file.text_of(span).find(text)?;
        let start = span.start.saturating_add(at as u32);
        Some(Span { start, end: start.saturating_add(text.len() as u32) })
    };
    within(span).or_else(|| within(Span { start: 0, end: file.text.len() as u32 })).unwrap_or(span)
}

/// The macros of this name that build files define whatever they build for, the first of each file.
pub(crate) fn defined_for_all<'p>(
    project: &'p Project,
    name: &'p str,
) -> impl Iterator<Item = (&'p BuildFile, &'p BuildMacro)> {
    reported(project).filter_map(move |build| {
        let found = build.macros.iter().find(|it| &*it.name == name && !it.conditional);
        found.map(|found| (build, found))
    })
}
