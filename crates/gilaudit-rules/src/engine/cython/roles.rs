//! How threads get to a function of a Cython file: what its callers are, and what those hold.

use std::collections::HashSet;

use gilaudit_model::source::cython::{CythonFile, Declarator, ExprKind, Function};
use gilaudit_model::source::{ExprId, Language, Name, Project, StmtId};

use super::code::{Code, held};
use super::index::{FunctionRef, Index, is_lifecycle};
use crate::engine::analysis::is_test_path;

/// What is known of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Role {
    /// Other threads can run it on objects that they share: reached from `def` and `cpdef` functions, not only while a module is
    /// imported or an object made.
    pub(crate) live: bool,
    /// Everyone who calls it holds a lock (E6).
    pub(crate) lock_held: bool,
    /// Some caller runs it without the GIL: if it races, it did so before, too.
    pub(crate) detached: bool,
}

/// A call of something with a name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// The number of the Cython file.
    pub(crate) file: usize,
    pub(crate) stmt: StmtId,
    /// What is called.
    pub(crate) callee: ExprId,
}

/// How many calls lie between a function and the one that Python calls, at most; longer chains are not followed.
const ROUNDS: usize = 8;

/// The roles of all functions. The index has its calls and its locks.
pub(super) fn collect(project: &Project, index: &mut Index) {
    let named = named_in_python(project);
    let mut followed: Vec<FunctionRef> = Vec::new();
    for (number, file) in project.cython.iter().enumerate() {
        for (function, of) in file.functions.iter().zip(0u32..) {
            let name = project.text(function.name);
            let inner = is_for_callers(project, index, function, &named);
            let live = !inner && !is_lifecycle(name);
            let lock_held = ["_locked", "_lock_held", "_with_lock"].iter().any(|suffix| name.ends_with(suffix));
            index.roles.insert((number, of), Role { live, lock_held, detached: false });
            if inner || function.nogil {
                followed.push((number, of));
            }
        }
    }
    for _ in 0..ROUNDS {
        let mut changed = Vec::new();
        for id in &followed {
            let (Some(role), Some(function)) = (index.roles.get(id).copied(), function(project, *id)) else { continue };
            let calls = index.calls.get(&function.name).map(Vec::as_slice).unwrap_or_default();
            let now = after_calls(project, index, *id, function, role, calls);
            if now != role {
                changed.push((*id, now));
            }
        }
        if changed.is_empty() {
            break;
        }
        index.roles.extend(changed);
    }
}

/// Whether a function is there for the project's own Cython code: `cdef`, or `cpdef` with a private name that Cython code calls and
/// no Python code mentions.
fn is_for_callers(project: &Project, index: &Index, function: &Function, named: &HashSet<&str>) -> bool {
    let name = project.text(function.name);
    match function.declarator {
        Declarator::Def => false,
        Declarator::Cdef => true,
        Declarator::Cpdef => {
            name.starts_with('_')
                && !name.starts_with("__")
                && index.calls.contains_key(&function.name)
                && !named.contains(name)
        }
    }
}

/// The words with a leading underscore in Python files that are no tests.
fn named_in_python(project: &Project) -> HashSet<&str> {
    if project.cython.is_empty() {
        return HashSet::new();
    }
    let files = project.files.iter().filter(|file| file.language == Language::Python && !is_test_path(&file.path));
    files
        .flat_map(|file| file.text.split(|letter: char| !letter.is_alphanumeric() && letter != '_'))
        .filter(|word| word.starts_with('_'))
        .collect()
}

fn function(project: &Project, (number, of): FunctionRef) -> Option<&Function> {
    project.cython.get(number)?.functions.get(of as usize)
}

/// A role, by what is known of the callers so far.
fn after_calls(
    project: &Project,
    index: &Index,
    id: FunctionRef,
    function: &Function,
    role: Role,
    calls: &[Call],
) -> Role {
    let code = |number: usize| project.cython.get(number).map(|file| Code { project, index, file, number });
    let caller = |call: &Call| {
        let (of, _) = code(call.file)?.function(call.stmt)?;
        index.roles.get(&(call.file, of)).copied()
    };
    let by_live = || calls.iter().any(|call| caller(call).is_some_and(|role| role.live));
    let live = role.live || by_live();
    let lock_held = role.lock_held
        || by_live()
            && calls.iter().all(|call| match caller(call) {
                None => true,
                Some(role) if !role.live || role.lock_held => true,
                Some(_) => code(call.file).is_some_and(|code| held(&code, call.stmt)),
            });
    let detached = role.detached
        || function.nogil
            && calls.iter().any(|call| {
                code(call.file).is_some_and(|code| code.is_detached(call.stmt) && calls_it(&code, *call, id, function))
            });
    Role { live, lock_held, detached }
}

