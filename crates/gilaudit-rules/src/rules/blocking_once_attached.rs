//! Flags a lock of the standard library that is waited for, or held, while Python code runs.

use gilaudit_model::source::Span;
use gilaudit_model::source::rust::{RustCall, RustFile, RustFunction};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::rust;
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "blocking-once-attached",
    summary: "a lock of the standard library that is held while Python code runs",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("blocking_once_attached.md"),
    checks: &[Check::Rust(check)],
};

fn check(analysis: &Analysis<'_>, facts: &RustFile, rule: &Rule, out: &mut Vec<Finding>) {
    for function in &facts.functions {
        for (index, call) in function.calls.iter().enumerate() {
            if is_detached(function, &call.inside)
                || !is_std_once(analysis, facts, call)
                || is_forced_detached(analysis, facts, function, call)
            {
                continue;
            }
            let in_closure = |other: &&RustCall| runs_in(function, index as u32, other);
            let Some(python) =
                function.calls.iter().filter(in_closure).find(|it| runs_python(analysis, facts, function, it))
            else {
                continue;
            };
            let message = format!(
                "the closure of '{}' calls Python: while it detaches or waits, other attached threads block on the same value",
                call.name
            );
            let mut finding = rust::finding(analysis, facts, rule, Some(function), call.name_span, message);
            finding.help = Some("use PyOnceLock (PyO3 0.26), or OnceExt::call_once_py_attached and OnceLockExt::get_or_init_py_attached (PyO3 0.23)".to_owned());
            finding.related.push(analysis.related(facts.file, python.name_span, "Python is called here"));
            out.push(finding);
        }
        guards(analysis, facts, function, rule, out);
    }
}

/// Guards of standard locks, taken while attached, that are alive when Python is called.
fn guards(analysis: &Analysis<'_>, facts: &RustFile, function: &RustFunction, rule: &Rule, out: &mut Vec<Finding>) {
    for local in function.locals.iter().filter(|local| rust::is_guard(analysis, facts, local.init)) {
        let Some(init) = local.init else { continue };
        let lock = function.calls.iter().rfind(|call| {
            init.contains(call.span)
                && call.args.is_empty()
                && matches!(&*call.name, "lock" | "write")
                && call.receiver.is_some()
        });
        let Some(lock) = lock.filter(|lock| !is_detached(function, &lock.inside)) else { continue };
        let runs = |call: &&RustCall| {
            rust::is_alive(analysis, facts, function, local, call.span)
                && call.inside.starts_with(&lock.inside)
                && !is_detached(function, &call.inside)
                && runs_code(analysis, facts, function, call)
        };
        let Some(python) = function.calls.iter().find(runs) else { continue };
        let message = format!(
            "'{}' holds a lock while '{}' runs Python code: a thread that waits for the lock stays attached, and both can wait for each other",
            local.name, python.name
        );
        let mut finding = rust::finding(analysis, facts, rule, Some(function), lock.name_span, message);
        finding.help = Some("release the guard before Python is called, and take the lock with MutexExt::lock_py_attached (PyO3 0.24) or inside Python::detach (allow_threads before PyO3 0.26)".to_owned());
        finding.related.push(analysis.related(facts.file, python.name_span, "Python code runs here"));
        out.push(finding);
    }
}

/// Whether code is inside a closure that runs without an attached thread state.
fn is_detached(function: &RustFunction, inside: &[u32]) -> bool {
    rust::enclosing(function, inside).any(|call| matches!(&*call.name, "detach" | "allow_threads"))
}

/// Whether a call runs while the closure of another runs. A closure inside that one that is kept in a box or a struct, or run by another
/// thread, does not.
fn runs_in(function: &RustFunction, closure: u32, call: &RustCall) -> bool {
    let Some(at) = call.inside.iter().position(|outer| *outer == closure) else { return false };
    let deeper = call.inside.get(at + 1..).unwrap_or_default();
    let is_kept = call.kept.is_some_and(|around| around as usize > at);
    !is_kept
        && !rust::enclosing(function, deeper).any(|call| call.path.ends_with("::new") || call.name.starts_with("spawn"))
}

