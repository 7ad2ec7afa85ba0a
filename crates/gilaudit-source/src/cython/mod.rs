//! Cython.
//!
//! ```text
//! text ──template──> the same length without Tempita ──token──> logical lines ──statement──> CythonFile
//! ```
//!
//! No grammar of Cython is published, so this one is written by hand, as deep as rules need it: blocks, statements and expressions are
//! read, C declarations for their names and types, and blocks of foreign declarations (`cdef extern`, structs) are skipped. A statement
//! that does not parse is said to be so, and the next one is read.

mod declaration;
mod expression;
mod parser;
mod statement;
mod template;
mod token;

use std::collections::HashSet;

use gilaudit_model::source::cython::CythonFile;
use gilaudit_model::source::{ExtensionUser, File, FileId, Language, Name, Names, Project, Span, Steps};
use rayon::prelude::*;

use crate::project::Limits;
use crate::work;

/// Reads the Cython files of a project.
pub(crate) fn read(project: &mut Project, limits: &Limits) {
    let wanted = |file: &File| file.language == Language::Cython;
    let read = work::each(
        &mut project.files,
        limits,
        wanted,
        || (),
        |(), id, file, steps| {
            let masked = template::mask(&file.path, &file.text);
            let one = One::new(id, &masked, steps);
            work::parsed(&work::without(&masked, &one.comments), &one.unparsed)?;
            Ok(one)
        },
    );
    for (id, mut one) in read {
        let code = one.code(&mut project.names);
        if let Some(file) = project.files.get_mut(id.0 as usize) {
            file.unparsed = one.unparsed.iter().map(|span| span.end - span.start).sum();
            file.unparsed_spans = one.unparsed;
            file.comments = one.comments;
        }
        project.cython.push(code);
    }
    read_users(project, limits);
}

/// What one file gives. Its names are its own until its code is taken.
struct One {
    names: Names,
    code: CythonFile,
    unparsed: Vec<Span>,
    comments: Vec<Span>,
}

impl One {
    fn new(id: FileId, text: &str, steps: &Steps) -> Self {
        let lexed = token::lex(text);
        steps.take(lexed.tokens.len());
        let mut names = Names::default();
        let (code, unparsed) = statement::read(id, text, &lexed, &mut names);
        steps.take(code.exprs.len() + code.stmts.len());
        Self { names, code, unparsed, comments: lexed.comments }
    }

    /// The code, with the names of the project.
    fn code(&mut self, names: &mut Names) -> CythonFile {
        let known: Vec<Name> = self.names.iter().map(|(_, text)| names.intern(text)).collect();
        let mut code = std::mem::replace(&mut self.code, CythonFile::new(FileId(0)));
        code.rename(|name| known.get(name.0 as usize).copied().unwrap_or(name));
        code
    }
}

/// Reads the Python files that mention an extension type: who makes its objects, and who gets them, is part of what it is. What cannot
/// be read is left to the reader of Python to complain about.
fn read_users(project: &mut Project, limits: &Limits) {
    let classes = project.cython.iter().flat_map(|file| &file.classes).filter(|class| class.extension);
    let types: HashSet<String> = classes.map(|class| project.names.text(class.name).to_owned()).collect();
    if types.is_empty() {
        return;
    }
    let mentions = |file: &File| {
        let mut words = file.text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        words.any(|word| types.contains(word))
    };
    let mut budget = limits.project_bytes;
    let mut wanted: Vec<(FileId, &File)> = Vec::new();
    for (file, id) in project.files.iter().zip((0u32..).map(FileId)) {
        let size = file.text.len();
        if file.language == Language::Python && size <= limits.file_bytes.min(budget) && file.unread.is_none() {
            budget -= size;
            wanted.push((id, file));
        }
    }
    let read: Vec<One> = wanted
        .into_par_iter()
        .filter(|(_, file)| mentions(file))
        .map(|(id, file)| One::new(id, &file.text, &Steps::new(0, limits.steps)))
        .collect();
    for mut one in read {
        let code = one.code(&mut project.names);
        project.extension_users.push(ExtensionUser { code, unparsed: one.unparsed });
    }
}

#[cfg(test)]
mod tests;
