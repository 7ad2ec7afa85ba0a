//! Flags a `PyMutex` that is copied, moved, left uninitialised, or known to one thread only.

use gilaudit_model::source::{ExprId, ExprKind, LocalId, StructId, Type, UnaryOp};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::{Analysis, Unit};
use crate::engine::cfg::Step;
use crate::engine::flow::Call;
use crate::engine::memory::{self, Does};
use crate::engine::objects::mutex_member;
use crate::engine::values::address_of_local;
use crate::engine::{api, borrow};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "mutex-copied",
    summary: "a PyMutex that is copied, moved, not initialised, or known to one thread only",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("mutex_copied.md"),
    checks: &[Check::Function(check)],
};

const HELP: &str = "keep one PyMutex where all threads find it: static, in the module state, or in the object it guards; begin with zeroed memory and pass its address";

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    if !knows_mutexes(unit.analysis) {
        return;
    }
    variables(unit, rule, out);
    for node in unit.cfg.ids().filter(|node| unit.reachable[node.0 as usize]) {
        match unit.cfg.node(node).step {
            Step::Declare(_, Some(value)) => copied(unit, rule, value, value, out),
            Step::Eval(expr) => match unit.kind(expr) {
                ExprKind::Assign { op: None, value, .. } => copied(unit, rule, expr, value, out),
                ExprKind::Call { .. } => called(unit, rule, expr, out),
                _ => {}
            },
            _ => {}
        }
    }
}

/// Whether the project has a `PyMutex` at all: most have none.
fn knows_mutexes(analysis: &Analysis<'_>) -> bool {
    analysis.project.names.get("PyMutex").is_some()
}

fn report(unit: &Unit<'_>, rule: &Rule, at: ExprId, message: String, out: &mut Vec<Finding>) {
    let span = unit.expr(at).span;
    if !unit.is_unparsed(span) {
        let mut finding = unit.finding_at(rule, span, message);
        finding.help = Some(HELP.to_owned());
        out.push(finding);
    }
}

/// The type of a mutex, or of something that has one inside: how to call it.
fn holder(unit: &Unit<'_>, ty: Type) -> Option<String> {
    if ty.pointers > 0 || ty.reference {
        return None;
    }
    let base = unit.text(ty.base);
    if base == "PyMutex" {
        return Some("a PyMutex".to_owned());
    }
    struct_with_mutex(unit, ty).map(|_| format!("a '{base}' with a PyMutex inside"))
}

fn struct_with_mutex(unit: &Unit<'_>, ty: Type) -> Option<StructId> {
    let id = unit.analysis.types.struct_named(unit.project, ty.base)?;
    mutex_member(unit.project, &unit.analysis.types, id).map(|_| id)
}

/// Parameters by value, and variables of the function itself that no other thread can know.
fn variables(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for (index, local) in unit.body.locals.iter().enumerate() {
        if unit.text(local.ty.base) != "PyMutex" || local.ty.pointers > 0 || local.ty.reference || local.ty.array {
            continue;
        }
        let by_value = local.parameter.is_some();
        if local.is_static
            || local.thread_local
            || local.in_macro
            || !by_value && (is_shared(unit, LocalId(index as u32)) || is_initial(unit, LocalId(index as u32)))
        {
            continue;
        }
        let name = unit.text(local.name);
        let message = if by_value {
            format!("'{name}' is a copy of the caller's PyMutex: locking it excludes nobody")
        } else {
            format!("'{name}' is a PyMutex of this call alone: no other thread can wait for it")
        };
        if unit.is_unparsed(local.span) {
            continue;
        }
        let mut finding = unit.finding_at(rule, local.span, message);
        finding.help = Some(HELP.to_owned());
        out.push(finding);
    }
}

/// Whether the address of a variable goes anywhere else than to lock and unlock it.
fn is_shared(unit: &Unit<'_>, local: LocalId) -> bool {
    let addresses = (0..unit.body.exprs.len() as u32).map(ExprId).filter(|expr| {
        matches!(unit.kind(*expr), ExprKind::Unary { op: UnaryOp::AddressOf, .. })
            && address_of_local(unit.body, *expr) == Some(local)
    });
    addresses.into_iter().any(|address| {
        let locks = unit
            .parent(address)
            .and_then(|parent| unit.call(parent))
            .is_some_and(|call| api::lock_primitive(call.name).is_some());
        !locks
    })
}

/// Whether a variable is never locked: it is a value to begin another mutex with.
fn is_initial(unit: &Unit<'_>, local: LocalId) -> bool {
    !(0..unit.body.exprs.len() as u32).map(ExprId).any(|expr| address_of_local(unit.body, expr) == Some(local))
}

