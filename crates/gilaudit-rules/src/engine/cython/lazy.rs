//! Attributes of extension types that are filled, or pointers in them that are freed, after a test and without a lock.

use gilaudit_model::source::cython::{CompareOp, ExprKind, Function, StmtKind};
use gilaudit_model::source::{ExprId, Name, StmtId};

use super::code::Code;

/// A test of an attribute, and what follows from it.
#[derive(Clone, Debug)]
pub(crate) struct LazyFill {
    /// The function it is in.
    pub(crate) function: u32,
    pub(crate) attribute: Name,
    /// The `if` or `elif`.
    pub(crate) test: StmtId,
    /// Where the attribute is filled, or its content freed; at least one.
    pub(crate) acts: Vec<StmtId>,
}

/// All in the functions of a file that threads can run at the same time.
pub(crate) fn lazy_fills(code: &Code<'_>) -> Vec<LazyFill> {
    let file = code.file;
    let mut out = Vec::new();
    for (of, function) in code.live() {
        if code.extension_self(function).is_none_or(|(class, _)| code.index.is_local_only(class)) {
            continue;
        }
        for id in code.body(of) {
            let (StmtKind::If(test) | StmtKind::Elif(test)) = file.stmt(id).kind else { continue };
            if code.is_locked(id) {
                continue;
            }
            let mut tests = Vec::new();
            emptiness(code, test, true, &mut tests);
            let fill = tests.into_iter().find_map(|(place, empty_in_body)| {
                let (attribute, ty) = code.attribute(function, place)?;
                if code.is_atomic(ty) || !code.is_object(ty) && ty.pointers == 0 {
                    return None;
                }
                let acts = race_after(code, function, id, place, empty_in_body);
                let harmless = acts.iter().all(|act| match file.stmt(*act).kind {
                    StmtKind::Assign { value, .. } => code.is_constant(of, value),
                    _ => false,
                });
                (!harmless).then_some(LazyFill { function: of, attribute, test: id, acts })
            });
            out.extend(fill);
        }
    }
    out
}

/// The places that a condition tests, and whether they are empty where it is true.
fn emptiness(code: &Code<'_>, test: ExprId, truth: bool, out: &mut Vec<(ExprId, bool)>) {
    let is_empty = |expr| matches!(code.file.kind(code.strip(expr)), ExprKind::None | ExprKind::Null);
    match code.file.kind(test) {
        ExprKind::Not(inner) => emptiness(code, inner, !truth, out),
        ExprKind::Compare { op: CompareOp::Equal, left, right } if is_empty(right) => out.push((left, truth)),
        ExprKind::Compare { op: CompareOp::NotEqual, left, right } if is_empty(right) => out.push((left, !truth)),
        ExprKind::Logic { left, right, .. } => {
            emptiness(code, left, truth, out);
            emptiness(code, right, truth, out);
        }
        ExprKind::Attribute { .. } => out.push((test, !truth)),
        _ => {}
    }
}

/// Where an attribute is filled, or freed and cleared, as a consequence of a test and without a lock.
fn race_after(code: &Code<'_>, function: &Function, test: StmtId, place: ExprId, empty_in_body: bool) -> Vec<StmtId> {
    let file = code.file;
    let Some(path) = code.path(place) else { return Vec::new() };
    let same = |expr: &ExprId| code.path(*expr).is_some_and(|other| other == path);
    let assigns = |id: &StmtId, clears: bool| {
        let StmtKind::Assign { targets, value, augmented: false } = file.stmt(*id).kind else { return false };
        let empty = matches!(file.kind(code.strip(value)), ExprKind::None | ExprKind::Null);
        empty == clears && file.list(targets).iter().any(same) && !code.is_locked(*id)
    };
    if empty_in_body {
        return file.inside(test).filter(|id| assigns(id, false)).collect();
    }
    let body: Vec<StmtId> = file.inside(test).collect();
    let leaves = body.last().is_some_and(|last| matches!(file.stmt(*last).kind, StmtKind::Return(_) | StmtKind::Raise));
    // `if self.x is not None: return self.x`, and then it is filled; or filled in the `else`.
    let after = StmtId(file.stmt(test).end.0);
    let is_else = file
        .stmts
        .get(after.0 as usize)
        .is_some_and(|stmt| stmt.kind == StmtKind::Else && stmt.parent == file.stmt(test).parent);
    let rest = match (is_else, leaves) {
        (true, _) => Some((after.0, file.stmt(after).end.0)),
        (false, true) => {
            let block = file.stmt(test).parent.map_or(file.stmt(function.stmt).end, |parent| file.stmt(parent).end);
            Some((after.0, block.0))
        }
        (false, false) => None,
    };
    let (start, end) = rest.unwrap_or((0, 0));
    let filled: Vec<StmtId> = (start..end).map(StmtId).filter(|id| assigns(id, false)).collect();
    if !filled.is_empty() {
        return filled;
    }
    // Freed: handed to a function, then cleared.
    let handed =
        |id: &StmtId| file.exprs_of(*id).any(|expr| code.called(expr).is_some_and(|(_, args)| args.iter().any(same)));
    let freed = body.iter().find(|id| handed(id));
    freed.into_iter().filter(|freed| body.iter().any(|id| id > *freed && assigns(id, true))).copied().collect()
}
