//! The modules that a project's C, C++, Cython and Rust sources define, and what each declares about the GIL.

use gilaudit_model::Version;
use gilaudit_model::source::rust::{RustDeclared, RustModuleForm};
use gilaudit_model::source::{ExprId, ExprKind, File, FileId, FunctionId, Language, Project, Span};

use super::values::{callee, strip};

/// What a module's source says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    /// `Py_MOD_GIL_NOT_USED`
    NotUsed,
    /// `Py_MOD_GIL_USED`, or a value that could not be followed.
    Used,
    Nothing,
    /// Something decides that is not in the sources.
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
    /// What would declare it, for the help.
    pub(crate) framework: &'static str,
}

/// All modules of a project, and what they declare when they are built for a version.
pub(crate) fn modules(project: &Project, version: Version) -> Vec<Module> {
    let mut out: Vec<Module> = Vec::new();
    for id in project.function_ids() {
        let function = project.function(id);
        let name = project.text(function.name);
        let Some(module) = ["PyInit_", "PyModExport_"].iter().find_map(|prefix| name.strip_prefix(prefix)) else {
            continue;
        };
        let file = project.file(function.file);
        if out.iter().any(|known| known.name == module && known.file == function.file) || file.cython.is_some() {
            continue;
        }
        let (declared, at) = declaration_of(project, id);
        let condition = at.and_then(|at| open_condition(file, at));
        out.push(Module {
            name: module.to_owned(),
            file: function.file,
            span: function.name_span,
            declared,
            condition,
            framework: "c",
        });
    }
    for (index, file) in project.files.iter().enumerate() {
        if file.language == Language::Cpp {
            macros(project, FileId(index as u32), file, &mut out);
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
            framework: match module.form {
                RustModuleForm::PyO3 => "pyo3",
                RustModuleForm::Raw => "rust",
            },
        }));
    }
    out.extend(super::cython::modules(project));
    out
}

/// The condition around a place that could not be evaluated.
fn open_condition(file: &File, at: Span) -> Option<Box<str>> {
    file.guards.iter().find(|guard| !guard.known && guard.span.contains(at)).map(|guard| guard.condition.clone())
}

/// What the code of an init function, the functions it calls and the tables of its file say.
fn declaration_of(project: &Project, init: FunctionId) -> (Declared, Option<Span>) {
    let file = project.function(init).file;
    // Slots: `{Py_mod_gil, Py_MOD_GIL_NOT_USED}` in a table of the file.
    let body = &project.file(file).body;
    for expr in &body.exprs {
        let ExprKind::List(list) = expr.kind else { continue };
        let [id, value, ..] = body.list(list) else { continue };
        let text = |id: ExprId| match body.kind(strip(body, id)) {
            ExprKind::Name(name) => project.text(name),
            _ => "",
        };
        if text(*id) == "Py_mod_gil" {
            let declared = if text(*value) == "Py_MOD_GIL_NOT_USED" { Declared::NotUsed } else { Declared::Used };
            return (declared, Some(expr.span));
        }
    }
    // `PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED)` in any function of the file: init functions delegate.
    for function in project.functions.iter().filter(|function| function.file == file) {
        let body = &function.body;
        for (index, expr) in body.exprs.iter().enumerate() {
            let ExprKind::Call { args, .. } = expr.kind else { continue };
            if callee(body, ExprId(index as u32)).is_some_and(|name| project.text(name) == "PyUnstable_Module_SetGIL") {
                let value = body.list(args).get(1).map(|value| body.kind(strip(body, *value)));
                let not_used =
                    matches!(value, Some(ExprKind::Name(name)) if project.text(name) == "Py_MOD_GIL_NOT_USED");
                return (if not_used { Declared::NotUsed } else { Declared::Used }, Some(expr.span));
            }
        }
    }
    (Declared::Nothing, None)
}

/// `PYBIND11_MODULE(name, m, …)` and `NB_MODULE(name, m)`.
fn macros(project: &Project, id: FileId, file: &File, out: &mut Vec<Module>) {
    for (word, framework) in [("PYBIND11_MODULE(", "pybind11"), ("NB_MODULE(", "nanobind")] {
        let mut from = 0;
        while let Some(found) = file.text.get(from..).and_then(|rest| rest.find(word)) {
            let at = from + found;
            from = at + word.len();
            let span = Span { start: at as u32, end: (at + word.len() - 1) as u32 };
            let line_start = file.text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
            let defines = file.text.get(line_start..at).is_some_and(|before| !before.trim().is_empty());
            if defines || file.comments.iter().any(|comment| comment.contains(span)) {
                continue;
            }
            let arguments = file.text.get(from..).and_then(|rest| rest.split('{').next()).unwrap_or_default();
            let name = arguments.split(',').next().unwrap_or_default().trim().to_owned();
            let declared = if arguments.contains("mod_gil_not_used()")
                || framework == "nanobind" && builds_free_threaded(project)
            {
                Declared::NotUsed
            } else {
                Declared::Nothing
            };
            out.push(Module { name, file: id, span, declared, condition: None, framework });
        }
    }
}

/// Whether a CMake file of the project builds nanobind modules with `FREE_THREADED`.
fn builds_free_threaded(project: &Project) -> bool {
    project.files.iter().any(|file| file.path.ends_with("CMakeLists.txt") && file.text.contains("FREE_THREADED"))
}