/// `a = b`, `T a = b`, `*a = *b`, where that copies a mutex.
fn copied(unit: &Unit<'_>, rule: &Rule, at: ExprId, value: ExprId, out: &mut Vec<Finding>) {
    let value = unit.strip(value);
    let is_place = matches!(
        unit.kind(value),
        ExprKind::Local(_)
            | ExprKind::Name(_)
            | ExprKind::Field { .. }
            | ExprKind::Index { .. }
            | ExprKind::Unary { op: UnaryOp::Deref, .. }
    );
    let Some(what) =
        is_place.then(|| unit.type_of(value)).flatten().filter(|ty| !ty.array).and_then(|ty| holder(unit, ty))
    else {
        return;
    };
    // What this function has made and nobody has locked yet, and a variable that nobody locks.
    let is_initial = unit.local(value).is_some_and(|local| {
        unit.body.locals.get(local.0 as usize).is_some_and(|it| it.parameter.is_none() && !it.ty.reference)
            && is_initial(unit, local)
    });
    if is_initial {
        return;
    }
    // A whole struct that begins a new one is as good as an initialiser when nobody has locked it: a static template.
    if matches!(unit.kind(value), ExprKind::Name(_)) {
        return;
    }
    report(
        unit,
        rule,
        at,
        format!("this copies {what}: the copy is another lock, or one that stays locked for ever"),
        out,
    );
}

fn called(unit: &Unit<'_>, rule: &Rule, expr: ExprId, out: &mut Vec<Finding>) {
    let Some(call) = unit.call(expr) else { return };
    let pointee = |argument: Option<&ExprId>| {
        let ty = unit.type_of(unit.strip(*argument?))?;
        (ty.pointers == 1 && !ty.array).then(|| holder(unit, Type { pointers: 0, ..ty })).flatten()
    };
    match call.name {
        "memcpy" | "memmove" => {
            // Into a buffer of another type it is a copy of the bytes only.
            if let (Some(what), Some(_)) = (pointee(call.args.get(1)), pointee(call.args.first()))
                && !is_reset(unit, &call)
            {
                report(
                    unit,
                    rule,
                    expr,
                    format!(
                        "'{}' copies {what}: the copy is another lock, or one that stays locked for ever",
                        call.name
                    ),
                    out,
                );
            }
        }
        name => match memory::allocator(name) {
            Some((Does::Resize, _)) => {
                if let Some(what) = pointee(call.args.first()) {
                    report(
                        unit,
                        rule,
                        expr,
                        format!("'{name}' can move {what}: threads that wait for it do not find it again"),
                        out,
                    );
                }
            }
            Some((Does::Alloc, _)) if !zeroes(name) => allocated(unit, rule, expr, name, out),
            _ => {}
        },
    }
}

/// Whether the mutex of the copy gets a value of its own afterwards.
fn is_reset(unit: &Unit<'_>, copy: &Call<'_>) -> bool {
    let Some(target) = copy.args.first().and_then(|target| unit.path(*target)) else { return false };
    let after = unit.cfg.after(copy.node, |_| false);
    unit.exprs().any(|(_, kind, node)| match kind {
        ExprKind::Assign { op: None, target: written, .. } => {
            after.binary_search(&node).is_ok()
                && unit.type_of(unit.strip(written)).is_some_and(|ty| unit.text(ty.base) == "PyMutex")
                && unit
                    .path(written)
                    .is_some_and(|path| path.base == target.base && path.fields.starts_with(&target.fields))
        }
        _ => false,
    })
}

fn zeroes(name: &str) -> bool {
    name.to_ascii_lowercase().contains("calloc")
}

/// Memory that is not zeroed, for a struct with a mutex that nothing in this function initialises.
fn allocated(unit: &Unit<'_>, rule: &Rule, call: ExprId, name: &str, out: &mut Vec<Finding>) {
    let Some((local, stored)) = borrow::stored_local(unit, call) else { return };
    let Some(declared) = unit.body.locals.get(local.0 as usize) else { return };
    let Some(id) = Some(declared.ty).filter(|ty| ty.pointers == 1).and_then(|ty| struct_with_mutex(unit, ty)) else {
        return;
    };
    let Some(position) = mutex_member(unit.project, &unit.analysis.types, id) else { return };
    let Some(member) = unit.project.structs[id.0 as usize].fields.get(position) else { return };
    let after = unit.cfg.after(stored, |_| false);
    // `p->lock = …`, `&p->lock`, `*p = …`, or p handed to anything that could do it.
    let initialised = unit.exprs().any(|(expr, kind, at)| {
        let later = at == stored || after.binary_search(&at).is_ok();
        later
            && match kind {
                ExprKind::Field { base, name, .. } => name == member.name && unit.local(base) == Some(local),
                ExprKind::Unary { op: UnaryOp::Deref, operand } => unit.local(operand) == Some(local),
                ExprKind::Call { args, .. } => {
                    let harmless = unit.call(expr).is_some_and(|call| {
                        memory::takes(call.name).is_some()
                            || matches!(call.name, "Py_DECREF" | "Py_XDECREF" | "PyObject_GC_Track" | "PyObject_Init")
                    });
                    !harmless && unit.body.list(args).iter().any(|arg| unit.local(*arg) == Some(local))
                }
                _ => false,
            }
    });
    if initialised {
        return;
    }
    report(
        unit,
        rule,
        call,
        format!(
            "'{name}' does not zero the PyMutex '{}' and nothing initialises it: it can begin locked, and then stays so",
            unit.text(member.name)
        ),
        out,
    );
}
