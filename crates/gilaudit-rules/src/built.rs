//! The modules that a project's sources and build files make, and what each will declare.
//!
//! Sources define modules, build files name them and say what they are made of; the two are matched by source path, then by name.
//! "Not used" is only said where something says so for certain: what depends on the build, or is computed, is unknown with its reason.

use std::collections::{BTreeMap, HashSet};

use gilaudit_model::source::build::{BuildFile, BuildModule, Maker};
use gilaudit_model::source::rust::{RustDeclared, RustModuleForm};
use gilaudit_model::source::{FileId, Language, Project, Span};
use gilaudit_model::{Declaration, Evidence, Framework, Init, Mechanism, Origin, Status, Target, Version};

use crate::engine::analysis::is_test_path;
use crate::engine::cython::build_says;
use crate::engine::declarations::{self, Declared};

/// A module that would be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceModule {
    /// Its dotted name, as far as sources and build files show it.
    pub name: String,
    /// The file that defines it.
    pub origin: Origin,
    /// How it initialises.
    pub init: Init,
    /// The framework that makes it.
    pub framework: Option<Framework>,
    /// What it declares.
    pub declaration: Declaration,
}

/// A module as its sources define it.
struct Candidate {
    /// Its own name, or the dotted one if the sources say it.
    name: String,
    file: FileId,
    framework: Option<&'static str>,
    init: Init,
    declaration: Declaration,
}

/// The modules that a project makes, sorted by name.
pub fn modules(project: &Project, target: &Target) -> Vec<SourceModule> {
    let listed: Vec<(&BuildFile, &BuildModule)> =
        builds(project).flat_map(|build| build.modules.iter().map(move |module| (build, module))).collect();
    let complete = !listed.is_empty() && !builds(project).any(|build| build.computed);
    let mut used = HashSet::new();
    let mut made: BTreeMap<String, SourceModule> = BTreeMap::new();
    for candidate in candidates(project, target.version) {
        let file = project.file(candidate.file);
        let found = listed.iter().position(|(_, module)| is_made_of(module, &file.path)).or_else(|| {
            let mut same =
                listed.iter().enumerate().filter(|(_, (_, module))| last(&module.name) == last(&candidate.name));
            let first = same.next();
            first.filter(|_| same.next().is_none()).map(|(index, _)| index)
        });
        if found.is_none() && (complete || is_test_path(&file.path) || !file.report) {
            continue;
        }
        used.extend(found);
        let module = found.and_then(|index| listed.get(index));
        let name = name_of(project, &candidate, module.copied());
        let declaration = match (candidate.framework, module.map(|(_, module)| module.maker)) {
            (Some("nanobind"), Some(Maker::Nanobind { free_threaded: true })) => {
                seen(Status::NotUsed, "nanobind_add_module(... FREE_THREADED ...)", project, module.copied())
            }
            (Some("nanobind"), Some(Maker::Nanobind { free_threaded: false })) => {
                seen(Status::Undeclared, "nanobind_add_module without FREE_THREADED", project, module.copied())
            }
            (Some("nanobind"), _) => Declaration::unknown(
                "whether nanobind declares is decided by FREE_THREADED in the build, which was not found",
            ),
            _ => candidate.declaration,
        };
        let framework = candidate.framework.map(|name| Framework { name, version: None });
        let row = SourceModule {
            name: name.clone(),
            origin: file.origin.clone(),
            init: candidate.init,
            framework,
            declaration,
        };
        // The same module defined several times: for several versions of Python, or on several platforms.
        made.entry(name)
            .and_modify(|known| {
                if known.declaration.status != row.declaration.status {
                    known.declaration = Declaration::unknown(format!(
                        "it is defined several times, and the definitions differ: {} and {}",
                        known.origin.file_path(),
                        row.origin.file_path()
                    ));
                }
            })
            .or_insert(row);
    }
    for (index, (build, module)) in listed.iter().enumerate() {
        if used.contains(&index) || is_test_path(&project.file(build.file).path) {
            continue;
        }
        if let Some(row) = without_source(project, build, module, target) {
            made.entry(row.name.clone()).or_insert(row);
        }
    }
    made.into_values().collect()
}

