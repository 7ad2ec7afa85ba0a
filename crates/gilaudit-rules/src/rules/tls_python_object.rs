//! Flags a reference to a Python object in a variable that every thread has for itself.

use gilaudit_model::source::{ExprKind, FileId, Span, Type};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::{Analysis, Unit};
use crate::engine::objects::{Objectness, is_wrapper, objectness};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "tls-python-object",
    summary: "a reference to a Python object in a variable that every thread has for itself",
    severity: Severity::Warning,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("tls_python_object.md"),
    checks: &[Check::Project(variables), Check::Function(stored)],
};

const HELP: &str = "keep it in the dict of the thread state (PyThreadState_GetDict), which is cleared with the thread state; or in a context variable, or the module state";

/// `static thread_local PyObject *x`
fn variables(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    let project = analysis.project;
    let mut report = |file: FileId, span: Span, ty: Type, name: &str, function: Option<&str>| {
        if !project.file(file).report || analysis.is_test(file) || !is_reference(analysis, ty) {
            return;
        }
        let message = format!(
            "'{name}' holds a Python object for each thread: when a thread ends nothing releases it, or a destructor does so without a thread state"
        );
        let mut finding = analysis.finding(rule, file, span, message);
        finding.function = function.map(str::to_owned);
        finding.help = Some(HELP.to_owned());
        out.push(finding);
    };
    for global in project.globals.iter().filter(|global| global.thread_local && !global.is_extern) {
        report(global.file, global.span, global.ty, project.text(global.name), None);
    }
    for function in &project.functions {
        for local in function.body.locals.iter().filter(|local| local.thread_local) {
            let qualified = project.text(function.qualified);
            report(function.file, local.span, local.ty, project.text(local.name), Some(qualified));
        }
    }
}

/// A pointer to an object, or a wrapper that owns one. Pointers to types are mostly to static ones.
fn is_reference(analysis: &Analysis<'_>, ty: Type) -> bool {
    let base = analysis.project.text(ty.base);
    if base == "PyTypeObject" {
        return false;
    }
    ty.pointers == 0 && is_wrapper(base)
        || ty.pointers == 1 && objectness(analysis.project, &analysis.types, ty) == Objectness::Object
}

/// `PyThread_tss_set(&key, object)`, `pthread_setspecific(key, object)`
fn stored(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for call in unit.calls() {
        let index = match call.name {
            "PyThread_tss_set" | "pthread_setspecific" | "TlsSetValue" | "tss_set" | "PyThread_set_key_value" => 1,
            _ => continue,
        };
        let Some(value) = call.args.get(index).copied().filter(|_| !unit.is_unparsed(call.span)) else { continue };
        let value = unit.strip(value);
        if matches!(unit.kind(value), ExprKind::Null | ExprKind::Number(_))
            || !unit.type_of(value).is_some_and(|ty| ty.pointers == 1 && is_reference(unit.analysis, ty))
        {
            continue;
        }
        let message = format!(
            "'{}' keeps a Python object for this thread: when the thread ends nothing releases it, or a destructor does so without a thread state",
            call.name
        );
        let mut finding = unit.finding(rule, call.expr, message);
        finding.help = Some(HELP.to_owned());
        out.push(finding);
    }
}
