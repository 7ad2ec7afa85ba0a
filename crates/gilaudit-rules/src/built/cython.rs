//! Modules that Cython makes, of `.pyx` files and of Python files that a build file gives to it.

use gilaudit_model::source::{FileId, Project, Span};
use gilaudit_model::{Declaration, Framework, Init, Mechanism, Reason, Status};

use super::generated;
use super::names::{dotted, stem};
use super::survey::Survey;
use super::{Candidate, builds, evidence};
use crate::engine::cython::build_says;

/// The macro that takes the place of the directive since Cython 3.2.3.
const MACRO: &str = "CYTHON_FREETHREADING_COMPATIBLE";

/// The module of a `.pyx` file.
pub(super) fn candidate(survey: &Survey<'_>, id: FileId) -> Option<Candidate> {
    let project = survey.project;
    let file = project.file(id);
    if !is_implementation(&file.path) || survey.is_included(id) || stem(&file.path).ends_with('/') {
        return None;
    }
    let mut declaration = declaration(survey, id);
    if let Some(twin) = survey.twin(id) {
        match compiled(survey, &file.path, &project.file(twin).path) {
            Compiled::Generated => return None,
            Compiled::Source => {}
            Compiled::Either => {
                let other = generated::cython(survey, twin);
                // To need the GIL and to say nothing is the same to the interpreter.
                let claims = |status| match status {
                    Status::NotUsed => Some(true),
                    Status::Used | Status::Undeclared => Some(false),
                    Status::Unknown => None,
                };
                if claims(other.status) != claims(declaration.status) {
                    declaration = Declaration::unknown(Reason::GeneratedDiffers(file.name().to_owned()));
                }
            }
        }
    }
    Some(Candidate {
        name: dotted(project, &file.path),
        file: id,
        framework: Some(Framework::Cython),
        init: Init::MultiPhase,
        declaration,
    })
}

/// The module of a Python file that a build file lists as a source.
pub(super) fn pure(survey: &Survey<'_>, id: FileId) -> Option<Candidate> {
    let project = survey.project;
    let file = project.file(id);
    survey.is_first_source(&file.path).then(|| Candidate {
        name: dotted(project, &file.path),
        file: id,
        framework: Some(Framework::Cython),
        init: Init::MultiPhase,
        declaration: declaration(survey, id),
    })
}

/// What of a module a build compiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compiled {
    /// The Cython file.
    Source,
    /// The C that is in the project.
    Generated,
    /// That is not known.
    Either,
}

/// Which of a Cython file and the C generated from it the build files name.
pub(super) fn compiled(survey: &Survey<'_>, cython: &str, generated: &str) -> Compiled {
    match (survey.is_source(cython), survey.is_source(generated)) {
        (false, true) => Compiled::Generated,
        (true, false) => Compiled::Source,
        _ => Compiled::Either,
    }
}

pub(super) fn is_implementation(path: &str) -> bool {
    path.ends_with(".pyx") || path.ends_with(".pyx.in")
}

/// The names, without folders, of the files that a text includes.
pub(super) fn included(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix("include ")?.trim_start();
        let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let path = rest.get(1..)?.split(quote).next()?;
        Some(path.rsplit('/').next().unwrap_or(path))
    })
}

/// The file's own directive, else those of the build files in the folders around it.
fn declaration(survey: &Survey<'_>, id: FileId) -> Declaration {
    let project = survey.project;
    let file = project.file(id);
    let (mut declaration, shown) = if let Some((value, span)) = header_directive(&file.text) {
        let status = if value == "True" { Status::NotUsed } else { Status::Used };
        let what = format!("freethreading_compatible={value}");
        (Declaration::new(status, Mechanism::Slot), evidence(project, id, span, &what))
    } else if let Some(says) = build_says(project, id) {
        let what = format!("freethreading_compatible={}", says.directive.value);
        let declaration = match says.value {
            Ok(true) => Declaration::new(Status::NotUsed, Mechanism::Slot),
            Ok(false) => Declaration::new(Status::Used, Mechanism::Slot),
            Err(reason) => Declaration::unknown(Reason::Build(reason)),
        };
        (declaration, evidence(project, says.build.file, says.directive.span, &what))
    } else {
        let what = "no directive freethreading_compatible, here or in the build";
        let start = Span { start: 0, end: 0 };
        (Declaration::new(Status::Undeclared, Mechanism::None), evidence(project, id, start, what))
    };
    if let Some(reason) = &survey.overruled {
        declaration = Declaration::unknown(Reason::Build(reason.clone()));
    }
    declaration.evidence.push(shown);
    declaration
}

/// Whether the build gives the C compiler the macro that overrules the directive.
pub(super) fn macro_of_build(project: &Project) -> Option<String> {
    let is_set = builds(project).any(|build| build.macros.iter().any(|defined| *defined.name == *MACRO));
    is_set.then(|| format!("the build defines {MACRO}, and for which modules and Cythons is not known"))
}

/// `# cython: freethreading_compatible=True` in the comments at the top.
fn header_directive(text: &str) -> Option<(&str, Span)> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        let trimmed = line.trim();
        if !trimmed.is_empty() && !trimmed.starts_with('#') {
            return None;
        }
        let Some((_, directives)) = trimmed.split_once("cython:") else { continue };
        for directive in directives.split(',') {
            let Some((name, value)) = directive.split_once('=') else { continue };
            if name.trim() == "freethreading_compatible" {
                return Some((value.trim(), Span { start: at as u32, end: start as u32 }));
            }
        }
    }
    None
}
