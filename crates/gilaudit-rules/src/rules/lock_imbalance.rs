//! Flags a lock that is not released on some way out, or taken again by the thread that holds it.

use gilaudit_model::source::{ExprId, ExprKind, Name, UnaryOp};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Unit;
use crate::engine::api::{self, LockFamily};
use crate::engine::cfg::{EXIT, NodeId, Step};
use crate::engine::index::Role;
use crate::engine::locks::{Change, Lock};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "lock-imbalance",
    summary: "a lock that is not released on some way out, or taken twice",
    severity: Severity::Error,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("lock_imbalance.md"),
    checks: &[Check::Function(check)],
};

fn check(unit: &Unit<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for (node, change, span) in &unit.locks.changes {
        let Change::Acquire(lock) = *change else { continue };
        let taken = &unit.locks.locks[lock];
        let plain = taken.family.is_lock() && taken.family != LockFamily::Section || taken.family == LockFamily::Pinned;
        if !plain || !unit.reachable[node.0 as usize] || unit.is_unparsed(*span) || !is_certain(unit, *node) {
            continue;
        }
        if !taken.object.is_none_or(|object| is_one_place(unit, object)) {
            continue;
        }
        if taken.family.is_lock()
            && unit.locks.held(*node).any(|held| held == taken)
            && taken.path.is_some()
            && belongs_to_taker(unit, lock)
        {
            let message = format!(
                "'{}' is taken by a thread that already holds it: the thread waits for itself",
                taken.object.map_or("the lock", |object| unit.source(object))
            );
            let mut finding = unit.finding_at(rule, *span, message);
            finding.help =
                Some("release it first, or split off a function that is called with the lock held".to_owned());
            if let Some((_, _, first)) = unit.locks.acquisitions().find(|(at, other, _)| *other == taken && at != node)
            {
                finding.related.push(unit.analysis.related(unit.function.file, first, "taken here first"));
            }
            out.push(finding);
            continue;
        }
        leaks(unit, rule, (*node, lock, *span), out);
    }
}

/// A way from the acquisition to the end of the function without a release, where other ways have one.
fn leaks(
    unit: &Unit<'_>,
    rule: &Rule,
    (node, lock, span): (NodeId, usize, gilaudit_model::source::Span),
    out: &mut Vec<Finding>,
) {
    let taken = &unit.locks.locks[lock];
    let releases: Vec<NodeId> = unit
        .locks
        .changes
        .iter()
        .filter(|(_, change, _)| match change {
            Change::Release(other) => *other == lock || may_be_same(&unit.locks.locks[*other], taken),
            Change::ReleaseLast(family) => *family == taken.family,
            Change::Acquire(_) => false,
        })
        .map(|(at, _, _)| *at)
        .collect();
    // A function that only takes it, or that keeps it when all went well, hands it to its caller.
    let handed = if releases.is_empty() { !nobody_releases(unit, taken.family) } else { false };
    if handed || hands_over(unit, lock) || releases.iter().any(|at| is_callers(unit, *at, lock)) {
        return;
    }
    let stops = |at: NodeId| releases.contains(&at) || ends_lock(unit, at, lock);
    let open = unit.cfg.after(node, stops);
    if !open.contains(&EXIT) || depends_on_flag(unit, node, &open) {
        return;
    }
    let leaving = open.iter().copied().find(|at| {
        matches!(unit.cfg.node(*at).step, Step::Return(_) | Step::Throw)
            && !stops(*at)
            && unit.cfg.after(*at, stops).contains(&EXIT)
    });
    let Some(leaving) = leaving else { return };
    let mut finding = unit.finding_at(
        rule,
        unit.cfg.node(leaving).span,
        format!(
            "this way out does not release what '{}' took: {}",
            unit.file().text_of(span),
            match taken.family {
                LockFamily::Pinned => "it stays locked",
                _ => "the next thread that wants the lock waits for ever",
            }
        ),
    );
    finding.help =
        Some("release it on every way out: set a result and go to one label in front of the release".to_owned());
    finding.related.push(unit.analysis.related(unit.function.file, span, "taken here"));
    out.push(finding);
}

