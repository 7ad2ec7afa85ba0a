//! The sources of one project: each file goes to the reader of its language.

use gilaudit_model::source::{File, Language, Project};
use gilaudit_model::{Origin, Problem};

use crate::{build, c, cython, python, rust};

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
}

/// How much is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest file that is parsed, in bytes.
    pub file_bytes: usize,
    /// The most bytes of one project that are parsed.
    pub project_bytes: usize,
    /// How often the parser may report progress for one file before it is stopped: its unit of work is about a hundred operations.
    pub parse_steps: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 8 << 20, project_bytes: 256 << 20, parse_steps: 20_000_000 }
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
/// The result is the same for the same files in any order. What could not be read becomes a problem, and the rest is read.
pub fn read_project(mut files: Vec<SourceText>, limits: &Limits) -> (Project, Vec<Problem>) {
    let vendored = rust::vendored::folders(&files);
    files.retain(|file| !rust::vendored::is_in(&file.path, &vendored));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let mut project = Project::default();
    let mut problems = Vec::new();
    for source in files {
        let language = language(&source.path, &source.text);
        project.files.push(File::new(source.origin, source.path, language, source.text, source.report));
    }
    c::read(&mut project, limits, &mut problems);
    cython::read(&mut project, limits, &mut problems);
    rust::read(&mut project, limits, &mut problems);
    python::state::read(&mut project, limits, &mut problems);
    build::read(&mut project, limits, &mut problems);
    (project, problems)
}
