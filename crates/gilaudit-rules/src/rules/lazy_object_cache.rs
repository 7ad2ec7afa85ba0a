//! Flags a member that is filled on first use without a lock.

use gilaudit_model::source::cython::{CythonFile, StmtKind};
use gilaudit_model::source::{ExprId, ExprKind, Name};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::{Analysis, Unit};
use crate::engine::cfg::NodeId;
use crate::engine::cython::{codes, lazy_fills};
use crate::engine::exempt;
use crate::engine::index::is_shared;
use crate::engine::members::{
    Test, Write, emptiness_tests, filled_by_callee, is_written, key, only_when_empty, writes_to,
};
use crate::engine::values::Root;
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
            || unit.is_locked_at(test.read)
            || is_definition(unit, base)
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
        // `if (!self->parsed) { self->ast = parse(); self->parsed = 1; }`: what the flag stands for is what is filled.
        let flagged = (harmless && first != Some(ExprKind::Null) && first != Some(ExprKind::Number(Some(0))))
            .then(|| filled_with_flag(unit, test.place, &nodes))
            .flatten()
            .filter(|_| !refuses(unit, &test));
        if let Some((write, filled)) = flagged {
            let message = format!(
                "'{}' is filled on first use without a lock, which '{}' stands for: two threads can both find it unset and both fill it, and one value leaks, or is freed while it is used",
                unit.text(filled),
                unit.text(name)
            );
            let mut finding = unit.finding(rule, test.condition, message);
            finding.confidence = match unit.analysis.is_initialiser(unit.id) {
                true => Confidence::Low,
                false => confidence(unit, test.place, true),
            };
            finding.help = Some(HELP.to_owned());
            finding.related.push(unit.related(write, "filled here"));
            out.push(finding);
            continue;
        }
        let write =
            writes.into_iter().next().filter(|_| !harmless && (!all_constant || is_unknown_test(unit, test.condition)));
        let Some(place) = write.map(|write| write.expr).or_else(|| filled_by_callee(unit, test.place, &nodes)) else {
            continue;
        };
        // A type that is not known is one of a pointer, unless it is compared with a number.
        let pointer = ty.map_or(!is_unknown_test(unit, test.condition), |ty| ty.pointers > 0);
        // A status is tested and set, too; what is kept for later is read.
        if !pointer && !is_read_back(unit, test.place) {
            continue;
        }
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
        finding.help = Some(HELP.to_owned());
        finding.related.push(unit.related(place, "filled here"));
        out.push(finding);
    }
}

const HELP: &str = "hold a critical section on the object (Py_BEGIN_CRITICAL_SECTION, new in Python 3.13; pythoncapi-compat has it for older ones) from the test to the store and return a copy of the local; or fill it when the object is made; or load and store it atomically, the value complete before the store";

/// Another member of the same object that gets what a call made, as a pointer, where the flag was unset and before it is set.
fn filled_with_flag(unit: &Unit<'_>, flag: ExprId, nodes: &[NodeId]) -> Option<(ExprId, Name)> {
    let ExprKind::Field { base, name: flag_name, .. } = unit.kind(unit.strip(flag)) else { return None };
    if unit.type_of(unit.strip(flag)).is_some_and(|ty| ty.pointers > 0) {
        return None;
    }
    let object = unit.path(base)?;
    let set: Vec<NodeId> = writes_to(unit, flag).into_iter().map(|write| write.node).collect();
    unit.exprs().find_map(|(expr, kind, node)| {
        let ExprKind::Assign { op: None, target, value } = kind else { return None };
        let target = unit.strip(target);
        let ExprKind::Field { base, name, .. } = unit.kind(target) else { return None };
        let is_filled = name != flag_name
            && nodes.binary_search(&node).is_ok()
            && !unit.is_locked_at(node)
            && unit.path(base).as_ref() == Some(&object)
            && unit.type_of(target).is_some_and(|ty| ty.pointers > 0 && !ty.atomic);
        let made = is_filled && unit.roots(value, node).iter().any(|root| matches!(root, Root::Call(_)));
        let before = made && {
            let after = unit.cfg.after(node, |_| false);
            set.iter().any(|set| after.binary_search(set).is_ok())
        };
        before.then_some((expr, name))
    })
}

/// Whether the function raises an error where the flag is set: that is a call made twice, not a cache.
fn refuses(unit: &Unit<'_>, test: &Test) -> bool {
    let empty = unit.cfg.after(test.empty, |node| node == test.node);
    let filled = unit.cfg.after(test.filled, |node| node == test.node || empty.binary_search(&node).is_ok());
    unit.calls().any(|call| {
        call.name.starts_with("PyErr_")
            && filled.binary_search(&call.node).is_ok()
            && empty.binary_search(&call.node).is_err()
    })
}

/// Whether the object is a type or another table that is being filled in before it is used (E10).
fn is_definition(unit: &Unit<'_>, object: gilaudit_model::source::ExprId) -> bool {
    unit.type_of(unit.strip(object)).is_some_and(|ty| exempt::is_definition_table(unit.text(ty.base)))
}

/// Whether the function reads the place other than to ask whether it is empty.
fn is_read_back(unit: &Unit<'_>, place: gilaudit_model::source::ExprId) -> bool {
    let tested: Vec<_> =
        emptiness_tests(unit).iter().filter(|test| test.read == test.node).map(|test| unit.strip(test.place)).collect();
    unit.exprs().any(|(expr, kind, _)| {
        matches!(kind, ExprKind::Field { .. })
            && !tested.contains(&expr)
            && !is_written(unit, expr)
            && unit.same(expr, place)
    })
}

/// High for a pointer of a Python object that Python code reaches; lower for what may be private to one thread.
fn confidence(unit: &Unit<'_>, place: gilaudit_model::source::ExprId, pointer: bool) -> Confidence {
    let owner = key(unit, place).and_then(|key| key.owner);
    let is_object = owner.is_some_and(|owner| unit.project.structs[owner.0 as usize].is_object);
    match (unit.is_callable(), is_object && pointer) {
        (true, true) => Confidence::High,
        // A number is written at once; a struct that is no object is mostly one thread's.
        (true, false) if is_object || pointer && is_shared_otherwise(unit, place) => Confidence::Medium,
        _ => Confidence::Low,
    }
}

/// Whether the struct, which is no Python object, is found by all threads: in a variable of the process, as what a method is called on,
/// or because nothing is known of who calls.
fn is_shared_otherwise(unit: &Unit<'_>, place: gilaudit_model::source::ExprId) -> bool {
    let ExprKind::Field { base, .. } = unit.kind(unit.strip(place)) else { return false };
    let Some(node) = unit.cfg.node_of(unit.strip(place)) else { return false };
    let is_method = !unit.analysis.index.roles_of(unit.function.name).is_empty();
    unit.analysis.index.open
        || unit.roots(base, node).iter().any(|root| match root {
            Root::Global(_) | Root::Static(_) => true,
            Root::Parameter(position) => is_method && *position == 0,
            _ => false,
        })
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