/// Whether the call certainly takes the lock: its result does not say whether it did.
fn is_certain(unit: &Unit<'_>, node: NodeId) -> bool {
    let Step::Eval(expr) = unit.cfg.node(node).step else { return false };
    let Some(call) = unit.call(expr) else { return false };
    let lower = call.name.to_ascii_lowercase();
    let tries = lower.contains("try") || lower.contains("timed");
    let used =
        unit.parent(expr).is_some() || matches!(next_step(unit, node), Some(Step::Branch(value)) if value == expr);
    let declared = unit
        .cfg
        .ids()
        .any(|at| matches!(unit.cfg.node(at).step, Step::Declare(_, Some(init)) if unit.strip(init) == expr));
    !tries && !used && !declared
}

fn next_step(unit: &Unit<'_>, node: NodeId) -> Option<Step> {
    unit.cfg.node(node).successors.first().map(|next| unit.cfg.node(*next).step)
}

/// Whether an expression always means the same lock: no element of an array that a variable selects.
fn is_one_place(unit: &Unit<'_>, object: ExprId) -> bool {
    let object = unit.strip(object);
    match unit.kind(object) {
        ExprKind::Index { base, index } => {
            matches!(unit.kind(unit.strip(index)), ExprKind::Number(_)) && is_one_place(unit, base)
        }
        ExprKind::Field { base, .. } => is_one_place(unit, base),
        // The variable is the lock itself.
        ExprKind::Unary { op: UnaryOp::AddressOf, operand } if unit.local(operand).is_some() => true,
        ExprKind::Unary { operand, .. } => is_one_place(unit, operand),
        // A variable that changes means another lock afterwards.
        ExprKind::Local(local) => {
            let definitions = unit.values.definitions(local).iter();
            definitions.filter(|it| it.source != crate::engine::values::Source::Nothing).count() <= 1
        }
        ExprKind::Name(_) => true,
        _ => false,
    }
}

/// Whether only the thread that took a lock releases it, and cannot take it again: no semaphore, no recursive mutex.
fn belongs_to_taker(unit: &Unit<'_>, lock: usize) -> bool {
    let taken = &unit.locks.locks[lock];
    let ty = taken.object.and_then(|object| unit.type_of(unit.strip(object)));
    let is_recursive = |name: &str| name.to_ascii_lowercase().contains("recursive");
    match taken.family {
        LockFamily::PyMutex => true,
        LockFamily::Cpp | LockFamily::C11 => ty.is_some_and(|ty| !is_recursive(unit.text(ty.base))),
        LockFamily::Posix => unit.project.names.get("PTHREAD_MUTEX_RECURSIVE").is_none(),
        _ => false,
    }
}

/// Whether somebody else releases the lock: a function that is one half of a pair by its name, one that tells its caller which lock it
/// took, one that starts the thread which releases it.
fn hands_over(unit: &Unit<'_>, lock: usize) -> bool {
    let starts = unit.calls().any(|call| {
        matches!(
            call.name,
            "PyThread_start_new_thread"
                | "PyThread_start_joinable_thread"
                | "pthread_create"
                | "_beginthreadex"
                | "CreateThread"
        )
    });
    let name = unit.name().to_ascii_lowercase();
    let words = ["lock", "acquire", "enter", "begin", "start", "hold", "before", "prepare", "suspend"];
    let place = &unit.locks.locks[lock].path;
    let tells = unit.exprs().any(|(_, kind, _)| match kind {
        ExprKind::Assign { op: None, target, value } => {
            !matches!(unit.kind(unit.strip(target)), ExprKind::Local(_))
                && place.is_some()
                && unit.path(value) == *place
        }
        _ => false,
    });
    starts
        || tells
        || name.split('_').any(|part| words.iter().any(|word| part.starts_with(word)))
        || words.iter().any(|word| name.ends_with(word) && !name.ends_with("block") && !name.ends_with("clock"))
}

