//! Which Cython files make a module together, and what the modules declare.

use std::collections::HashMap;

use gilaudit_model::Framework;
use gilaudit_model::source::cython::{CythonFile, Directive, StmtKind};
use gilaudit_model::source::{Project, Span};

use super::directive::build_says;
use super::index::Index;
use crate::engine::declarations::{Declared, Form, Module};

/// A path without what templates add, and its extension.
fn stem(path: &str) -> (&str, &str) {
    let path = [".in", ".tp", ".src"].iter().find_map(|suffix| path.strip_suffix(suffix)).unwrap_or(path);
    let (stem, extension) = path.rsplit_once('.').unwrap_or((path, ""));
    (stem.strip_suffix(".templ").unwrap_or(stem), extension)
}

/// The module of each file, by the number of its first file: a `.pxd` belongs to the `.pyx` of its name, and what is included to what
/// includes it.
pub(super) fn module_of(project: &Project) -> Vec<usize> {
    let paths: Vec<&str> = project.cython.iter().map(|file| project.file(file.file).path.as_str()).collect();
    let mut module: Vec<usize> = (0..paths.len()).collect();
    let by_stem: HashMap<&str, usize> = paths
        .iter()
        .enumerate()
        .filter(|(_, path)| stem(path).1 == "pyx")
        .map(|(number, path)| (stem(path).0, number))
        .collect();
    for (number, path) in paths.iter().enumerate() {
        let (stem, extension) = stem(path);
        if extension == "pxd"
            && let Some(root) = by_stem.get(stem)
        {
            module[number] = *root;
        }
    }
    // Includes, from the files that include: a few levels.
    for _ in 0..4 {
        for (number, file) in project.cython.iter().enumerate() {
            for stmt in &file.stmts {
                let StmtKind::Include(name) = stmt.kind else { continue };
                let name = project.text(name);
                let folder = paths[number].rsplit_once('/').map_or("", |(folder, _)| folder);
                let wanted = if folder.is_empty() {
                    name.to_owned()
                } else {
                    format!("{folder}/{}", name.trim_start_matches("./"))
                };
                let found = paths.iter().position(|path| *path == wanted || stem(path) == stem(&wanted));
                // A module that is built by itself stays one, whoever includes it, too.
                if let Some(found) = found
                    && module[number] != found
                    && !(stem(paths[found]).1 == "pyx" && is_built(project, paths[found]))
                {
                    module[found] = module[number];
                }
            }
        }
    }
    module
}

/// Whether a build file names a source.
fn is_built(project: &Project, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_edge =
        |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric() && !"_-.".contains(letter));
    project.builds.iter().any(|build| {
        let text = &project.file(build.file).text;
        text.match_indices(name).any(|(at, _)| {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let after = text.get(at.saturating_add(name.len())..).and_then(|after| after.chars().next());
            is_edge(before) && is_edge(after)
        })
    })
}

/// Whether the project brings along what Cython made of a file, and that declares: who ran Cython said so in a way that is not seen
/// here, in a Makefile say. The call is what Cython 3.1 writes for single-phase initialisation (`Compiler/ModuleNode.py`).
fn is_generated_compatible(project: &Project, of: &str) -> bool {
    const CALL: &str = "PyUnstable_Module_SetGIL(__pyx_m, Py_MOD_GIL_NOT_USED)";
    project.files.iter().any(|file| {
        let (own, extension) = stem(&file.path);
        file.cython.is_some()
            && own == of
            && matches!(extension, "c" | "cpp" | "cc" | "cxx")
            && file.text.contains(CALL)
    })
}

/// What a Cython file declares, if it is the first of a module.
fn declaration(project: &Project, cython: &CythonFile) -> Declared {
    let (stem, _) = stem(&project.file(cython.file).path);
    match directive(cython).map(|directive| &*directive.value) {
        Some("True" | "1") => Declared::NotUsed,
        // As far as the interpreter is told, `False` is the same as nothing.
        Some(_) => Declared::Nothing,
        None => match build_says(project, cython.file).map(|says| says.value) {
            Some(Ok(true)) => Declared::NotUsed,
            Some(Err(_)) => Declared::Unknown,
            None if is_generated_compatible(project, stem) => Declared::NotUsed,
            Some(Ok(false)) | None => Declared::Nothing,
        },
    }
}

fn directive(cython: &CythonFile) -> Option<&Directive> {
    cython.directives.iter().find(|directive| &*directive.name == "freethreading_compatible")
}

/// The modules that the project's Cython files make, and what each declares.
pub(crate) fn modules(project: &Project) -> Vec<Module> {
    let mut out = Vec::new();
    let module_of = module_of(project);
    for (number, cython) in project.cython.iter().enumerate() {
        let (stem, extension) = stem(&project.file(cython.file).path);
        // One that is included is a part of another.
        if extension != "pyx" || module_of.get(number) != Some(&number) {
            continue;
        }
        let first = cython.stmts.first().map_or(Span { start: 0, end: 0 }, |stmt| stmt.span);
        out.push(Module {
            name: stem.rsplit('/').next().unwrap_or(stem).to_owned(),
            file: cython.file,
            span: directive(cython).map_or(first, |directive| directive.span),
            declared: declaration(project, cython),
            condition: None,
            why: None,
            form: Form::Made(Framework::Cython),
        });
    }
    out
}

/// Whether the module that a file belongs to declares that it runs without the GIL.
pub(crate) fn declares(project: &Project, index: &Index, number: usize) -> bool {
    let root = index.module_of.get(number).and_then(|root| project.cython.get(*root));
    root.is_some_and(|root| {
        stem(&project.file(root.file).path).1 == "pyx" && declaration(project, root) == Declared::NotUsed
    })
}
