//! Flags a static object of a C++ wrapper type that is made on first use and destroyed after the interpreter.

use crate::engine::analysis::Analysis;
use crate::{Check, Rule};
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
    let is_wrapper = |base: &str| {
        let plain = base.split('<').next().unwrap_or(base).trim();
        let Some((space, name)) = plain.rsplit_once("::") else { return false };
        matches!(space, "py" | "pybind11" | "nb" | "nanobind" | "boost::python" | "bp")
            && matches!(
                name,
                "object"
                    | "exception"
                    | "str"
                    | "dict"
                    | "list"
                    | "tuple"
                    | "module_"
                    | "type"
                    | "function"
                    | "handle_object"
                    | "set"
                    | "int_"
                    | "bytes"
            )
    };
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
                Some("use py::gil_safe_call_once_and_store (pybind11 2.12), or keep it in the module".to_owned());
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
                Some("use py::gil_safe_call_once_and_store (pybind11 2.12), or keep it in the module".to_owned());
            out.push(finding);
        }
    }
}