/// The build files that count: those of tests and examples build nothing that is installed.
fn builds(project: &Project) -> impl Iterator<Item = &BuildFile> {
    project.builds.iter().filter(|build| !is_test_path(&project.file(build.file).path))
}

/// Whether a source of a module is this file, or what is generated from it.
fn is_made_of(module: &BuildModule, path: &str) -> bool {
    module.sources.iter().any(|source| **source == *path || stem(source) == stem(path))
}

/// A path without what its language is called: `a/b.pyx.in` and `a/b.c` are both `a/b`.
fn stem(path: &str) -> &str {
    let plain = path.strip_suffix(".in").or_else(|| path.strip_suffix(".src")).unwrap_or(path);
    plain.rsplit_once('.').map_or(plain, |(stem, _)| stem)
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// A module that a build file makes of something that gilaudit reads no module from.
fn without_source(project: &Project, build: &BuildFile, module: &BuildModule, target: &Target) -> Option<SourceModule> {
    let (framework, declaration) = match module.maker {
        Maker::Cffi => (Some("cffi"), cffi(project, build, module, target)),
        Maker::Mypyc => (Some("mypyc"), mypyc(project, build, module)),
        _ => (
            match module.maker {
                Maker::Pybind11 => Some("pybind11"),
                Maker::Nanobind { .. } => Some("nanobind"),
                Maker::Cargo => Some("pyo3"),
                _ => None,
            },
            Declaration::unknown("its sources define no module that gilaudit can see"),
        ),
    };
    let name = match (&*module.name, module.sources.first()) {
        ("", Some(source)) => dotted(project, source),
        ("", None) => return None,
        (name, _) => name.to_owned(),
    };
    Some(SourceModule {
        name,
        origin: project.file(build.file).origin.clone(),
        init: Init::Unknown,
        framework: framework.map(|name| Framework { name, version: None }),
        declaration,
    })
}

/// A module that cffi writes hands its initialisation to the `_cffi_backend` that is installed.
fn cffi(project: &Project, build: &BuildFile, module: &BuildModule, target: &Target) -> Declaration {
    let supported = target.free_threaded && target.version >= Version::V3_14;
    if !supported || older_than(project, "cffi", 2, 0) {
        return Declaration {
            delegated_to: Some("_cffi_backend".to_owned()),
            ..Declaration::unknown("the installed _cffi_backend decides, and which one that is is not known")
        };
    }
    Declaration {
        mechanism: Mechanism::SetGil,
        delegated_to: Some("_cffi_backend".to_owned()),
        declared_by_tool: Some("cffi".to_owned()),
        reason: Some("every cffi that this Python can use declares for the modules it makes".to_owned()),
        ..seen(Status::NotUsed, "set_source of cffi", project, Some((build, module)))
    }
}

/// mypyc declares since 1.17, whatever is compiled.
fn mypyc(project: &Project, build: &BuildFile, module: &BuildModule) -> Declaration {
    if older_than(project, "mypy", 1, 17) {
        return Declaration::unknown("the build asks for a mypyc that may be older than 1.17, the first that declares");
    }
    Declaration {
        declared_by_tool: Some("mypyc".to_owned()),
        mechanism: Mechanism::Slot,
        ..seen(Status::NotUsed, "mypycify, which declares since mypyc 1.17", project, Some((build, module)))
    }
}

/// Whether a requirement of the build keeps a tool below a version. What is not kept below is built with the newest one.
fn older_than(project: &Project, tool: &str, major: u32, minor: u32) -> bool {
    let requires = project.builds.iter().flat_map(|build| &build.requires);
    requires.into_iter().any(|(text, _)| {
        let Some(rest) = text.strip_prefix(tool) else { return false };
        let specifiers = rest.trim_start_matches(|letter: char| letter != ',' && !"<>=~! ;".contains(letter));
        if specifiers.len() == rest.len() || rest.starts_with('[') || rest.starts_with(|l: char| "<>=~! ".contains(l)) {
            return specifiers.split(';').next().unwrap_or_default().split(',').any(|part| {
                let part = part.trim();
                let upper = ["<=", "<", "===", "==", "~="].iter().find_map(|operator| part.strip_prefix(operator));
                let Some(version) = upper else { return false };
                let mut numbers = version.trim().split('.').map(|number| number.parse::<u32>().unwrap_or(0));
                let bound = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
                bound <= (major, minor)
            });
        }
        false
    })
}

fn seen(status: Status, what: &str, project: &Project, at: Option<(&BuildFile, &BuildModule)>) -> Declaration {
    let mechanism = if status == Status::NotUsed { Mechanism::Slot } else { Mechanism::None };
    let mut declaration = Declaration::new(status, mechanism);
    if let Some((build, module)) = at {
        declaration.evidence.push(evidence(project, build.file, module.span, what));
    }
    declaration
}

fn evidence(project: &Project, file: FileId, span: Span, what: &str) -> Evidence {
    let file = project.file(file);
    Evidence { what: what.to_owned(), at: format!("{}:{}", file.path, file.lines.line(span.start)) }
}

/// The dotted name: what the build file says, with the folder that CMake installs to; else the package that the file is in.
fn name_of(project: &Project, candidate: &Candidate, module: Option<(&BuildFile, &BuildModule)>) -> String {
    if let Some((_, module)) = module
        && !module.name.is_empty()
    {
        if module.name.contains('.') {
            return module.name.to_string();
        }
        let mut installs = builds(project).flat_map(|build| &build.installs);
        let folder = installs.find(|(target, _)| *target == module.name).map(|(_, folder)| folder.as_ref());
        let parts = folder
            .unwrap_or_default()
            .split('/')
            .filter(|part| !part.is_empty() && *part != "." && !part.contains('$'));
        let mut parts: Vec<&str> = parts.collect();
        parts.push(&module.name);
        return parts.join(".");
    }
    let file = project.file(candidate.file);
    if candidate.name.contains('.') {
        return candidate.name.clone();
    }
    if file.language == Language::Rust {
        return candidate.name.clone();
    }
    let package = package_of(project, &file.path);
    if package.is_empty() { candidate.name.clone() } else { format!("{package}.{}", candidate.name) }
}

/// The dotted name of a module that is named by its source file.
fn dotted(project: &Project, path: &str) -> String {
    let name = stem(path).rsplit('/').next().unwrap_or_default();
    match (package_of(project, path).as_str(), name) {
        ("", name) => name.to_owned(),
        (package, "__init__") => package.to_owned(),
        (package, name) => format!("{package}.{name}"),
    }
}

/// The package that a file is in: its folders, from the outermost one that has an `__init__`.
fn package_of(project: &Project, path: &str) -> String {
    let mut parts = Vec::new();
    let mut folder = path.rsplit_once('/').map(|(folder, _)| folder);
    while let Some(current) = folder {
        let is_package = ["__init__.py", "__init__.pyx", "__init__.pxd"].iter().any(|init| {
            let init = format!("{current}/{init}");
            project.files.binary_search_by(|file| file.path.as_str().cmp(&init)).is_ok()
        });
        if !is_package {
            break;
        }
        let (outer, name) = current.rsplit_once('/').map_or((None, current), |(outer, name)| (Some(outer), name));
        parts.push(name);
        folder = outer;
    }
    parts.reverse();
    parts.join(".")
}

fn candidates(project: &Project, version: Version) -> Vec<Candidate> {
    let mut out = Vec::new();
    for module in declarations::modules(project, version) {
        out.extend(c(project, module));
    }
    out.extend(rust(project, version));
    for (index, file) in project.files.iter().enumerate() {
        let id = FileId(index as u32);
        if file.language == Language::Cython
            && stem(&file.path).len() < file.path.len()
            && is_implementation(&file.path)
        {
            out.extend(cython(project, id));
        } else if file.cython.is_some() {
            out.extend(generated(project, id));
        }
    }
    out
}

/// C and C++.
fn c(project: &Project, module: declarations::Module) -> Option<Candidate> {
    let framework = match module.framework {
        "pybind11" => Some("pybind11"),
        "nanobind" => Some("nanobind"),
        "c" => None,
        // Cython and Rust say more than is asked here.
        _ => return None,
    };
    let file = project.file(module.file);
    let at = |what: &str| evidence(project, module.file, module.span, what);
    let mut declaration = match (module.declared, &module.condition) {
        (_, Some(condition)) => Declaration::unknown(format!("it depends on '{condition}'")),
        (Declared::NotUsed, None) => Declaration::new(Status::NotUsed, Mechanism::Slot),
        (Declared::Used, None) if file.text.contains("Py_MOD_GIL_USED") => {
            Declaration::new(Status::Used, Mechanism::Slot)
        }
        (Declared::Used | Declared::Unknown, None) => Declaration::unknown("it declares a value that is computed"),
        (Declared::Nothing, None) if framework.is_none() && declares_elsewhere(project, module.file) => {
            Declaration::unknown("another file declares, and whether for this module is not known")
        }
        (Declared::Nothing, None) => Declaration::new(Status::Undeclared, Mechanism::None),
    };
    declaration.evidence.push(at(match (framework, module.declared) {
        (Some("pybind11"), Declared::NotUsed) => "PYBIND11_MODULE(..., py::mod_gil_not_used())",
        (Some("pybind11"), _) => "PYBIND11_MODULE without py::mod_gil_not_used()",
        (Some(_), _) => "NB_MODULE",
        (None, Declared::NotUsed) => "Py_MOD_GIL_NOT_USED",
        (None, Declared::Used | Declared::Unknown) => "Py_mod_gil",
        (None, Declared::Nothing) => "neither Py_mod_gil nor PyUnstable_Module_SetGIL in its file",
    }));
    let init = match framework {
        Some(_) => Init::Unknown,
        None if file.text.contains("PyModExport_") => Init::ModuleExport,
        None if file.text.contains("PyModuleDef_Init") => Init::MultiPhase,
        None if file.text.contains("PyModule_Create") => Init::SinglePhase,
        None => Init::Unknown,
    };
    Some(Candidate { name: module.name, file: module.file, framework, init, declaration })
}

/// Whether C code without an init function of its own declares: that of a module in several files.
fn declares_elsewhere(project: &Project, own: FileId) -> bool {
    project.files.iter().enumerate().any(|(index, file)| {
        FileId(index as u32) != own
            && matches!(file.language, Language::C | Language::Cpp)
            && file.cython.is_none()
            && ["Py_mod_gil", "PyUnstable_Module_SetGIL"].iter().any(|word| file.text.contains(word))
            && !file.text.contains("PyInit_")
    })
}

/// Rust: its reader knows what the framework's version makes of what is written.
fn rust(project: &Project, version: Version) -> impl Iterator<Item = Candidate> + '_ {
    let is_wrapped = |name: &str| project.rust.iter().any(|file| file.wrapped_modules.iter().any(|it| **it == *name));
    let modules = project.rust.iter().flat_map(|file| file.modules.iter().map(move |module| (file.file, module)));
    modules.filter(move |(_, module)| !is_wrapped(&module.name)).map(move |(file, module)| {
        let (declared, reason) = module.declared(version);
        let mut declaration = match declared {
            RustDeclared::NotUsed => Declaration::new(Status::NotUsed, Mechanism::Slot),
            RustDeclared::Used => Declaration::new(Status::Used, Mechanism::Slot),
            RustDeclared::Undeclared => Declaration::new(Status::Undeclared, Mechanism::None),
            RustDeclared::Unknown => Declaration::unknown(reason),
        };
        let is_pyo3 = module.form == RustModuleForm::PyO3;
        if is_pyo3 && module.gil_used.is_none() && declared == RustDeclared::NotUsed {
            declaration.declared_by_tool = Some("pyo3".to_owned());
        }
        declaration.evidence.push(evidence(project, file, module.span, reason));
        Candidate {
            name: module.name.to_string(),
            file,
            framework: is_pyo3.then_some("pyo3"),
            init: Init::Unknown,
            declaration,
        }
    })
}