/// Whether a lazy static is always initialised by a detached thread: every function that uses it forces it in the closure of a `detach`
/// before any other use but a look at whether it is initialised.
fn is_forced_detached(analysis: &Analysis<'_>, facts: &RustFile, initialiser: &RustFunction, call: &RustCall) -> bool {
    let name = &*initialiser.name;
    let is_lazy = call.path.ends_with("::new") && facts.statics.iter().any(|it| it.span == initialiser.span);
    if !is_lazy {
        return false;
    }
    let mut uses = 0;
    let always = analysis
        .project
        .rust
        .iter()
        .filter(|other| analysis.project.file(other.file).text.contains(name))
        .all(|other| {
            let file = analysis.project.file(other.file);
            other.functions.iter().filter(|function| function.body != initialiser.body).all(|function| {
                // What is in the static's own declaration is not a use of it.
                let own =
                    |at: u32| other.file == facts.file && initialiser.body.start <= at && at < initialiser.body.end;
                let at = |at: usize| function.body.start + at as u32;
                let first = rust::words(file.text_of(function.body), name).map(at).find(|it| {
                    let asks = |call: &&RustCall| call.name.as_ref() == "get" && call.path.ends_with("Lock::get");
                    !own(*it)
                        && !function.calls.iter().filter(asks).any(|call| call.span.start <= *it && *it < call.span.end)
                });
                let Some(first) = first else { return true };
                uses += 1;
                function.calls.iter().any(|force| {
                    matches!(&*force.name, "force" | "deref")
                        && is_detached(function, &force.inside)
                        && force.span.start <= first
                        && first < force.span.end
                })
            })
        });
    always && uses > 0
}

/// `OnceLock::get_or_init(closure)`, `Once::call_once(closure)`, `LazyLock::new(closure)`. PyO3's own take the token first.
fn is_std_once(analysis: &Analysis<'_>, facts: &RustFile, call: &RustCall) -> bool {
    let closure = |at: usize| {
        let arg = call.args.get(at).map(|arg| rust::text(analysis, facts, *arg).trim_start());
        arg.is_some_and(|arg| arg.starts_with('|') || arg.starts_with("move"))
    };
    let by_method = matches!(&*call.name, "get_or_init" | "get_or_try_init" | "call_once" | "call_once_force");
    by_method && call.receiver.is_some() && call.args.len() == 1 && closure(0)
        || matches!(&*call.path, "LazyLock::new" | "Lazy::new" | "sync::LazyLock::new" | "std::sync::LazyLock::new")
            && closure(0)
}

/// Whether a call needs an attached thread state: it attaches, is given the token, or is the C API.
fn runs_python(analysis: &Analysis<'_>, facts: &RustFile, function: &RustFunction, call: &RustCall) -> bool {
    let is_token = |span: Span| {
        let text = rust::text(analysis, facts, span).trim();
        text.ends_with(".py()")
            || function
                .locals
                .iter()
                .any(|local| *local.name == *text && local.ty.names.first().is_some_and(|it| **it == *"Python"))
    };
    matches!(&*call.path, "Python::attach" | "Python::with_gil" | "pyo3::Python::attach" | "pyo3::Python::with_gil")
        || call.args.iter().copied().any(is_token)
        || call.receiver.is_some_and(|receiver| is_token(receiver) && !matches!(&*call.name, "clone" | "py"))
        || call.receiver.is_none() && is_c_api(&call.name)
}

/// Calls that can run any Python code, which may wait for other threads.
fn runs_code(analysis: &Analysis<'_>, facts: &RustFile, function: &RustFunction, call: &RustCall) -> bool {
    let by_name = matches!(
        &*call.name,
        "call" | "call0" | "call1" | "call_method" | "call_method0" | "call_method1" | "getattr" | "setattr" | "import"
    );
    // `call` is a common name: only with the token, or on what PyO3 hands out.
    let is_python = |call: &RustCall| {
        runs_python(analysis, facts, function, call)
            || matches!(
                &*call.name,
                "call0" | "call1" | "call_method" | "call_method0" | "call_method1" | "getattr" | "setattr"
            )
    };
    call.receiver.is_some() && by_name && is_python(call)
        || call.receiver.is_none() && (call.name.starts_with("PyObject_Call") || *call.name == *"PyImport_ImportModule")
}

fn is_c_api(name: &str) -> bool {
    name.strip_prefix("Py").is_some_and(|rest| {
        rest.split_once('_').is_some_and(|(family, rest)| {
            family.chars().all(|c| c.is_alphanumeric()) && rest.starts_with(|c: char| c.is_ascii_uppercase())
        })
    }) && crate::engine::api::is_exported(name)
}
