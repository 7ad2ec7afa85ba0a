//! Rust: extension modules made with PyO3, or by hand on its FFI.
//!
//! ```text
//! text ──tokens──> shallow enough? comments ──syn──> tree ──items, bodies──> RustFile ──declare──> what its modules declare
//! Cargo.toml, Cargo.lock ──cargo──> which PyO3 ────────────────────────────────────────────────────^
//! ```
//!
//! Only files that can matter are parsed: they name the interpreter, or have state that threads share.

mod bodies;
mod cargo;
mod cfg;
mod declare;
mod files;
mod items;
mod tokens;
pub(crate) mod vendored;

use gilaudit_model::source::rust::RustFile;
use gilaudit_model::source::{File, FileId, Language, Project, Span};
use gilaudit_model::{Problem, Stage};
use memchr::memmem;

use crate::project::Limits;
use crate::work;
use files::Declares;

/// The stack of the thread that parses: enough for what `tokens` lets through.
const STACK: usize = 256 << 20;

/// Reads the files of a project.
pub(crate) fn read(project: &mut Project, limits: &Limits, problems: &mut Vec<Problem>) {
    project.cargo = cargo::read(project, problems);
    let is_extension = project.cargo.iter().any(|manifest| manifest.framework.is_some())
        || project.files.iter().any(|file| file.language == Language::Rust && names_python(&file.text));
    if !is_extension {
        return;
    }
    let wanted = |file: &File| file.language == Language::Rust && may_matter(file);
    // The parser recurses, so its threads have large stacks.
    let threads = rayon::ThreadPoolBuilder::new().num_threads(rayon::current_num_threads()).stack_size(STACK).build();
    let Ok(threads) = threads else {
        for file in project.files.iter_mut().filter(|file| wanted(file)) {
            file.unread = Some(work::unread(Stage::Internal, "no thread could be started to read it".to_owned()));
        }
        return;
    };
    let files = &mut project.files;
    let read = threads.install(|| {
        work::each(
            files,
            limits,
            wanted,
            || (),
            |(), id, file, steps| {
                steps.take(file.text.len() / 4);
                parse(id, file).ok_or_else(|| {
                    work::unread(Stage::Parse, "it is no Rust that can be parsed, or nests too deep".to_owned())
                })
            },
        )
    });
    let mut declared = Vec::new();
    for (id, (facts, comments, declares)) in read {
        if let Some(file) = project.files.get_mut(id.0 as usize) {
            file.comments = comments;
        }
        project.rust.push(facts);
        declared.push((id, declares));
    }
    let left_out = files::left_out(project, &declared);
    project.rust.retain(|facts| !left_out.contains(&facts.file));
    declare::resolve(project);
}

/// Whether a text names the interpreter's API or PyO3.
fn names_python(text: &str) -> bool {
    ["pyo3", "Python<", "PyInit_", "PyErr_"].iter().any(|word| memmem::find(text.as_bytes(), word.as_bytes()).is_some())
}

/// Whether a file can say anything that the rules ask about. A build script is no part of what it builds.
fn may_matter(file: &File) -> bool {
    let has = |word: &str| memmem::find(file.text.as_bytes(), word.as_bytes()).is_some();
    file.name() != "build.rs"
        && (names_python(&file.text)
            || files::has_conditional(&file.text)
            || ["static mut ", "ffi::", "UnsafeCell", "unsafe impl", "PyO", "Py_"].iter().any(|word| has(word)))
}

/// One file: its facts, comments and modules in other files, or nothing if it is not Rust or nests too deep.
fn parse(id: FileId, file: &File) -> Option<(RustFile, Vec<Span>, Vec<Declares>)> {
    let base = start_of_code(&file.text);
    let code = file.text.get(base..)?;
    let parsed = code.parse().ok().and_then(|tokens: proc_macro2::TokenStream| {
        let places = tokens::Places { base: base as u32 };
        let comments = tokens::survey(&tokens, &file.text, places)?;
        let tree: syn::File = syn::parse2(tokens).ok()?;
        let mut walk = items::Walk::new(id, &file.text, places, &comments);
        if !cfg::is_left_out(&tree.attrs) {
            walk.under(&tree.attrs, |walk| syn::visit::Visit::visit_file(walk, &tree));
        }
        let (facts, declares) = (walk.out, walk.declares);
        Some((facts, comments, declares))
    });
    // The positions of this file's tokens are kept until they are given up.
    proc_macro2::extra::invalidate_current_thread_spans();
    parsed
}

/// A byte order mark and a `#!` line are not tokens.
fn start_of_code(text: &str) -> usize {
    let mark = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let rest = text.get(mark..).unwrap_or_default();
    if rest.starts_with("#!") && !rest.get(2..).unwrap_or_default().trim_start().starts_with('[') {
        return mark + rest.find('\n').unwrap_or(rest.len());
    }
    mark
}

#[cfg(test)]
mod tests;
