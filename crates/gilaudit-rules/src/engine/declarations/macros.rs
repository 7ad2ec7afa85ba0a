//! Modules that C++ frameworks define with a macro: `PYBIND11_MODULE(name, m, …)`, `NB_MODULE(name, m)`, `BOOST_PYTHON_MODULE(name)`.

use gilaudit_model::Framework;
use gilaudit_model::source::build::{BuildModule, Maker};
use gilaudit_model::source::{File, FileId, Project, Span};

use super::{Declared, Form, Module, Saying, together};

/// One use of a macro.
struct Use {
    name: String,
    span: Span,
    saying: Saying,
    why: Option<&'static str>,
    framework: Framework,
}

/// The modules of a file. Uses of one name in several branches of a conditional are one module.
pub(super) fn modules(project: &Project, id: FileId, file: &File, out: &mut Vec<Module>) {
    let mut uses: Vec<Use> = Vec::new();
    for framework in [Framework::Pybind11, Framework::Nanobind, Framework::BoostPython] {
        let Some(word) = framework.module_macro() else { continue };
        uses.extend(file.text.match_indices(word).filter_map(|(at, _)| one(project, file, at, word, framework)));
    }
    let mut names: Vec<String> = Vec::new();
    for it in &uses {
        if names.contains(&it.name) {
            continue;
        }
        names.push(it.name.clone());
        let same = uses.iter().filter(|other| other.name == it.name);
        let sayings: Vec<Saying> = same
            .map(|other| Saying { declared: other.saying.declared, conditions: other.saying.conditions.clone() })
            .collect();
        let (declared, mut condition) = together(&sayings);
        // What all branches leave unsaid depends on none of them.
        if sayings.iter().all(|saying| matches!(saying.declared, Declared::Nothing)) {
            condition = None;
        }
        out.push(Module {
            name: it.name.clone(),
            file: id,
            span: it.span,
            declared,
            condition,
            why: it.why,
            form: Form::Made(it.framework),
        });
    }
}

fn one(project: &Project, file: &File, at: usize, word: &str, framework: Framework) -> Option<Use> {
    let after = file.text.get(at.checked_add(word.len())?..)?;
    let arguments = after.trim_start_matches([' ', '\t']).strip_prefix('(')?;
    let span = Span { start: at as u32, end: at.checked_add(word.len())? as u32 };
    let before = file.text.get(..at)?;
    let line = before.rsplit('\n').next().unwrap_or_default();
    let is_covered = |spans: &[Span]| spans.iter().any(|other| other.contains(span));
    if !line.trim().is_empty() || is_covered(&file.comments) || is_covered(&file.left_out) {
        return None;
    }
    // Up to the body, or to the next directive.
    let arguments = arguments.split(['{', '#', ';']).next().unwrap_or_default();
    let name = arguments.split([',', ')']).next().unwrap_or_default().trim().to_owned();
    let (declared, why) = match framework {
        Framework::Nanobind => nanobind(project, &file.path, &name),
        _ if arguments.contains("mod_gil_not_used()") => (Declared::NotUsed, None),
        _ if arguments.contains("mod_gil_used()") => (Declared::Used, None),
        // Its modules are single-phase: a call in the body counts.
        Framework::BoostPython if file.text.contains("PyUnstable_Module_SetGIL") => (
            Declared::Unknown,
            Some("whether the module calls PyUnstable_Module_SetGIL was not followed for Boost.Python"),
        ),
        // A tag that is computed: `mod_gil_not_used(FLAG)`.
        _ if arguments.contains("mod_gil_not_used") => {
            (Declared::Unknown, Some("it declares a value that is computed"))
        }
        _ => (Declared::Nothing, None),
    };
    Some(Use { name, span, saying: Saying::new(file, span, declared), why, framework })
}

/// nanobind is told by the build: by the call that has the file among its sources, else by the one that makes a module of this name,
/// else by all of them, if they agree.
fn nanobind(project: &Project, path: &str, name: &str) -> (Declared, Option<&'static str>) {
    let all: Vec<(&BuildModule, Option<bool>)> = project
        .builds
        .iter()
        .flat_map(|build| &build.modules)
        .filter_map(|module| match module.maker {
            Maker::Nanobind { free_threaded } => Some((module, free_threaded)),
            _ => None,
        })
        .collect();
    let named = |module: &BuildModule| module.name.rsplit('.').next() == Some(name);
    let by_source: Vec<Option<bool>> = all
        .iter()
        .filter(|(module, _)| module.sources.iter().any(|source| **source == *path))
        .map(|(_, free_threaded)| *free_threaded)
        .collect();
    let by_name: Vec<Option<bool>> =
        all.iter().filter(|(module, _)| named(module)).map(|(_, free_threaded)| *free_threaded).collect();
    let every: Vec<Option<bool>> = all.iter().map(|(_, free_threaded)| *free_threaded).collect();
    let calls = [by_source, by_name, every].into_iter().find(|calls| !calls.is_empty()).unwrap_or_default();
    match calls.as_slice() {
        [] => (
            Declared::Unknown,
            Some("FREE_THREADED in the build decides for nanobind, and no nanobind_add_module was found"),
        ),
        [Some(true), rest @ ..] if rest.iter().all(|other| *other == Some(true)) => (Declared::NotUsed, None),
        [Some(false), rest @ ..] if rest.iter().all(|other| *other == Some(false)) => (Declared::Nothing, None),
        _ => (Declared::Unknown, Some("whether nanobind gets FREE_THREADED depends on the build")),
    }
}
