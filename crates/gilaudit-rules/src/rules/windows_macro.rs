//! Flags builds that leave out the macro which free-threaded builds on Windows need.

use gilaudit_model::source::Project;
use gilaudit_model::source::build::Maker;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::{projects, requirement};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "windows-macro",
    summary: "a build that does not define Py_GIL_DISABLED for free-threaded Python on Windows",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("windows_macro.md"),
    checks: &[Check::Build(check)],
};

/// The first versions that define it: setuptools 75.7.0 (distutils/command/build_ext.py) and Meson 1.5.0 (dependencies/python.py).
const TOOLS: [(&str, [u64; 2], &str); 2] = [("setuptools", [75, 7], "75.7"), ("meson", [1, 5], "1.5")];

fn check(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let project = analysis.project;
    let described = projects::described(project);
    let confidence = if projects::claims(analysis) { rule.confidence } else { Confidence::Low };
    for build in projects::reported(project) {
        let path = &project.file(build.file).path;
        if projects::of_path(&described, path).is_some_and(projects::Described::is_without_windows) {
            continue;
        }
        for (text, span) in &build.requires {
            let tool = TOOLS.iter().find(|(tool, first, _)| {
                requirement::of_tool(text, tool).is_some_and(|specifiers| requirement::keeps_below(specifiers, *first))
            });
            let Some((tool, _, first)) = tool.filter(|(tool, _, _)| compiles(project, tool)) else { continue };
            let message = format!(
                "'{text}' keeps {tool} below {first}, the first that defines Py_GIL_DISABLED for free-threaded Python on Windows: \
                 modules built there are linked to the wrong Python"
            );
            let at = projects::place(project, build, text, *span);
            let mut finding = analysis.finding(rule, build.file, at, message);
            finding.help = Some(format!("require {tool}>={first}"));
            finding.confidence = confidence;
            out.push(finding);
        }
        if defines_in_cmake(project) {
            continue;
        }
        for (module, span) in &build.by_hand {
            let message = format!(
                "'{module}' gets Python's headers and nothing else: on Windows a free-threaded build needs Py_GIL_DISABLED, too"
            );
            let mut finding = analysis.finding(rule, build.file, *span, message);
            finding.help = Some(format!(
                "link Python::Module of find_package(Python COMPONENTS Development.Module), which defines it from CMake 3.30.3 on; or \
                 target_compile_definitions({module} PRIVATE Py_GIL_DISABLED=1) if(WIN32 AND Python_FREE_THREADED)"
            ));
            finding.confidence = confidence;
            out.push(finding);
        }
    }
}

/// Whether the project has modules that this tool compiles. Rust does not read the macro.
fn compiles(project: &Project, tool: &str) -> bool {
    let by_meson = tool == "meson";
    projects::reported(project).any(|build| {
        let name = project.file(build.file).name();
        let is_tools = if by_meson { name == "meson.build" } else { name.ends_with(".py") || name == "pyproject.toml" };
        let by_hand = build.modules.iter().any(|module| module.maker != Maker::Cargo);
        is_tools && (by_hand || build.computed && build.modules.is_empty())
    })
}

/// Whether some CMake file of the project takes care of it.
fn defines_in_cmake(project: &Project) -> bool {
    project.files.iter().filter(|file| file.name() == "CMakeLists.txt").any(|file| {
        file.text.contains("Py_GIL_DISABLED")
            || ["Python_DEFINITIONS", "Python3_DEFINITIONS"].iter().any(|name| file.text.contains(name))
    })
}
