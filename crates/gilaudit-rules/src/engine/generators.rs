//! Modules whose C a tool writes, where the tool, as the build asks for it, writes no declaration.
//!
//! Their declaration is no line of a source: it is an option of the tool, or its version.

use gilaudit_model::Framework;
use gilaudit_model::framework::advice_in_sources;
use gilaudit_model::source::build::{BuildFile, BuildModule, Maker};
use gilaudit_model::source::{File, FileId, Project, Span};

use super::{projects, requirement};

/// A module that a tool leaves undeclared.
pub(crate) struct Undeclared {
    pub(crate) name: String,
    pub(crate) file: FileId,
    /// What would have to change: the call that runs the tool, or the requirement that holds its version back.
    pub(crate) span: Span,
    /// Why the tool does not declare.
    pub(crate) why: String,
    pub(crate) help: String,
}

/// The modules that SWIG, f2py, cffi and mypyc leave undeclared.
pub(crate) fn undeclared(project: &Project) -> Vec<Undeclared> {
    let mut out = Vec::new();
    for build in projects::reported(project) {
        for module in &build.modules {
            match module.maker {
                Maker::Cffi => out.extend(held_back(project, build, module, Framework::Cffi)),
                Maker::Mypyc => out.extend(held_back(project, build, module, Framework::Mypyc)),
                Maker::Swig { nogil: true } | Maker::F2py { free_threaded: true } => {}
                Maker::F2py { free_threaded: false } => out.push(f2py(project, build, module)),
                _ if interface(module).is_some() => out.extend(swig(project, build, module)),
                _ => {}
            }
        }
    }
    out
}

fn help(tool: Framework) -> String {
    format!("after an audit: {}", advice_in_sources(tool))
}

/// Whether a file is C that cffi wrote: its init function hands the module to the `_cffi_backend` that is installed, which decides.
pub(crate) fn is_cffi(file: &File) -> bool {
    ["_cffi_init(", "_cffi_type_context"].iter().all(|word| file.text.contains(word))
}

/// A module of a tool that a requirement of the build keeps below the first version that declares.
fn held_back(project: &Project, build: &BuildFile, module: &BuildModule, tool: Framework) -> Option<Undeclared> {
    let since = tool.declares_since()?;
    let (at, text, span) = projects::reported(project).find_map(|other| {
        let (text, span) = other.requires.iter().find(|(text, _)| {
            requirement::of_tool(text, since.distribution).is_some_and(|it| requirement::keeps_below(it, since.first))
        })?;
        Some((other, text, *span))
    })?;
    let [major, minor] = since.first;
    Some(Undeclared {
        name: name_of(project, build, module),
        file: at.file,
        span: projects::place(project, at, text, span),
        why: format!("'{text}' asks for a {tool} before {major}.{minor}, the first that declares"),
        help: help(tool),
    })
}

/// A module that SWIG writes: it declares with `-nogil`, or where the interface does so itself.
fn swig(project: &Project, build: &BuildFile, module: &BuildModule) -> Option<Undeclared> {
    let by_option = project.file(build.file).text.contains("-nogil");
    let by_hand =
        project.files.iter().any(|file| is_interface(&file.path) && file.text.contains("Py_MOD_GIL_NOT_USED"));
    if by_option || by_hand {
        return None;
    }
    Some(Undeclared {
        name: name_of(project, build, module),
        file: build.file,
        span: projects::place(project, build, &module.name, module.span),
        why: "SWIG declares only with its option '-nogil'".to_owned(),
        help: help(Framework::Swig),
    })
}

/// A module that f2py writes: without the option it declares to need the GIL (numpy/f2py/f2py2e.py of NumPy 2.1 to 2.5).
fn f2py(project: &Project, build: &BuildFile, module: &BuildModule) -> Undeclared {
    Undeclared {
        name: name_of(project, build, module),
        file: build.file,
        span: module.span,
        why: "f2py declares only with its option '--freethreading-compatible'".to_owned(),
        help: format!("after an audit of the Fortran: {}", advice_in_sources(Framework::F2py)),
    }
}

/// The SWIG interface among a module's sources.
fn interface(module: &BuildModule) -> Option<&str> {
    module.sources.iter().map(|source| &**source).find(|source| is_interface(source))
}

fn is_interface(path: &str) -> bool {
    path.ends_with(".i") || path.ends_with(".i.in")
}

/// What a module is called, or what it is made of.
fn name_of(project: &Project, build: &BuildFile, module: &BuildModule) -> String {
    let source = module.sources.first().map_or(project.file(build.file).path.as_str(), |source| source);
    if module.name.is_empty() { source.to_owned() } else { module.name.to_string() }
}
