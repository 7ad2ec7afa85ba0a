//! Modules that a tool makes of something that defines no module: cffi, mypyc, SWIG, f2py.

use gilaudit_model::source::Project;
use gilaudit_model::source::build::Maker;
use gilaudit_model::{Declaration, Evidence, Framework, Init, Mechanism, Reason, Status, Target, Version};

use super::survey::Survey;
use super::{Listed, evidence, names, seen};
use crate::engine::requirement;

/// The row of a module that no source was found for.
pub(super) fn without_source(survey: &Survey<'_>, listed: Listed<'_>, target: &Target) -> Option<super::SourceModule> {
    let project = survey.project;
    let Listed { build, module } = listed;
    let (framework, init, declaration) = match module.maker {
        Maker::Cffi => {
            let at = evidence(project, build.file, module.span, "set_source of cffi");
            (Some(Framework::Cffi), Init::SinglePhase, cffi(project, target, at))
        }
        Maker::Mypyc => (Some(Framework::Mypyc), Init::MultiPhase, mypyc(project, listed)),
        Maker::Swig { nogil } => (Some(Framework::Swig), Init::Unknown, swig(project, listed, nogil)),
        Maker::F2py { free_threaded } => {
            (Some(Framework::F2py), Init::SinglePhase, f2py(project, listed, free_threaded))
        }
        maker => (
            match maker {
                Maker::Pybind11 => Some(Framework::Pybind11),
                Maker::Nanobind { .. } => Some(Framework::Nanobind),
                Maker::Cargo => Some(Framework::PyO3),
                _ => None,
            },
            Init::Unknown,
            Declaration::unknown(Reason::NoDefinition),
        ),
    };
    Some(super::SourceModule {
        name: names::installed(survey, listed)?,
        origin: project.file(build.file).origin.clone(),
        init,
        framework: framework.map(Into::into),
        declaration,
    })
}

/// A module that cffi writes hands its initialisation to the `_cffi_backend` that is installed.
///
/// Free-threaded 3.14 and later can only use cffi 2.0 and later, whose backend always declares (cffi 2.0 src/c/cffi1_module.c).
pub(super) fn cffi(project: &Project, target: &Target, at: Evidence) -> Declaration {
    let supported = target.free_threaded && target.version >= Version::V3_14;
    let mut declaration = if !supported || is_kept_below(project, Framework::Cffi) {
        Declaration::unknown(Reason::InstalledDelegate)
    } else {
        Declaration {
            declared_by_tool: Some(Framework::Cffi),
            reason: Some(Reason::EveryDelegateDeclares),
            ..Declaration::new(Status::NotUsed, Mechanism::SetGil)
        }
    };
    declaration.delegated_to = Some("_cffi_backend".to_owned());
    declaration.evidence.push(at);
    declaration
}

/// mypyc declares since 1.17, whatever is compiled (mypyc/codegen/emitmodule.py).
fn mypyc(project: &Project, listed: Listed<'_>) -> Declaration {
    if is_kept_below(project, Framework::Mypyc) {
        let why = "the build asks for a mypyc that may be older than 1.17, the first that declares";
        return Declaration::unknown(Reason::ToolVersion(why.to_owned()));
    }
    let what = "compiled by mypyc, which declares since 1.17";
    Declaration {
        declared_by_tool: Some(Framework::Mypyc),
        ..seen(Status::NotUsed, Mechanism::Slot, project, listed, what)
    }
}

/// SWIG declares when it is told to, since 4.4 (Lib/python/pyinit.swg); interfaces can call the C API themselves.
fn swig(project: &Project, listed: Listed<'_>, nogil: bool) -> Declaration {
    let interface = |source: &str| project.files.iter().find(|file| file.path == source);
    let calls = |source: &str| interface(source).is_none_or(|file| file.text.contains("PyUnstable_Module_SetGIL"));
    if nogil {
        seen(Status::NotUsed, Mechanism::Slot, project, listed, "swig -nogil")
    } else if listed.module.sources.iter().any(|source| source.ends_with(".i") && calls(source)) {
        Declaration::unknown(Reason::Interface { seen: false })
    } else {
        seen(Status::Undeclared, Mechanism::None, project, listed, "SWIG without -nogil")
    }
}

/// f2py writes the call either way since NumPy 2.1 (numpy/f2py/rules.py).
fn f2py(project: &Project, listed: Listed<'_>, free_threaded: bool) -> Declaration {
    if free_threaded {
        seen(Status::NotUsed, Mechanism::SetGil, project, listed, "f2py --freethreading-compatible")
    } else {
        seen(Status::Used, Mechanism::SetGil, project, listed, "f2py without --freethreading-compatible")
    }
}

/// Whether a requirement of the build keeps a tool below the first version that declares. What is not kept below is built with the newest one.
fn is_kept_below(project: &Project, tool: Framework) -> bool {
    let Some(since) = tool.declares_since() else { return false };
    let requires = project.builds.iter().flat_map(|build| &build.requires);
    // One with a marker holds for some builds, which is enough not to be certain.
    let mut plain = requires.map(|(text, _)| text.split(';').next().unwrap_or_default());
    plain.any(|text| {
        requirement::of_tool(text, since.distribution).is_some_and(|it| requirement::keeps_below(it, since.first))
    })
}
