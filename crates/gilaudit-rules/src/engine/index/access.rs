//! Who reads and writes which member and which variable.

use gilaudit_model::source::{BinaryOp, Body, ExprId, ExprKind, FunctionId, LocalId, Name, StructId, UnaryOp};

use super::{Index, Part};
use crate::engine::api;
use crate::engine::cfg::{NodeId, Step};
use crate::engine::flow::Flow;
use crate::engine::values::{Root, callee, strip};

/// A member: of a known struct, or of an unknown one by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FieldKey {
    pub(crate) owner: Option<StructId>,
    pub(crate) name: Name,
}

/// A variable with one instance for the whole process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum GlobalKey {
    /// At file scope; by name, which is the same for all files unless it is `static`.
    File(Name),
    /// A `static` local.
    Local(FunctionId, LocalId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessKind {
    Read,
    /// `x = …`, or handed to something that stores into it.
    Write,
    /// `x++`, `x += …`
    Modify,
    /// `&x` handed to a call, or kept.
    Address,
}

/// One access.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) function: FunctionId,
    pub(crate) expr: ExprId,
    pub(crate) kind: AccessKind,
    /// Whether a lock is held on every way.
    pub(crate) locked: bool,
    /// Through an atomic operation.
    pub(crate) atomic: bool,
    /// For a member: whether the object is one that other threads can have (a parameter, a global, what a call gave), not a new one.
    pub(crate) shared: bool,
    /// For a member: the parameter that the object comes in by, if it can come from nowhere else.
    pub(crate) parameter: Option<u32>,
}

/// What a call hands to one parameter of a function of the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// An object that nobody else has: new, or on the stack.
    Private,
    /// The caller's own parameter of this position.
    Parameter(u32),
    /// Anything else.
    Shared,
}

/// What the value of an argument is to other threads.
pub(crate) fn passed(flow: &Flow<'_>, object: ExprId, at: NodeId) -> Passed {
    if is_on_stack(flow, object) {
        return Passed::Private;
    }
    if let Some(whole) = part_of(flow.body, object) {
        return passed(flow, whole, at);
    }
    let mut passed = Passed::Private;
    for root in flow.roots(object, at) {
        let next = match root {
            Root::Call(call) if flow.makes(call) || is_threads_own(flow, call) => Passed::Private,
            Root::Constant => Passed::Private,
            Root::Parameter(position) => Passed::Parameter(position),
            _ => return Passed::Shared,
        };
        passed = match (passed, next) {
            (Passed::Private, next) => next,
            (known, Passed::Private) => known,
            (known, next) if known == next => known,
            _ => return Passed::Shared,
        };
    }
    passed
}

impl Access {
    pub(crate) fn writes(&self) -> bool {
        matches!(self.kind, AccessKind::Write | AccessKind::Modify)
    }
}

/// Functions and macros that store into the variable that is their first argument.
fn stores_into_first(name: &str) -> bool {
    matches!(
        name,
        "Py_CLEAR"
            | "Py_XSETREF"
            | "Py_SETREF"
            | "Py_CLEAR_CODE"
            | "memcpy"
            | "memset"
            | "memmove"
            | "strcpy"
            | "strncpy"
            | "strcat"
            | "sprintf"
            | "snprintf"
            | "vsnprintf"
            | "PyOS_snprintf"
            | "_Py_CLEAR"
    )
}

