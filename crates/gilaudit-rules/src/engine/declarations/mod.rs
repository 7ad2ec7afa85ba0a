//! The modules that a project's C, C++, Cython and Rust sources define, and what each declares about the GIL.

mod c;
mod macros;

use gilaudit_model::source::rust::{RustDeclared, RustModuleForm};
use gilaudit_model::source::{File, FileId, Language, Project, Span};
use gilaudit_model::{Framework, Version};

/// What a module's source says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    /// `Py_MOD_GIL_NOT_USED`
    NotUsed,
    /// `Py_MOD_GIL_USED`
    Used,
    Nothing,
    /// Something decides that is not in the sources, or could not be followed: [`Module::why`].
    Unknown,
}

/// A module.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) file: FileId,
    /// The name of its init function, or the macro that defines it.
    pub(crate) span: Span,
    pub(crate) declared: Declared,
    /// The condition of the preprocessor that the declaration depends on, where it could not be evaluated.
    pub(crate) condition: Option<Box<str>>,
    /// Why it is not known.
    pub(crate) why: Option<&'static str>,
    /// How it is defined, for the help.
    pub(crate) form: Form,
}

/// How a module is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// In C or C++, by hand or by a tool that writes C like it.
    C,
    /// In Rust, without a framework.
    Rust,
    /// By a framework.
    Made(Framework),
}

/// All modules of a project, and what they declare when they are built for a version.
pub(crate) fn modules(project: &Project, version: Version) -> Vec<Module> {
    let mut out = c::modules(project);
    for (index, file) in project.files.iter().enumerate() {
        if file.language == Language::Cpp {
            macros::modules(project, FileId(index as u32), file, &mut out);
        }
    }
    for file in &project.rust {
        out.extend(file.modules.iter().map(|module| Module {
            name: module.name.to_string(),
            file: file.file,
            span: module.span,
            declared: match module.declared(version).0 {
                RustDeclared::NotUsed => Declared::NotUsed,
                RustDeclared::Used => Declared::Used,
                RustDeclared::Undeclared => Declared::Nothing,
                RustDeclared::Unknown => Declared::Unknown,
            },
            condition: None,
            why: None,
            form: match module.form {
                RustModuleForm::PyO3 => Form::Made(Framework::PyO3),
                RustModuleForm::Raw => Form::Rust,
            },
        }));
    }
    out.extend(super::cython::modules(project));
    out
}

/// What a place in a file says, and what it depends on.
struct Saying {
    declared: Declared,
    /// The conditions of the preprocessor around it that could not be evaluated.
    conditions: Vec<Box<str>>,
}

impl Saying {
    fn new(file: &File, at: Span, declared: Declared) -> Self {
        let mut conditions: Vec<Box<str>> = Vec::new();
        for guard in file.guards.iter().filter(|guard| !guard.known && guard.span.contains(at)) {
            if !conditions.contains(&guard.condition) {
                conditions.push(guard.condition.clone());
            }
        }
        Self { declared, conditions }
    }
}

/// What several places say together: what all of them say, if one of them holds in every build; else it depends on a condition.
fn together(sayings: &[Saying]) -> (Declared, Option<Box<str>>) {
    let Some(first) = sayings.first() else { return (Declared::Nothing, None) };
    let agree = sayings.iter().all(|saying| saying.declared == first.declared);
    let condition = sayings.iter().find_map(|saying| saying.conditions.first());
    if agree && (sayings.iter().any(|saying| saying.conditions.is_empty()) || is_exhaustive(sayings)) {
        return (first.declared, None);
    }
    match condition {
        Some(condition) => (first.declared, Some(condition.clone())),
        None => (Declared::Unknown, None),
    }
}

/// Whether the places are in all branches of one conditional that has an `#else`.
fn is_exhaustive(sayings: &[Saying]) -> bool {
    let single = |saying: &Saying| match saying.conditions.as_slice() {
        [condition] => Some(condition.clone()),
        _ => None,
    };
    let conditions: Vec<Box<str>> = sayings.iter().filter_map(single).collect();
    conditions.iter().any(|last| {
        // `#else` is what is left when no branch before it was taken: each of those must be there.
        let parts: Vec<&str> = last.split(" && ").collect();
        let mut before: Vec<&str> = Vec::new();
        parts.iter().all(|part| {
            let negated = part.strip_prefix("!(").and_then(|inner| inner.strip_suffix(')'));
            let Some(inner) = negated else { return false };
            let branch = before.iter().copied().chain([inner]).collect::<Vec<_>>().join(" && ");
            before.push(part);
            conditions.iter().any(|other| **other == *branch)
        })
    })
}
