//! Flags module-level containers that are looked at and then changed, or iterated over, without a lock.

use std::collections::BTreeMap;

use gilaudit_model::source::cython::{CompareOp, CythonFile, Display, ExprKind, StmtKind};
use gilaudit_model::source::{ExprId, Name, StmtId};
use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::cython::{Code, codes, is_weak_global};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "module-container-check-then-act",
    summary: "a container of the module that is looked at and then changed without a lock",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("module_container_check_then_act.md"),
    checks: &[Check::Cython(check)],
};

fn check(analysis: &Analysis<'_>, file: &CythonFile, rule: &Rule, out: &mut Vec<Finding>) {
    let code = codes(analysis, file);
    let mut uses: BTreeMap<(u32, Name), Vec<Use>> = BTreeMap::new();
    for (of, _) in code.live() {
        let locals = code.locals(of);
        for id in code.body(of) {
            for (name, how, at) in uses_in(&code, id) {
                if !locals.contains(&name) && is_container(&code, name) {
                    uses.entry((of, name)).or_default().push(Use { how, stmt: id, at, locked: code.is_locked(id) });
                }
            }
        }
    }
    for ((of, name), all) in &uses {
        let open = || all.iter().filter(|it| !it.locked);
        let text = code.text(*name);
        let acted =
            open().find(|act| act.how.changes() && open().any(|seen| !seen.how.changes() && seen.stmt <= act.stmt));
        let elsewhere = || {
            uses.iter()
                .filter(|((other, same), _)| other != of && same == name)
                .flat_map(|(_, all)| all)
                .find(|it| it.how.changes())
        };
        // Dictionaries with weak values change by themselves: that is another rule's finding.
        let iterated = || open().find(|it| it.how == How::Iterate && !is_weak_global(&code, *name)).zip(elsewhere());
        let (at, related, message) = if let Some(act) = acted {
            let Some(seen) = open().find(|seen| !seen.how.changes() && seen.stmt <= act.stmt) else { continue };
            (
                seen.at,
                act.stmt,
                format!(
                    "'{text}' is looked at here and changed afterwards without a lock: another thread can change it in between"
                ),
            )
        } else if let Some((seen, changed)) = iterated() {
            (seen.at, changed.stmt, format!("'{text}' is iterated over without a lock while other functions change it"))
        } else {
            continue;
        };
        let mut finding = code.finding(analysis, rule, file.span(at), Some(*of), message);
        let remembers =
            acted.is_some_and(|act| act.how == How::Store) && open().all(|it| matches!(it.how, How::Look | How::Store));
        // A result that is remembered is computed twice at worst.
        finding.confidence = if remembers { Confidence::Low } else { Confidence::High };
        finding.help = Some(format!(
            "hold 'with cython.critical_section({text})' (Cython 3.1) or one lock from the look to the change; to iterate only, take 'list({text})' first"
        ));
        finding.related.push(code.related(analysis, related, "changed here"));
        out.push(finding);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// `in`, `get`, `len`, an item.
    Look,
    /// A copy is made at once.
    Copy,
    Iterate,
    /// An item is set.
    Store,
    /// Items come, go, or move.
    Change,
}

impl How {
    fn changes(self) -> bool {
        matches!(self, Self::Store | Self::Change)
    }
}

struct Use {
    how: How,
    stmt: StmtId,
    at: ExprId,
    locked: bool,
}

/// The calls that make a container.
const MAKERS: [&str; 9] = [
    "dict",
    "list",
    "set",
    "defaultdict",
    "OrderedDict",
    "deque",
    "WeakValueDictionary",
    "WeakKeyDictionary",
    "WeakSet",
];

/// Whether a name of the module is a container that was made once.
fn is_container(code: &Code<'_>, name: Name) -> bool {
    let Some(global) = code.index.globals.get(&(code.module(), name)) else { return false };
    let by_type = global
        .ty
        .is_some_and(|ty| ty.pointers == 0 && !ty.brackets && matches!(code.text(ty.base), "dict" | "list" | "set"));
    let by_value = global.init.is_some_and(|(number, init)| {
        let Some(file) = code.project.cython.get(number) else { return false };
        match file.kind(init) {
            ExprKind::Display { kind, .. } | ExprKind::Comprehension { kind, .. } => kind != Display::Tuple,
            ExprKind::Call { callee, .. } => match file.kind(callee) {
                ExprKind::Name(made) | ExprKind::Attribute { name: made, .. } => MAKERS.contains(&code.text(made)),
                _ => false,
            },
            _ => false,
        }
    });
    by_type || by_value
}

/// How a statement uses the names in it as containers.
fn uses_in(code: &Code<'_>, id: StmtId) -> Vec<(Name, How, ExprId)> {
    let file = code.file;
    let mut out = Vec::new();
    let mut add = |expr: ExprId, how: How| {
        if let ExprKind::Name(name) = file.kind(expr) {
            out.push((name, how, expr));
        }
    };
    let stored = |list| {
        file.list(list).iter().filter_map(|target| match file.kind(*target) {
            ExprKind::Subscript { base, .. } => Some(base),
            _ => None,
        })
    };
    match &file.stmt(id).kind {
        StmtKind::Assign { targets, augmented, .. } => {
            stored(*targets).for_each(|base| add(base, if *augmented { How::Change } else { How::Store }));
            if *augmented {
                stored(*targets).for_each(|base| add(base, How::Look));
            }
        }
        StmtKind::Delete(targets) => stored(*targets).for_each(|base| add(base, How::Change)),
        StmtKind::For { iter: Some(iter), .. } => iterated(code, *iter, How::Iterate, &mut add),
        _ => {}
    }
    for expr in file.exprs_of(id) {
        match file.kind(expr) {
            ExprKind::Each { iter, .. } => iterated(code, iter, How::Iterate, &mut add),
            ExprKind::Compare { op: CompareOp::In | CompareOp::NotIn, right, .. } => add(right, How::Look),
            ExprKind::Call { callee, args } => {
                if let ExprKind::Attribute { base, name } = file.kind(callee) {
                    match code.text(name) {
                        "get" | "index" | "count" => add(base, How::Look),
                        "append" | "remove" | "insert" | "pop" | "popitem" | "clear" | "add" | "discard" | "extend"
                        | "appendleft" | "popleft" | "sort" | "reverse" => add(base, How::Change),
                        _ => {}
                    }
                }
                if let ExprKind::Name(name) = file.kind(callee)
                    && let [arg, ..] = file.list(args)
                {
                    match code.text(name) {
                        "len" => add(*arg, How::Look),
                        "list" | "tuple" | "dict" | "set" | "frozenset" | "sorted" => {
                            iterated(code, *arg, How::Copy, &mut add)
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    out
}

/// The container behind what is iterated over.
fn iterated(code: &Code<'_>, iter: ExprId, how: How, add: &mut impl FnMut(ExprId, How)) {
    if let Some(container) = code.iterated(iter) {
        add(container, how);
    }
}
