//! Flags the limited API where the free-threaded build does not have it.

use gilaudit_model::source::FileId;
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::{Analysis, Unit};
use crate::engine::{metadata, projects};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "ft-limited-api",
    summary: "the limited API where the free-threaded build does not have it",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("ft_limited_api.md"),
    checks: &[Check::Project(defined), Check::Build(built), Check::Function(called)],
};

/// The version whose free-threaded build has a limited API and a stable ABI (PEP 803).
const SINCE: u32 = 15;

/// Conditions that keep code apart for free-threaded builds, or for builds without the limited API.
const APART: [&str; 4] = ["Py_GIL_DISABLED", "Py_LIMITED_API", "Py_TARGET_ABI3T", "_Py_OPAQUE_PYOBJECT"];

/// `#define Py_LIMITED_API` that also holds when the extension is built without the GIL.
fn defined(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let project = analysis.project;
    let claims = projects::claims(analysis);
    for (index, file) in project.files.iter().enumerate() {
        let id = FileId(index as u32);
        if !file.report || !file.c_api || file.cython.is_some() || analysis.is_test(id) {
            continue;
        }
        for definition in metadata::definitions(file, "Py_LIMITED_API") {
            // Whatever else it depends on is decided in the build.
            let depends = definition.conditions.iter().any(|condition| !condition.contains("Py_LIMITED_API"));
            if depends || metadata::minor_of(definition.value).is_some_and(|minor| minor >= SINCE) {
                continue;
            }
            let message = "the free-threaded builds of Python 3.13 and 3.14 have no limited API: with it Python.h stops the compilation";
            let mut finding = analysis.finding(rule, id, definition.span, message.to_owned());
            finding.confidence = if claims { Confidence::High } else { Confidence::Low };
            finding.help = Some(
                "define it under #ifndef Py_GIL_DISABLED after including pyconfig.h; from Python 3.15 on Py_TARGET_ABI3T builds one binary for both"
                    .to_owned(),
            );
            out.push(finding);
        }
    }
}

/// What a build file asks for whatever it builds for: a setting of its tool, or the macro.
fn built(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let project = analysis.project;
    if !projects::claims(analysis) {
        return;
    }
    for build in projects::reported(project) {
        let macros = build.macros.iter().filter(|it| &*it.name == "Py_LIMITED_API");
        let mut asked = build
            .limited_api
            .iter()
            .chain(macros)
            .filter(|it| !it.conditional && minor_asked(&it.value).is_none_or(|minor| minor < SINCE));
        let Some(first) = asked.next() else { continue };
        let message = "the extension is built with the limited API for every Python, and the free-threaded builds of 3.13 and 3.14 have none";
        let at = projects::place(project, build, &first.name, first.span);
        let mut finding = analysis.finding(rule, build.file, at, message.to_owned());
        finding.help = Some("leave it out when sysconfig.get_config_var(\"Py_GIL_DISABLED\") is 1".to_owned());
        out.push(finding);
    }
}

/// The minor version in `cp39`, `3.9` or `0x03090000`.
fn minor_asked(value: &str) -> Option<u32> {
    let short = value.strip_prefix("cp3").or_else(|| value.strip_prefix("3."));
    short.and_then(|minor| minor.parse().ok()).or_else(|| metadata::minor_of(value))
}

/// API that the limited API does not have, in a file that asks for it.
fn called(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let is_about = |name: &str| {
        name.starts_with("PyMutex_")
            || name.starts_with("PyUnstable_")
            || name.contains("CRITICAL_SECTION")
            || name.starts_with("PyCriticalSection")
    };
    let mut limited = None;
    for call in unit.calls().filter(|call| is_about(call.name)) {
        let file = unit.file();
        let minor = *limited.get_or_insert_with(|| {
            ["Py_LIMITED_API", "Py_TARGET_ABI3T"].iter().find_map(|name| {
                let mut found = metadata::definitions(file, name).into_iter();
                found.find_map(|definition| metadata::minor_of(definition.value))
            })
        });
        let Some(minor) = minor else { return };
        if unit.is_unparsed(call.span)
            || !metadata::is_outside_limited(call.name, minor)
            || metadata::is_guarded(file, call.span, u32::MAX, &APART)
        {
            continue;
        }
        let since = crate::engine::api::limited_since(call.name);
        let message = match since {
            Some(since) => format!(
                "'{}' is in the limited API since Python 3.{since}, and this file asks for that of 3.{minor}",
                call.name
            ),
            None => format!("'{}' is not in the limited API, which this file asks for", call.name),
        };
        let mut finding = unit.finding(rule, call.expr, message);
        finding.help = Some(
            "guard with a critical section as a function (PyCriticalSection_Begin, in the limited API since 3.15) or with PyThread_acquire_lock; or build without the limited API"
                .to_owned(),
        );
        out.push(finding);
    }
}
