//! Modules that C, C++ and Rust define.

use std::collections::HashSet;

use gilaudit_model::source::build::Maker;
use gilaudit_model::source::rust::{RustDeclared, RustModuleForm};
use gilaudit_model::source::{Language, Project};
use gilaudit_model::{Declaration, Framework, Init, Mechanism, Reason, Status, Version};

use super::names::{self, last};
use super::survey::Survey;
use super::{Candidate, Listed, evidence};
use crate::engine::declarations::{Declared, Form, Module};

/// All of a project.
pub(super) fn candidates(survey: &Survey<'_>, defined: &[Module], version: Version) -> Vec<Candidate> {
    let mut out: Vec<Candidate> = defined.iter().filter_map(|module| c(survey, module)).collect();
    out.extend(rust(survey.project, version));
    out
}

/// C and C++.
fn c(survey: &Survey<'_>, module: &Module) -> Option<Candidate> {
    let project = survey.project;
    let framework = match module.form {
        Form::C => super::generated::framework(&project.file(module.file).text),
        // Cython and Rust say more than is asked here.
        Form::Rust | Form::Made(Framework::Cython | Framework::PyO3) => return None,
        Form::Made(framework) => Some(framework),
    };
    let file = project.file(module.file);
    if super::generated::generator(&file.text).is_some() {
        return None;
    }
    let mut declaration = match (module.declared, &module.condition) {
        (_, Some(condition)) => Declaration::unknown(Reason::Condition(condition.to_string())),
        (Declared::NotUsed, None) => Declaration::new(Status::NotUsed, Mechanism::Slot),
        (Declared::Used, None) => Declaration::new(Status::Used, Mechanism::Slot),
        (Declared::Unknown, None) => {
            let why = module.why.unwrap_or("what it declares depends on the build");
            Declaration::unknown(Reason::Build(why.to_owned()))
        }
        (Declared::Nothing, None) if framework.is_none() && survey.declares_elsewhere(module.file) => {
            Declaration::unknown(Reason::DeclaredByAnotherFile)
        }
        (Declared::Nothing, None) => Declaration::new(Status::Undeclared, Mechanism::None),
    };
    let what = match (framework, module.declared) {
        (Some(Framework::Pybind11), Declared::NotUsed) => "PYBIND11_MODULE(..., py::mod_gil_not_used())",
        (Some(Framework::Pybind11), _) => "PYBIND11_MODULE without py::mod_gil_not_used()",
        (Some(Framework::Nanobind), Declared::NotUsed) => "NB_MODULE, and FREE_THREADED in the build",
        (Some(Framework::Nanobind), Declared::Nothing) => "NB_MODULE, without FREE_THREADED in the build",
        (Some(Framework::Nanobind), _) => "NB_MODULE",
        (Some(Framework::BoostPython), _) => "BOOST_PYTHON_MODULE",
        (_, Declared::NotUsed) => "Py_MOD_GIL_NOT_USED",
        (_, Declared::Used | Declared::Unknown) => "Py_mod_gil",
        (_, Declared::Nothing) => "its init function leads to neither Py_mod_gil nor PyUnstable_Module_SetGIL",
    };
    declaration.evidence.push(evidence(project, module.file, module.span, what));
    let init = match framework {
        Some(framework) if framework.module_macro().is_some() => Init::Unknown,
        _ if file.text.contains("PyModExport_") => Init::ModuleExport,
        _ if file.text.contains("PyModuleDef_Init") => Init::MultiPhase,
        _ if file.text.contains("PyModule_Create") => Init::SinglePhase,
        _ => Init::Unknown,
    };
    Some(Candidate { name: module.name.clone(), file: module.file, framework, init, declaration })
}

/// Rust: its reader knows what the framework's version makes of what is written.
fn rust(project: &Project, version: Version) -> impl Iterator<Item = Candidate> + '_ {
    let wrapped: HashSet<&str> =
        project.rust.iter().flat_map(|file| &file.wrapped_modules).map(|name| &**name).collect();
    let modules = project.rust.iter().flat_map(|file| file.modules.iter().map(move |module| (file.file, module)));
    modules.filter(move |(_, module)| !wrapped.contains(&*module.name)).map(move |(file, module)| {
        let (declared, reason) = module.declared(version);
        let mut declaration = match declared {
            RustDeclared::NotUsed => Declaration::new(Status::NotUsed, Mechanism::Slot),
            RustDeclared::Used => Declaration::new(Status::Used, Mechanism::Slot),
            RustDeclared::Undeclared => Declaration::new(Status::Undeclared, Mechanism::None),
            RustDeclared::Unknown => Declaration::unknown(Reason::Sources(reason.to_owned())),
        };
        let is_pyo3 = module.form == RustModuleForm::PyO3;
        if is_pyo3 && module.gil_used.is_none() && declared == RustDeclared::NotUsed {
            declaration.declared_by_tool = Some(Framework::PyO3);
        }
        declaration.evidence.push(evidence(project, file, module.span, reason));
        Candidate {
            name: module.name.to_string(),
            file,
            framework: is_pyo3.then_some(Framework::PyO3),
            init: Init::Unknown,
            declaration,
        }
    })
}

/// The entries of the build files that make a Rust module: a library has one init function that is found, the one of its name. Other
/// modules of its package are added to that one.
pub(super) fn crates_of(survey: &Survey<'_>, candidate: &Candidate) -> Vec<usize> {
    let path = &survey.project.file(candidate.file).path;
    let makes = |it: &Listed<'_>| {
        let of_crate =
            it.module.sources.is_empty() || it.module.sources.iter().any(|manifest| survey.is_in_crate(manifest, path));
        let name = names::installed(survey, *it);
        it.module.maker == Maker::Cargo && of_crate && name.is_some_and(|name| last(&name) == last(&candidate.name))
    };
    survey.listed.iter().enumerate().filter(|(_, it)| makes(it)).map(|(index, _)| index).collect()
}

/// Whether a Rust module that no build file names belongs to a package of which a build file names a module.
pub(super) fn is_part_of_another(survey: &Survey<'_>, candidate: &Candidate) -> bool {
    let file = survey.project.file(candidate.file);
    let in_crate = |it: &Listed<'_>| {
        it.module.maker == Maker::Cargo
            && it.module.sources.iter().any(|manifest| survey.is_in_crate(manifest, &file.path))
    };
    file.language == Language::Rust && survey.listed.iter().any(in_crate)
}
