//! Which names and attributes of a Cython file are dictionaries with weak values.

use std::collections::HashSet;

use gilaudit_model::source::cython::{ExprKind, Function, StmtKind};
use gilaudit_model::source::{ExprId, Name};

use super::code::Code;
use super::index::last_name;

/// How many names that stand for each other are followed.
const ALIASES: usize = 4;

/// The attributes that are bound to one, by class and name: in the class itself, or through the first parameter of a method.
pub(crate) fn weak_attributes(code: &Code<'_>) -> HashSet<(Name, Name)> {
    let file = code.file;
    let mut out = HashSet::new();
    for id in file.stmt_ids() {
        let StmtKind::Assign { targets, value, augmented: false } = file.stmt(id).kind else { continue };
        if !is_made(code, value) {
            continue;
        }
        let function = code.function(id).map(|(_, function)| function);
        for target in file.list(targets) {
            match (file.kind(*target), function) {
                (ExprKind::Attribute { base, name }, Some(function)) => {
                    out.extend(class_of(code, function, base).map(|class| (class, name)));
                }
                (ExprKind::Name(name), None) => {
                    let class = file.around(id).find_map(|around| match file.stmt(around).kind {
                        StmtKind::Class(class) => file.classes.get(class as usize),
                        _ => None,
                    });
                    out.extend(class.map(|class| (class.name, name)));
                }
                _ => {}
            }
        }
    }
    out
}

/// The class whose attribute `base.name` is, in a method of it or by its name.
pub(crate) fn class_of(code: &Code<'_>, function: &Function, base: ExprId) -> Option<Name> {
    let ExprKind::Name(base) = code.file.kind(code.strip(base)) else { return None };
    let own = function.class.and_then(|class| code.file.classes.get(class as usize));
    if let Some(own) = own
        && function.parameters.first().is_some_and(|first| first.name == base)
    {
        return Some(own.name);
    }
    code.file.classes.iter().map(|class| class.name).find(|name| *name == base)
}

/// Whether a name of the module was bound to one first.
pub(crate) fn is_weak_global(code: &Code<'_>, name: Name) -> bool {
    let init = code.index.globals.get(&(code.module(), name)).and_then(|global| global.init);
    init.is_some_and(|(number, init)| {
        code.project.cython.get(number).is_some_and(|file| is_made(&Code { file, number, ..*code }, init))
    })
}

/// `weakref.WeakValueDictionary()`, through whatever name the class has in the module.
fn is_made(code: &Code<'_>, value: ExprId) -> bool {
    const CLASS: &str = "WeakValueDictionary";
    let ExprKind::Call { callee, .. } = code.file.kind(code.strip(value)) else { return false };
    let Some(mut name) = last_name(code.file, callee) else { return false };
    for _ in 0..ALIASES {
        if code.text(name) == CLASS {
            return true;
        }
        let imported = code.file.stmts.iter().find_map(|stmt| match &stmt.kind {
            StmtKind::Import { names, .. } => names.iter().find(|(of, here)| *here == name && of != here),
            _ => None,
        });
        let bound = || {
            let (number, init) = code.index.globals.get(&(code.module(), name))?.init?;
            let file = code.project.cython.get(number)?;
            match file.kind(init) {
                ExprKind::Name(other) | ExprKind::Attribute { name: other, .. } => Some(other),
                _ => None,
            }
        };
        match imported.map(|(of, _)| *of).or_else(bound) {
            Some(other) if other != name => name = other,
            _ => return false,
        }
    }
    false
}
