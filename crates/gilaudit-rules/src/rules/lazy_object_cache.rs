//! Flags a member that is filled on first use without a lock.

use gilaudit_model::source::ExprKind;
use gilaudit_model::source::cython::{CythonFile, StmtKind};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::{Analysis, Unit};
use crate::engine::cython::{codes, lazy_fills};
use crate::engine::exempt;
use crate::engine::index::is_shared;
use crate::engine::members::{Write, emptiness_tests, filled_by_callee, key, only_when_empty, writes_to};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "lazy-object-cache",
    summary: "a member of an object that is filled on first use without a lock",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("lazy_object_cache.md"),
    checks: &[Check::Function(check), Check::Cython(check_cython)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if unit.is_init() || unit.is_lifecycle() || exempt::is_single_threaded(unit) {
        return;
    }
    for test in emptiness_tests(unit) {
        let ExprKind::Field { base, name, .. } = unit.kind(unit.strip(test.place)) else { continue };
        if unit.is_locked_at(test.node)
            || !is_shared(unit, base, test.node)
            || exempt::is_automatic_this(unit, base)
            || unit.is_unparsed(unit.expr(test.condition).span)
        {
            continue;
        }
        let ty = unit.type_of(unit.strip(test.place));
        if ty.is_some_and(|ty| ty.atomic || ty.array) {
            continue;
        }
        let nodes = only_when_empty(unit, &test);
        let own_state = |write: &Write| {
            // What a thread keeps while it is detached is its own.
            write.value.and_then(|value| unit.call(value)).is_some_and(|call| call.name == "PyEval_SaveThread")
        };
        let writes: Vec<_> = writes_to(unit, test.place)
            .into_iter()
            .filter(|write| !own_state(write))
            .filter(|write| nodes.binary_search(&write.node).is_ok() && !unit.is_locked_at(write.node))
            .collect();
        let constant =
            |write: &Write| write.value.map(|value| unit.kind(unit.strip(value))).filter(|kind| is_constant(*kind));
        // The same constant from every thread does no harm; different ones do.
        let first = writes.first().and_then(constant);
        let harmless = first.is_some() && writes.iter().all(|write| constant(write) == first);
        // A flag that is set and reset is no cache; a constant stands for a result only where -1 stood for "not known yet".
        let all_constant = !writes.is_empty() && writes.iter().all(|write| constant(write).is_some());
        let write =
            writes.into_iter().next().filter(|_| !harmless && (!all_constant || is_unknown_test(unit, test.condition)));
        let Some(place) = write.map(|write| write.expr).or_else(|| filled_by_callee(unit, test.place, &nodes)) else {
            continue;
        };
        // A type that is not known is one of a pointer, unless it is compared with a number.
        let pointer = ty.map_or(!is_unknown_test(unit, test.condition), |ty| ty.pointers > 0);
        let member = unit.text(name);
        let consequence =
            if pointer { "one value leaks, or is freed while it is used" } else { "a torn or stale value is read" };
        let message = format!(
            "'{member}' is filled on first use without a lock: two threads can both find it empty and both fill it, and {consequence}"
        );
        let mut finding = unit.finding(rule, test.condition, message);
        finding.severity = if pointer { Severity::Error } else { Severity::Warning };
        // `__init__` can be called again, but hardly anybody does while other threads use the object.
        finding.confidence = match unit.analysis.is_initialiser(unit.id) {
            true => Confidence::Low,
            false => confidence(unit, test.place, pointer),
        };
        finding.help = Some(
            "hold a critical section on the object (Py_BEGIN_CRITICAL_SECTION, new in Python 3.13; pythoncapi-compat has it for older \
             ones) from the test to the store and return a copy of the local; or fill it when the object is made; or load and store it \
             atomically, the value complete before the store"
                .to_owned(),
        );
        finding.related.push(unit.related(place, "filled here"));
        out.push(finding);
    }
}

/// High for a pointer of a Python object that Python code reaches; lower for what may be private to one thread.
fn confidence(unit: &Unit<'_>, place: gilaudit_model::source::ExprId, pointer: bool) -> Confidence {
    let owner = key(unit, place).and_then(|key| key.owner);
    let is_object = owner.is_some_and(|owner| unit.project.structs[owner.0 as usize].is_object);
    match (unit.is_callable(), is_object && pointer) {
        (false, _) => Confidence::Low,
        (true, true) => Confidence::High,
        (true, false) => Confidence::Medium,
    }
}

fn is_constant(kind: ExprKind) -> bool {
    matches!(kind, ExprKind::Number(_) | ExprKind::Null | ExprKind::Str)
}

/// Whether a condition compares with -1.
fn is_unknown_test(unit: &Unit<'_>, condition: gilaudit_model::source::ExprId) -> bool {
    match unit.kind(unit.strip(condition)) {
        ExprKind::Binary { left, right, .. } => {
            [left, right].iter().any(|side| unit.kind(unit.strip(*side)) == ExprKind::Number(Some(-1)))
        }
        _ => false,
    }
}

/// The same in Cython: an attribute of an extension type that is filled, or a pointer in it that is freed, after a test.
fn check_cython(analysis: &Analysis<'_>, file: &CythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let code = codes(analysis, file);
    for fill in lazy_fills(&code) {
        let Some(act) = fill.acts.first().copied() else { continue };
        let attribute = code.text(fill.attribute);
        let filled = !matches!(file.stmt(act).kind, StmtKind::Expr(_));
        let message = if filled {
            format!(
                "'{attribute}' is filled on first use without a lock: two threads can both find it empty and both fill it, and one value leaks, or is freed while it is used"
            )
        } else {
            format!(
                "'{attribute}' is tested and then freed without a lock: two threads can both find it set and both free it"
            )
        };
        let mut finding = code.finding(analysis, rule, file.stmt(fill.test).span, Some(fill.function), message);
        finding.help = Some("hold 'with cython.critical_section(self)' from the test to the store (Cython 3.1), or fill it once with py_safe_call_object_once of libcpp.mutex (Cython 3.2, C++)".to_owned());
        finding.related.push(code.related(analysis, act, if filled { "filled here" } else { "freed here" }));
        out.push(finding);
    }
}