fn is_implementation(path: &str) -> bool {
    path.ends_with(".pyx") || path.ends_with(".pyx.in")
}

/// A `.pyx` file: its own directive, else those of the build files in the folders around it.
fn cython(project: &Project, id: FileId) -> Option<Candidate> {
    let file = project.file(id);
    let name = stem(&file.path).rsplit('/').next().unwrap_or_default();
    // A file that others include is no module.
    let included = project.files.iter().any(|other| {
        other.language == Language::Cython
            && other.path != file.path
            && other.text.lines().any(|line| line.trim_start().starts_with("include ") && line.contains(file.name()))
    });
    if included {
        return None;
    }
    let candidate = |declaration| {
        let name = dotted(project, &file.path);
        Some(Candidate { name, file: id, framework: Some("cython"), init: Init::MultiPhase, declaration })
    };
    if name.is_empty() {
        return None;
    }
    if let Some((value, span)) = header_directive(&file.text) {
        let status = if value == "True" { Status::NotUsed } else { Status::Used };
        let mut declaration = Declaration::new(status, Mechanism::Slot);
        declaration.evidence.push(evidence(project, id, span, &format!("freethreading_compatible={value}")));
        return candidate(declaration);
    }
    let Some(says) = build_says(project, id) else {
        let mut declaration = Declaration::new(Status::Undeclared, Mechanism::None);
        let what = "no directive freethreading_compatible, here or in the build";
        declaration.evidence.push(evidence(project, id, Span { start: 0, end: 0 }, what));
        return candidate(declaration);
    };
    let what = format!("freethreading_compatible={}", says.directive.value);
    let shown = evidence(project, says.build.file, says.directive.span, &what);
    let mut declaration = match says.value {
        Ok(true) => Declaration::new(Status::NotUsed, Mechanism::Slot),
        Ok(false) => Declaration::new(Status::Used, Mechanism::Slot),
        Err(reason) => Declaration::unknown(reason),
    };
    declaration.evidence.push(shown);
    candidate(declaration)
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

/// C that Cython generated, where the file it was generated from is not there.
fn generated(project: &Project, id: FileId) -> Option<Candidate> {
    let file = project.file(id);
    let has_source =
        project.files.iter().any(|other| other.language == Language::Cython && stem(&other.path) == stem(&file.path));
    if has_source {
        return None;
    }
    let slot = |value: &str| file.text.find(&format!("{{Py_mod_gil, {value}}}"));
    let (status, at) = match (slot("Py_MOD_GIL_NOT_USED"), slot("Py_MOD_GIL_USED")) {
        (Some(at), None) => (Status::NotUsed, at),
        (None, Some(at)) => (Status::Used, at),
        (None, None) if !file.text.contains("Py_mod_gil") => (Status::Undeclared, 0),
        _ => (Status::Unknown, 0),
    };
    let mut declaration = match status {
        Status::Unknown => Declaration::unknown("the generated file declares in a way that is not known"),
        status => Declaration::new(status, if at > 0 { Mechanism::Slot } else { Mechanism::None }),
    };
    let span = Span { start: at as u32, end: at as u32 };
    declaration.evidence.push(evidence(project, id, span, "C that Cython generated"));
    let name = stem(&file.path).rsplit('/').next().unwrap_or_default().to_owned();
    Some(Candidate { name, file: id, framework: Some("cython"), init: Init::MultiPhase, declaration })
}