/// Whether a call is surely one of this function and of no other of its name: the class of the receiver is known, and is the function's,
/// one of its base classes or one that is derived from it.
fn calls_it(code: &Code<'_>, call: Call, (number, _): FunctionRef, function: &Function) -> bool {
    let class = |file: &CythonFile| Some(file.classes.get(function.class? as usize)?.name);
    let own = code.project.cython.get(number).and_then(class);
    match (own, code.file.kind(call.callee)) {
        (None, ExprKind::Name(_)) => true,
        (Some(own), ExprKind::Attribute { base, .. }) => {
            let receiver = code.function(call.stmt).and_then(|(of, _)| code.receiver(of, base));
            receiver.is_some_and(|receiver| code.index.derives(receiver, own) || code.index.derives(own, receiver))
        }
        _ => false,
    }
}

impl Index {
    /// What is called, by name, and only while an object is made or destroyed.
    pub(crate) fn set_up(&self, project: &Project) -> HashSet<Name> {
        let sets_up = |call: &Call| {
            let Some(file) = project.cython.get(call.file) else { return false };
            let Some((of, function)) = (Code { project, index: self, file, number: call.file }).function(call.stmt)
            else {
                return false;
            };
            let live = self.roles.get(&(call.file, of)).is_none_or(|role| role.live);
            !live && (is_lifecycle(project.text(function.name)) || self.calls.contains_key(&function.name))
        };
        self.calls.iter().filter(|(_, calls)| calls.iter().all(sets_up)).map(|(name, _)| *name).collect()
    }

    /// Whether an extension type is another one or derived from it.
    pub(crate) fn derives(&self, class: Name, from: Name) -> bool {
        let (mut open, mut seen) = (vec![class], HashSet::new());
        while let Some(class) = open.pop() {
            if class == from {
                return true;
            }
            if seen.insert(class) {
                open.extend(self.extensions.get(&class).into_iter().flatten());
            }
        }
        false
    }
}

impl Code<'_> {
    /// The extension type whose method is called, by the declared type of the receiver: a local, an attribute of one, a new object, or
    /// the name of the class itself.
    pub(crate) fn receiver(&self, of: u32, base: ExprId) -> Option<Name> {
        let extension = |name: Name| self.index.extensions.contains_key(&name).then_some(name);
        let typed = |ty: gilaudit_model::source::cython::Type| {
            let text = self.text(ty.base);
            let last = text.rsplit('.').next().unwrap_or(text);
            extension(self.project.names.get(last)?).filter(|_| ty.pointers == 0 && !ty.brackets)
        };
        // `a.b.c` from the left.
        let (mut at, mut attributes) = (base, Vec::new());
        while let ExprKind::Attribute { base, name } = self.file.kind(at) {
            attributes.push(name);
            at = base;
        }
        let mut class = match self.file.kind(at) {
            ExprKind::Name(name) => match self.local_type(of, name) {
                Some(ty) => typed(ty?)?,
                None => extension(name)
                    .or_else(|| typed(self.index.globals.get(&(self.module(), name)).and_then(|global| global.ty)?))?,
            },
            ExprKind::Cast { ty, .. } => typed(ty)?,
            ExprKind::Call { callee, .. } => match self.file.kind(callee) {
                ExprKind::Name(name) => extension(name)?,
                _ => return None,
            },
            _ => return None,
        };
        for attribute in attributes.into_iter().rev() {
            class = typed(self.index.attribute(class, attribute)?)?;
        }
        Some(class)
    }

    /// Whether a statement surely runs without the GIL at times: in `with nogil` or a `prange(nogil=True)` of its function, or in a
    /// function that is called so.
    pub(crate) fn is_detached(&self, stmt: StmtId) -> bool {
        match self.released_around(stmt) {
            Some(released) => released,
            None => self.function(stmt).is_some_and(|(of, _)| self.role(of).detached),
        }
    }
}
