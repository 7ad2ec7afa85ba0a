//! The sources of one project: each file goes to the reader of its language.

use gilaudit_model::Origin;
use gilaudit_model::Problem;
use gilaudit_model::source::{File, Language, Project, Steps, Unread};
use rayon::prelude::*;

use crate::{build, c, cython, encoding, python, rust};

/// One file of a project.
#[derive(Clone, Debug)]
pub struct SourceText {
    /// Where it is.
    pub origin: Origin,
    /// Its path in the project, with `/`.
    pub path: String,
    /// Its text; bytes that are not UTF-8 were replaced one for one.
    pub text: String,
    /// Whether findings in it are wanted.
    pub report: bool,
    /// Why it is not read, though its text is there.
    pub unread: Option<Unread>,
}

impl SourceText {
    /// A file as it is on disk.
    pub fn new(origin: Origin, path: String, bytes: &[u8], report: bool) -> Self {
        let (text, unread) = encoding::text(&path, bytes);
        Self { origin, path, text, report, unread }
    }
}

/// How much is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest file that is parsed, in bytes.
    pub file_bytes: usize,
    /// The most bytes of one project that are parsed.
    pub project_bytes: usize,
    /// The most steps that a file may take: see [`Steps`].
    pub steps: u64,
    /// Whether Python is read where nothing in the project says that threads run. What can be found there is never more than of low
    /// confidence.
    pub python_without_threads: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 8 << 20, project_bytes: 256 << 20, steps: Steps::MOST, python_without_threads: true }
    }
}

/// What a file is written in, by its name.
fn language(path: &str, text: &str) -> Language {
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.strip_suffix(".src").or_else(|| name.strip_suffix(".in")).unwrap_or(name);
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "c" => Language::C,
        "cc" | "cpp" | "cxx" | "hpp" | "hh" | "hxx" | "C" => Language::Cpp,
        "h" => {
            let is_cpp =
                ["\nclass ", "\ntemplate", "\nnamespace ", "\nusing namespace"].iter().any(|word| text.contains(word));
            if is_cpp { Language::Cpp } else { Language::C }
        }
        "pyx" | "pxd" | "pxi" => Language::Cython,
        "rs" => Language::Rust,
        "py" => Language::Python,
        _ => Language::Text,
    }
}

/// Reads the sources of one project.
///
/// The result is the same for the same files in any order, and for any number of threads. What could not be read says so, in its file or
/// as a problem, and the rest is read.
pub fn read_project(mut files: Vec<SourceText>, limits: &Limits) -> (Project, Vec<Problem>) {
    let vendored = rust::vendored::folders(&files);
    files.retain(|file| !rust::vendored::is_in(&file.path, &vendored));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut project = Project::default();
    let mut problems = Vec::new();
    project.files = files
        .into_par_iter()
        .map(|SourceText { origin, path, text, report, unread }| {
            let language = language(&path, &text);
            File { unread, ..File::new(origin, path, language, text, report) }
        })
        .collect();
    c::read(&mut project, limits);
    cython::read(&mut project, limits);
    rust::read(&mut project, limits, &mut problems);
    python::state::read(&mut project, limits);
    build::read(&mut project, limits, &mut problems);
    (project, problems)
}
