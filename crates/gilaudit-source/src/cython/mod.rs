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

use gilaudit_model::source::{ExtensionUser, FileId, Language, Project};
use gilaudit_model::{Problem, Stage};

use crate::project::Limits;

/// Reads the Cython files of a project. One that is too large becomes a problem, and the rest is read.
pub(crate) fn read(project: &mut Project, limits: &Limits, problems: &mut Vec<Problem>) {
    let mut budget = limits.project_bytes;
    for (index, file) in project.files.iter_mut().enumerate() {
        if file.language != Language::Cython {
            continue;
        }
        file.c_api = true;
        let size = file.text.len();
        if size > limits.file_bytes || size > budget {
            let error = format!("{size} bytes of source are more than the limit");
            problems.push(Problem { origin: file.origin.clone(), stage: Stage::Limits, error, unread: false });
            file.unparsed = size as u32;
            continue;
        }
        budget -= size;
        let masked = template::mask(&file.path, &file.text);
        let lexed = token::lex(&masked);
        let (facts, unparsed) = statement::read(FileId(index as u32), &masked, &lexed, &mut project.names);
        file.unparsed = unparsed.iter().map(|span| span.end - span.start).sum();
        file.unparsed_spans = unparsed;
        file.comments = lexed.comments;
        project.cython.push(facts);
    }
    read_users(project, limits, budget);
}

/// Reads the Python files that mention an extension type: who makes its objects, and who gets them, is part of what it is. What is too
/// large is left to the reader of Python to complain about.
fn read_users(project: &mut Project, limits: &Limits, mut budget: usize) {
    let classes = project.cython.iter().flat_map(|file| &file.classes).filter(|class| class.extension);
    let types: HashSet<String> = classes.map(|class| project.names.text(class.name).to_owned()).collect();
    if types.is_empty() {
        return;
    }
    for (index, file) in project.files.iter().enumerate() {
        let size = file.text.len();
        let mut words = file.text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        if file.language != Language::Python
            || size > limits.file_bytes
            || size > budget
            || !words.any(|word| types.contains(word))
        {
            continue;
        }
        budget -= size;
        let lexed = token::lex(&file.text);
        let (code, unparsed) = statement::read(FileId(index as u32), &file.text, &lexed, &mut project.names);
        project.extension_users.push(ExtensionUser { code, unparsed });
    }
}

#[cfg(test)]
mod tests;
