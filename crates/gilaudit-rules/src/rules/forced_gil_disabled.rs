//! Flags `Py_GIL_DISABLED` where it is defined for every build of Python.

use gilaudit_model::source::{File, FileId};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::{metadata, projects};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "forced-gil-disabled",
    summary: "a definition of Py_GIL_DISABLED for Pythons that have the GIL",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("forced_gil_disabled.md"),
    checks: &[Check::Build(built), Check::Project(written)],
};

const MACRO: &str = "Py_GIL_DISABLED";

const MESSAGE: &str = "'Py_GIL_DISABLED' is defined for every Python: where it has the GIL, the extension is compiled for another layout of \
                       objects than the interpreter's";

/// Among the arguments that a build file gives a compiler.
fn built(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for (build, defined) in projects::defined_for_all(analysis.project, MACRO) {
        let mut finding = analysis.finding(rule, build.file, defined.span, MESSAGE.to_owned());
        finding.help = Some(
            "leave it out: setuptools 75.7, Meson 1.5 and the targets of CMake 3.30.3 define it where it is needed; else define it \
             only if sysconfig.get_config_var(\"Py_GIL_DISABLED\") is 1"
                .to_owned(),
        );
        out.push(finding);
    }
}

/// In the sources themselves.
fn written(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for (index, file) in analysis.project.files.iter().enumerate() {
        let id = FileId(index as u32);
        // A configuration that was generated is one build's own.
        if !file.report || !file.c_api || file.name().contains("config") || analysis.is_test(id) {
            continue;
        }
        for definition in metadata::definitions(file, MACRO) {
            if definition.conditions.iter().enumerate().all(|(depth, condition)| is_open(file, depth, condition)) {
                let mut finding = analysis.finding(rule, id, definition.span, MESSAGE.to_owned());
                finding.help = Some("leave it to pyconfig.h and to the build".to_owned());
                out.push(finding);
            }
        }
    }
}

/// Whether a condition lets builds with the GIL through: that the macro is not yet defined, or the guard of a header.
fn is_open(file: &File, depth: usize, condition: &str) -> bool {
    let Some(name) = condition.strip_prefix("ifndef").map(str::trim) else { return false };
    name == MACRO || depth == 0 && file.is_header()
}
