//! Flags borrowed references that Cython code takes from containers other threads can change.

use gilaudit_model::source::cython::{CythonFile, Declarator, ExprKind, StmtKind};
use gilaudit_model::source::{ExprId, StmtId};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::cython::{Code, codes};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "cpython-borrowed",
    summary: "a borrowed reference from a shared container in Cython code",
    severity: Severity::Error,
    confidence: Confidence::Medium,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("cpython_borrowed.md"),
    checks: &[Check::Cython(check)],
};

fn check(analysis: &Analysis<'_>, file: &CythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let code = codes(analysis, file);
    for (of, _) in code.live() {
        for id in code.body(of) {
            for expr in file.exprs_of(id) {
                let Some((name, args)) = code.called(expr) else { continue };
                let Some((_, instead)) = BORROWING.iter().find(|(borrowing, _)| *borrowing == name) else { continue };
                let Some(container) = args.first() else { continue };
                let shared = shared_as(&code, of, *container, 4);
                if shared.is_none() || code.is_locked(id) {
                    continue;
                }
                let text = analysis.project.file(file.file).text_of(file.span(code.strip(*container)));
                let message = format!(
                    "'{name}' gives a borrowed reference into '{text}', which other threads can change before it is made a strong one"
                );
                let mut finding = code.finding(analysis, rule, file.span(expr), Some(of), message);
                finding.confidence = shared.unwrap_or(Confidence::Low);
                finding.help = Some(format!(
                    "{instead}; or hold 'with cython.critical_section(container)' (Cython 3.1) until the reference is a Python object"
                ));
                out.push(finding);
            }
        }
    }
}

/// The functions, and what to use instead.
const BORROWING: [(&str, &str); 9] = [
    (
        "PyDict_GetItem",
        "use 'd.get(key)' or 'd[key]' on a variable declared 'dict', or PyDict_GetItemRef (Python 3.13)",
    ),
    (
        "PyDict_GetItemWithError",
        "use 'd.get(key)' or 'd[key]' on a variable declared 'dict', or PyDict_GetItemRef (Python 3.13)",
    ),
    (
        "PyDict_GetItemString",
        "use 'd.get(key)' on a variable declared 'dict', or PyDict_GetItemStringRef (Python 3.13)",
    ),
    ("PyDict_SetDefault", "use 'd.setdefault(key, value)', or PyDict_SetDefaultRef (Python 3.13)"),
    ("PyDict_Next", "iterate over a copy, or over 'd.items()' on a variable declared 'dict'"),
    ("PyList_GetItem", "use 'l[i]' on a variable declared 'list', or PyList_GetItemRef (Python 3.13)"),
    ("PyList_GET_ITEM", "use 'l[i]' on a variable declared 'list', or PyList_GetItemRef (Python 3.13)"),
    ("PySequence_Fast_GET_ITEM", "iterate over 'tuple(sequence)', or use PySequence_ITEM"),
    ("PyWeakref_GetObject", "call the weak reference, or use PyWeakref_GetRef (Python 3.13)"),
];

/// How sure it is that other threads have an object; none for one that was made here.
fn shared_as(code: &Code<'_>, of: u32, object: ExprId, steps: u32) -> Option<Confidence> {
    let file = code.file;
    let object = code.strip(object);
    match file.kind(object) {
        ExprKind::Attribute { .. } => Some(Confidence::Medium),
        ExprKind::Call { .. } => match code.called(object)? {
            ("PySequence_Fast", [sequence, ..]) if steps > 0 => shared_as(code, of, *sequence, steps - 1),
            _ => None,
        },
        ExprKind::Name(name) => {
            let function = file.functions.get(of as usize)?;
            if let Some(parameter) = function.parameters.iter().find(|parameter| parameter.name == name) {
                let python = function.declarator != Declarator::Cdef;
                let tuple = parameter.ty.is_some_and(|ty| code.text(ty.base) == "tuple");
                return (!parameter.star && !tuple).then_some(if python {
                    Confidence::Medium
                } else {
                    Confidence::Low
                });
            }
            if code.locals(of).contains(&name) {
                let mut values = code.body(of).flat_map(|id| values_of(code, id, name));
                return if steps == 0 { None } else { values.find_map(|value| shared_as(code, of, value, steps - 1)) };
            }
            code.index.globals.contains_key(&(code.module(), name)).then_some(Confidence::Medium)
        }
        _ => None,
    }
}

/// What a statement assigns to a name.
fn values_of(code: &Code<'_>, id: StmtId, name: gilaudit_model::source::Name) -> Vec<ExprId> {
    match &code.file.stmt(id).kind {
        StmtKind::Assign { targets, value, .. } => {
            let assigned =
                code.file.list(*targets).iter().any(|target| code.file.kind(*target) == ExprKind::Name(name));
            if assigned { vec![*value] } else { Vec::new() }
        }
        StmtKind::Declare(first, end) => {
            let declared = code.file.variables.get(*first as usize..*end as usize).unwrap_or_default();
            declared.iter().filter(|variable| variable.name == name).filter_map(|variable| variable.init).collect()
        }
        _ => Vec::new(),
    }
}