/// Whether two locks can be one: a helper's lock is known by its argument only, which may be what the lock is a member of.
fn may_be_same(one: &Lock, other: &Lock) -> bool {
    one.family == other.family
        && match (&one.path, &other.path) {
            (Some(one), Some(other)) => {
                one.base == other.base
                    && (one.fields.starts_with(&other.fields) || other.fields.starts_with(&one.fields))
            }
            _ => true,
        }
}

/// Whether no caller can release what the function took: Python calls it, or those that call it release nothing of the kind. A semaphore
/// can be released by anybody.
fn nobody_releases(unit: &Unit<'_>, family: LockFamily) -> bool {
    if family == LockFamily::PyThread {
        return false;
    }
    let index = &unit.analysis.index;
    let is_entry = |role: &Role| matches!(role, Role::Method(_) | Role::Getter | Role::Setter | Role::Slot(_));
    if index.roles_of(unit.function.name).iter().any(is_entry)
        || unit.file().clinic.iter().any(|entry| *entry.function == *unit.name())
    {
        return true;
    }
    let releases = |name: Name| {
        api::lock_primitive(unit.text(name)).is_some_and(|primitive| !primitive.acquires && primitive.family == family)
            || index.effects.get(&name).is_some_and(|effect| effect.releases.iter().any(|(other, _)| *other == family))
    };
    let callers = index.callers.get(&unit.function.name);
    unit.function.is_static
        && callers.is_some_and(|sites| {
            sites.iter().all(|site| {
                let body = &unit.project.function(site.caller).body;
                !body.exprs.iter().any(|expr| match expr.kind {
                    ExprKind::Name(name) | ExprKind::Field { name, .. } => releases(name),
                    _ => false,
                })
            })
        })
        && !index.address_taken.contains(&unit.function.name)
}

/// Whether a release is of a lock that the function did not take: it lends its caller's lock out for a while.
fn is_callers(unit: &Unit<'_>, release: NodeId, lock: usize) -> bool {
    let taken = &unit.locks.locks[lock];
    !unit.locks.maybe_held(release).any(|held| held == taken)
}

/// Whether what decides to take the lock also decides to release it: the same condition stands in front of both.
fn depends_on_flag(unit: &Unit<'_>, node: NodeId, open: &[NodeId]) -> bool {
    let condition = |at: &NodeId| match unit.cfg.node(*at).step {
        // What came out of a macro has the text of the macro's use, so the places are compared, too.
        Step::Branch(condition) => {
            let condition = unit.strip(condition);
            Some((unit.source(condition), unit.path(condition)))
        }
        _ => None,
    };
    let before: Vec<_> = unit.cfg.before(node, |_| false).iter().filter_map(condition).collect();
    open.iter()
        .filter_map(condition)
        .any(|(text, path)| before.iter().any(|(other, place)| *other == text || path.is_some() && *place == path))
}

/// Whether nothing is left to release: the lock is destroyed, or the process ends.
fn ends_lock(unit: &Unit<'_>, at: NodeId, lock: usize) -> bool {
    let Step::Eval(expr) = unit.cfg.node(at).step else { return false };
    let Some(call) = unit.call(expr) else { return false };
    match call.name {
        "abort" | "exit" | "_exit" | "Py_FatalError" | "Py_UNREACHABLE" | "longjmp" | "pthread_exit" => true,
        "PyThread_free_lock"
        | "pthread_mutex_destroy"
        | "pthread_rwlock_destroy"
        | "DeleteCriticalSection"
        | "mtx_destroy" => call.args.first().and_then(|arg| unit.path(*arg)) == unit.locks.locks[lock].path,
        _ => false,
    }
}