/// What is done to the place `expr`, as far as its parent says. Also used by rules that look at one function.
pub(crate) fn kinds<'n>(body: &Body, text: impl Fn(Name) -> &'n str) -> Vec<(AccessKind, bool)> {
    let mut kinds = vec![(AccessKind::Read, false); body.exprs.len()];
    for (index, expr) in body.exprs.iter().enumerate() {
        match expr.kind {
            ExprKind::Assign { op, target, .. } => {
                mark(
                    body,
                    &mut kinds,
                    strip(body, target),
                    if op.is_some() { AccessKind::Modify } else { AccessKind::Write },
                    false,
                );
            }
            ExprKind::Update { operand, .. } => mark(body, &mut kinds, strip(body, operand), AccessKind::Modify, false),
            ExprKind::Call { args, .. } => {
                let name = callee(body, ExprId(index as u32)).map(&text).unwrap_or_default();
                let atomic = api::is_atomic(name);
                for (position, arg) in body.list(args).iter().enumerate() {
                    let arg = strip(body, *arg);
                    match body.kind(arg) {
                        ExprKind::Unary { op: UnaryOp::AddressOf, operand } => {
                            mark(body, &mut kinds, strip(body, operand), AccessKind::Address, atomic);
                        }
                        _ if atomic => mark(body, &mut kinds, arg, AccessKind::Read, true),
                        _ if position == 0 && stores_into_first(name) => {
                            mark(body, &mut kinds, arg, AccessKind::Write, false)
                        }
                        _ => {}
                    }
                }
            }
            ExprKind::Unary { op: UnaryOp::AddressOf, operand } => {
                let operand = strip(body, operand);
                if kinds[operand.0 as usize].0 == AccessKind::Read {
                    kinds[operand.0 as usize].0 = AccessKind::Address;
                }
            }
            _ => {}
        }
    }
    kinds
}

fn mark(body: &Body, kinds: &mut [(AccessKind, bool)], expr: ExprId, kind: AccessKind, atomic: bool) {
    // `x[i] = v` and `x.f = v` write x too, as far as a rule about a static array or struct is concerned.
    let mut at = expr;
    for _ in 0..16 {
        let (ExprKind::Index { base, .. } | ExprKind::Field { base, arrow: false, .. }) = body.kind(at) else { break };
        kinds[at.0 as usize] = (kind, atomic);
        at = strip(body, base);
    }
    kinds[at.0 as usize] = (kind, atomic);
}

/// The names of members in initialisers: `.a` of `{.a = b}`.
fn designators(body: &Body) -> Vec<ExprId> {
    let lists = body.exprs.iter().filter_map(|expr| match expr.kind {
        ExprKind::List(list) => Some(body.list(list)),
        _ => None,
    });
    lists
        .flatten()
        .filter_map(|element| match body.kind(*element) {
            ExprKind::Assign { op: None, target, .. } => Some(target),
            _ => None,
        })
        .collect()
}

/// Whether an expression is where a function of the C library writes to.
fn is_filled(flow: &Flow<'_>, expr: ExprId) -> bool {
    let Some(call) = flow.parent(expr).and_then(|parent| flow.call(parent)) else { return false };
    stores_into_first(call.name) && !call.name.starts_with("Py_") && !call.name.starts_with("_Py_")
}

/// Notes the accesses of one function.
pub(super) fn collect(flow: &Flow<'_>, index: &Index, part: &mut Part) {
    let kinds = kinds(flow.body, |name| flow.text(name));
    // What runs once is as good as guarded: `std::call_once(flag, [] { … })`.
    let once = super::once::regions(flow.project, flow.body, &index.runs_once);
    let designators = designators(flow.body);
    for (expr, kind, node) in flow.exprs() {
        if designators.contains(&expr) {
            continue;
        }
        let (mut access, atomic) = kinds[expr.0 as usize];
        // `memcpy(p->data, …)` writes what the member points to, unless that is an array in the object itself.
        if access == AccessKind::Write && is_filled(flow, expr) && flow.type_of(expr).is_some_and(|ty| !ty.array) {
            access = AccessKind::Read;
        }
        let note = |shared, parameter| Access {
            function: flow.id,
            expr,
            kind: access,
            locked: flow.locks.is_locked(node) || once.iter().any(|call| call.contains(flow.expr(expr).span)),
            atomic,
            shared,
            parameter,
        };
        match kind {
            ExprKind::Field { base, name, .. } => {
                let key = FieldKey { owner: flow.field_struct(expr), name };
                let passed = passed(flow, base, node);
                let parameter = if let Passed::Parameter(position) = passed { Some(position) } else { None };
                part.fields.push((key, note(passed != Passed::Private, parameter)));
            }
            ExprKind::Name(name) => part.globals.push((GlobalKey::File(name), note(true, None))),
            // Its initialiser is not a write: it runs once, before.
            ExprKind::Local(local)
                if flow.body.locals[local.0 as usize].is_static
                    && !matches!(flow.cfg.node(node).step, Step::Declare(declared, _) if declared == local) =>
            {
                part.globals.push((GlobalKey::Local(flow.id, local), note(true, None)));
            }
            _ => {}
        }
    }
}

