//! Flags a static object of a C++ wrapper type that is made on first use and destroyed after the interpreter.

use crate::engine::analysis::Analysis;
use crate::engine::objects;
use crate::{Check, Rule};
use gilaudit_model::source::ExprKind;
use gilaudit_model::{Confidence, Finding, Severity};

pub(crate) const RULE: Rule = Rule {
    id: "static-py-object",
    summary: "a static object of a C++ wrapper type that is made on first use and destroyed after the interpreter",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("static_py_object.md"),
    checks: &[Check::Project(check)],
};

fn check(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let is_wrapper =
        |base: &str| objects::is_wrapper(base) || !base.contains("::") && releases_a_reference(analysis, base, DEEPEST);
    for function in &analysis.project.functions {
        for local in
            function.body.locals.iter().filter(|local| local.is_static && !local.ty.reference && local.ty.pointers == 0)
        {
            let base = analysis.project.text(local.ty.base);
            if !is_wrapper(base) || !analysis.project.file(function.file).report {
                continue;
            }
            let message = format!(
                "'{}' is a static '{base}': threads that make it at once wait for each other while attached, and it is released after the interpreter is gone",
                analysis.project.text(local.name)
            );
            let mut finding = analysis.finding(rule, function.file, local.span, message);
            finding.function = Some(analysis.project.text(function.qualified).to_owned());
            finding.help =
                Some("keep it in the module state; or make it once and never destroy it (pybind11 2.12 has py::gil_safe_call_once_and_store)".to_owned());
            out.push(finding);
        }
    }
    for global in &analysis.project.globals {
        let base = analysis.project.text(global.ty.base);
        if is_wrapper(base)
            && global.ty.pointers == 0
            && !global.ty.reference
            && !global.is_extern
            && !global.thread_local
            && analysis.project.file(global.file).report
        {
            let message = format!(
                "'{}' is a static '{base}': it is released after the interpreter is gone, without a thread state",
                analysis.project.text(global.name)
            );
            let mut finding = analysis.finding(rule, global.file, global.span, message);
            finding.help =
                Some("keep it in the module state; or make it once and never destroy it (pybind11 2.12 has py::gil_safe_call_once_and_store)".to_owned());
            out.push(finding);
        }
    }
}

/// Base classes are followed this far.
const DEEPEST: u32 = 8;

/// Whether a class of the project holds a reference that its destructor, or the one of a base class, releases.
fn releases_a_reference(analysis: &Analysis<'_>, class: &str, fuel: u32) -> bool {
    let Some(fuel) = fuel.checked_sub(1) else { return false };
    let project = analysis.project;
    let plain = class.split('<').next().unwrap_or(class).trim();
    let Some(name) = project.names.get(plain.rsplit("::").next().unwrap_or(plain)) else { return false };
    let Some(id) = analysis.types.struct_named(project, name) else { return false };
    let releases = analysis.index.functions(project, &format!("~{}", project.text(name))).iter().any(|id| {
        project.function(*id).body.exprs.iter().any(|expr| match expr.kind {
            ExprKind::Name(called) | ExprKind::Field { name: called, .. } => {
                matches!(project.text(called), "dec_ref" | "Py_DECREF" | "Py_XDECREF" | "Py_CLEAR" | "Py_DecRef")
            }
            _ => false,
        })
    });
    let bases = &project.structs[id.0 as usize].bases;
    releases || bases.iter().any(|base| releases_a_reference(analysis, project.text(*base), fuel))
}
