//! Borrowed references in Rust: calls of the C API through `pyo3::ffi` and `pyo3_ffi`.

use gilaudit_model::source::Span;
use gilaudit_model::source::rust::{RustCall, RustFile, RustFunction, RustLocal};
use gilaudit_model::{Confidence, Finding};

use super::analysis::Analysis;
use super::api::{self, Borrowed};
use super::borrow::Use;
use super::rust::{self, text};
use crate::Rule;

/// A borrowed reference that nothing protects.
pub(crate) struct RustBorrow<'f> {
    pub(crate) call: &'f RustCall,
    pub(crate) api: Borrowed,
    pub(crate) used: Use,
    pub(crate) place: Option<Span>,
}

/// What `pyo3::ffi::compat` has.
const COMPAT: [&str; 5] =
    ["PyDict_GetItemRef", "PyDict_SetDefaultRef", "PyImport_AddModuleRef", "PyList_GetItemRef", "PyWeakref_GetRef"];

/// What makes a reference of a borrowed one.
fn makes_reference(name: &str) -> bool {
    matches!(name, "Py_INCREF" | "Py_XINCREF" | "Py_NewRef" | "Py_XNewRef" | "Py_IncRef")
        || name.starts_with("from_borrowed_ptr")
        || name.starts_with("assume_borrowed")
}

/// The calls in a function that `rule` covers and that no exemption takes out.
pub(crate) fn unprotected<'f>(
    analysis: &Analysis<'_>,
    facts: &RustFile,
    function: &'f RustFunction,
    rule: &str,
) -> Vec<RustBorrow<'f>> {
    if analysis.rust.is_init(function) {
        return Vec::new();
    }
    let mut out = Vec::new();
    for call in function.calls.iter().filter(|call| call.receiver.is_none()) {
        let Some(api) = api::borrowed(&call.name).filter(|api| api.rule == rule) else { continue };
        // The function that gives a strong reference is made of the one that gives a borrowed one, for older interpreters.
        if api.replacement.split(' ').any(|word| word == &*function.name) {
            continue;
        }
        let container = api.owner.and_then(|index| call.args.get(index));
        let fresh = container.is_some_and(|container| is_fresh(analysis, facts, function, *container, call));
        let protects = rule != "borrowed-weakref";
        if protects && (fresh || rust::is_locked(analysis, facts, function, call.span, &call.inside)) {
            continue;
        }
        let (used, place) = usage(analysis, facts, function, call);
        out.push(RustBorrow { call, api, used, place });
    }
    out
}

/// The variable that a name stands for at a place.
pub(crate) fn local<'f>(function: &'f RustFunction, name: &str, at: Span) -> Option<&'f RustLocal> {
    function
        .locals
        .iter()
        .rfind(|local| *local.name == *name && local.span.end <= at.start && at.start <= local.scope_end)
}

/// Whether a container was made in the same function (E3).
fn is_fresh(
    analysis: &Analysis<'_>,
    facts: &RustFile,
    function: &RustFunction,
    container: Span,
    at: &RustCall,
) -> bool {
    let Some(init) =
        local(function, rust::root(text(analysis, facts, container)), at.span).and_then(|local| local.init)
    else {
        return false;
    };
    let mut inside = function.calls.iter().filter(|call| init.contains(call.span));
    inside
        .any(|call| api::is_fresh(&call.name) || matches!(&*call.path, "PyList::new" | "PyList::empty" | "PyDict::new"))
}

/// What is done with the value of a call, at its strongest.
fn usage(analysis: &Analysis<'_>, facts: &RustFile, function: &RustFunction, call: &RustCall) -> (Use, Option<Span>) {
    let around = |other: &&RustCall| {
        other.span != call.span
            && (other.receiver.is_some_and(|receiver| receiver.contains(call.span))
                || other.args.iter().any(|arg| arg.contains(call.span)))
    };
    if let Some(other) = function.calls.iter().filter(around).find(|other| makes_reference(&other.name)) {
        return (Use::Increfed, Some(other.name_span));
    }
    let holder = function.locals.iter().find(|local| local.init.is_some_and(|init| init.contains(call.span)));
    let Some(holder) = holder else {
        let only_tested = function.calls.iter().filter(around).any(|other| *other.name == *"is_null");
        return (if only_tested { Use::Tested } else { Use::Read }, None);
    };
    let of_holder = |span: Span| rust::root(text(analysis, facts, span)) == &*holder.name;
    let later = |other: &&RustCall| {
        other.span.start >= call.span.end
            && other.span.end <= holder.scope_end
            && *other.name != *"is_null"
            && (other.receiver.is_some_and(of_holder) || other.args.iter().copied().any(of_holder))
    };
    let increfs = function.calls.iter().filter(later).find(|other| makes_reference(&other.name));
    match (increfs, function.calls.iter().find(later)) {
        (Some(other), _) => (Use::Increfed, Some(other.name_span)),
        (None, Some(other)) => (Use::Kept, Some(other.name_span)),
        (None, None) => (Use::Read, None),
    }
}

/// A finding about a borrowed reference; `what` is what another thread can do.
pub(crate) fn report(
    analysis: &Analysis<'_>,
    facts: &RustFile,
    function: &RustFunction,
    rule: &Rule,
    borrow: &RustBorrow<'_>,
    what: &str,
) -> Finding {
    let use_text = match borrow.used {
        Use::Increfed => "before its reference count is raised here",
        Use::Kept => "while it is kept and used",
        Use::Read | Use::Tested => "before it is used",
    };
    let message =
        format!("'{}' gives a borrowed reference, and another thread can {what} {use_text}", borrow.call.name);
    let mut finding = rust::finding(analysis, facts, rule, Some(function), borrow.call.name_span, message);
    let confidence = match borrow.used {
        Use::Increfed => Confidence::High,
        Use::Kept | Use::Read => Confidence::Medium,
        Use::Tested => Confidence::Low,
    };
    finding.confidence = confidence.min(rule.confidence);
    let by_hand =
        "or hold pyo3::sync::critical_section::with_critical_section on the container (pyo3::sync before PyO3 0.28)";
    finding.help = Some(match borrow.api.replacement {
        replacement if COMPAT.contains(&replacement) => format!(
            "call ffi::compat::{replacement} (PyO3 0.23; for older interpreters, too) or PyO3's safe method, which returns a Bound; {by_hand}"
        ),
        replacement if replacement.starts_with("Py") => {
            format!("call ffi::{replacement}, or PyO3's safe method, which returns a Bound; {by_hand}")
        }
        _ => by_hand.trim_start_matches("or ").to_owned(),
    });
    if let Some(place) = borrow.place {
        let what = if borrow.used == Use::Increfed { "the new reference is made here" } else { "used here" };
        finding.related.push(analysis.related(facts.file, place, what));
    }
    finding
}