/// Whether an object can be known to other threads: not one that this function just made.
pub(crate) fn is_shared(flow: &Flow<'_>, object: ExprId, at: NodeId) -> bool {
    match passed(flow, object, at) {
        Passed::Private => false,
        Passed::Parameter(position) => !flow.is_private_parameter(position),
        Passed::Shared => true,
    }
}

/// Whether a call gives something that belongs to the thread that calls (E8): its state, or the dict in it.
pub(crate) fn is_threads_own(flow: &Flow<'_>, call: ExprId) -> bool {
    callee(flow.body, call).is_some_and(|name| {
        let name = flow.text(name).trim_start_matches('_');
        matches!(
            name,
            "PyThreadState_Get" | "PyThreadState_GET" | "PyThreadState_GetUnchecked" | "PyThreadState_GetDict"
        )
    })
}

/// The pointer to the object that `&p->member` and `&p->array[i].member` are parts of.
fn part_of(body: &Body, object: ExprId) -> Option<ExprId> {
    let ExprKind::Unary { op: UnaryOp::AddressOf, operand } = body.kind(strip(body, object)) else { return None };
    let mut at = strip(body, operand);
    for _ in 0..16 {
        match body.kind(at) {
            ExprKind::Field { base, arrow: true, .. } => return Some(base),
            ExprKind::Field { base, arrow: false, .. } => at = strip(body, base),
            _ => return None,
        }
    }
    None
}

/// Whether an object is a variable of the function itself, or a part of one, as against something that it points to; also through a
/// pointer that is only ever set to the address of one.
fn is_on_stack(flow: &Flow<'_>, object: ExprId) -> bool {
    let body = flow.body;
    let mut at = strip(body, object);
    for _ in 0..16 {
        match body.kind(at) {
            ExprKind::Field { base, arrow: false, .. } => at = strip(body, base),
            ExprKind::Unary { op: UnaryOp::AddressOf, operand } => at = strip(body, operand),
            ExprKind::Local(local) => {
                let declared = &body.locals[local.0 as usize];
                if declared.ty.pointers == 0 && !declared.ty.reference && !declared.is_static {
                    return true;
                }
                let Some(value) = flow.values.only_value(body, local).map(|value| strip(body, value)) else {
                    return false;
                };
                if !matches!(body.kind(value), ExprKind::Unary { op: UnaryOp::AddressOf, .. } | ExprKind::Local(_)) {
                    return false;
                }
                at = value;
            }
            _ => return false,
        }
    }
    false
}

/// Whether a comparison asks if `place` is empty: `!p`, `p == NULL`, `p == -1`, `p`: the place, and whether it is empty when true.
pub(crate) fn emptiness_test(body: &Body, condition: ExprId) -> Option<(ExprId, bool)> {
    let condition = strip(body, condition);
    match body.kind(condition) {
        ExprKind::Unary { op: UnaryOp::Not, operand } => {
            emptiness_test(body, operand).map(|(place, empty)| (place, !empty)).or(Some((strip(body, operand), true)))
        }
        ExprKind::Binary { op: op @ (BinaryOp::Eq | BinaryOp::Ne), left, right } => {
            let (left, right) = (strip(body, left), strip(body, right));
            let is_empty = |expr| {
                matches!(body.kind(expr), ExprKind::Null | ExprKind::Number(Some(0 | -1)))
                    || matches!(body.kind(expr), ExprKind::Unary { op: UnaryOp::Arithmetic, operand }
                        if body.kind(operand) == ExprKind::Number(Some(1)))
            };
            let place = match (is_empty(left), is_empty(right)) {
                (false, true) => left,
                (true, false) => right,
                _ => return None,
            };
            Some((place, op == BinaryOp::Eq))
        }
        ExprKind::Local(_) | ExprKind::Name(_) | ExprKind::Field { .. } | ExprKind::Index { .. } => {
            Some((condition, false))
        }
        ExprKind::Unary { op: UnaryOp::Deref, .. } => Some((condition, false)),
        ExprKind::Assign { .. } => None,
        _ => None,
    }
}
