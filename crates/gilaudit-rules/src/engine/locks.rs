//! Which locks are held at every step of a function, and whether its thread state is attached.

use gilaudit_model::source::{Body, ExprId, ExprKind, Local, LocalId, Name, Project, Span};

use super::api::{self, LockFamily};
use super::cfg::{Cfg, ENTRY, NodeId, Step};
use super::values::{Path, Values, arguments, callee, path};

/// Most locks told apart in one function; more are not tracked.
const MOST: usize = 60;

/// A lock that the function takes: a family and the object that says which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lock {
    pub(crate) family: LockFamily,
    /// What is locked, as written where it is taken first.
    pub(crate) object: Option<ExprId>,
    /// The place that means.
    pub(crate) path: Option<Path>,
}

/// What a step does to a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Acquire(usize),
    Release(usize),
    /// Releases the one of this family that was taken last.
    ReleaseLast(LockFamily),
}

/// The locks of one function.
#[derive(Clone, Debug, Default)]
pub(crate) struct Locks {
    pub(crate) locks: Vec<Lock>,
    /// The steps that take or release, in order.
    pub(crate) changes: Vec<(NodeId, Change, Span)>,
    /// Guards: the lock, and the scope at whose end it is released.
    guards: Vec<(usize, Span)>,
    /// Held on every way to the step, before it runs.
    must: Vec<u64>,
    /// Held on some way.
    may: Vec<u64>,
}

/// What calling a function does to locks, in terms of its caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effect {
    /// Taken and still held at every exit: the family, and the parameter whose place it is.
    pub(crate) acquires: Vec<(LockFamily, Option<u32>)>,
    /// Released though not taken.
    pub(crate) releases: Vec<(LockFamily, Option<u32>)>,
    /// For a class: a variable of it holds a lock of this family until it goes out of scope.
    pub(crate) guard: Option<LockFamily>,
}

impl Locks {
    /// `effect_of` tells what calling a function of the project does.
    pub(crate) fn new<'e>(
        project: &Project,
        body: &Body,
        cfg: &Cfg,
        values: &Values,
        effect_of: impl Fn(Name) -> Option<&'e Effect>,
    ) -> Self {
        let mut locks = Self::default();
        // The variables that hold a lock: `guard.unlock()` is about that one.
        let mut holders: Vec<(LocalId, usize)> = Vec::new();
        for node in cfg.ids() {
            match cfg.node(node).step {
                Step::Eval(call) => match held_by(project, body, call, &holders) {
                    Some(change) => locks.changes.push((node, change, body.expr(call).span)),
                    None => locks.call(project, body, values, node, call, &effect_of),
                },
                Step::Declare(local, init) => {
                    let declared = &body.locals[local.0 as usize];
                    if let Some(family) = guard_of_type(project, declared, &effect_of) {
                        let object = init.and_then(|init| arguments(body, init).first().copied().or(Some(init)));
                        if let Some(lock) = locks.intern(project, body, values, family, object) {
                            locks.changes.push((node, Change::Acquire(lock), cfg.node(node).span));
                            locks.guards.push((lock, declared.scope));
                            holders.push((local, lock));
                        }
                    }
                }
                _ => {}
            }
        }
        locks.needed_only(body, cfg);
        locks.flow(cfg);
        locks
    }

    /// A lock that is taken under a condition and released under the same one is taken where it is needed: in between, the way on which
    /// the condition was false needs none. `const int should_lock = PyList_CheckExact(x); if (should_lock) { … }`.
    fn needed_only(&mut self, body: &Body, cfg: &Cfg) {
        let guarded: Vec<(ExprKind, NodeId, Change, Span)> = self
            .changes
            .iter()
            .filter_map(|(node, change, span)| {
                let (condition, otherwise) = guard_of(body, cfg, *node)?;
                Some((condition, otherwise, *change, *span))
            })
            .collect();
        let family = |change: Change| match change {
            Change::Acquire(lock) | Change::Release(lock) => self.locks[lock].family,
            Change::ReleaseLast(family) => family,
        };
        let is_acquire = |change: Change| matches!(change, Change::Acquire(_));
        let paired: Vec<_> = guarded
            .iter()
            .filter(|(condition, _, change, _)| {
                guarded.iter().any(|(other, _, counterpart, _)| {
                    other == condition
                        && is_acquire(*change) != is_acquire(*counterpart)
                        && family(*change) == family(*counterpart)
                })
            })
            .map(|(_, otherwise, change, span)| (*otherwise, *change, *span))
            .collect();
        self.changes.extend(paired);
    }

    fn call<'e>(
        &mut self,
        project: &Project,
        body: &Body,
        values: &Values,
        node: NodeId,
        call: ExprId,
        effect_of: &impl Fn(Name) -> Option<&'e Effect>,
    ) {
        let Some(name) = callee(body, call) else { return };
        let text = project.text(name);
        let args = arguments(body, call);
        let span = body.expr(call).span;
        if let Some(primitive) = api::lock_primitive(text) {
            let method = match body.kind(call) {
                ExprKind::Call { callee, .. } => match body.kind(callee) {
                    ExprKind::Field { base, .. } => Some(base),
                    _ => None,
                },
                _ => None,
            };
            if primitive.method != method.is_some() {
                return;
            }
            let object = method.or_else(|| primitive.object.and_then(|index| args.get(index).copied()));
            let Some(lock) = self.intern(project, body, values, primitive.family, object) else { return };
            let change = match (primitive.acquires, object) {
                (true, _) => Change::Acquire(lock),
                (false, Some(_)) => Change::Release(lock),
                (false, None) => Change::ReleaseLast(primitive.family),
            };
            self.changes.push((node, change, span));
            return;
        }
        let Some(effect) = effect_of(name) else {
            // Defined in a header that is not here.
            if let Some((lock, acquires)) = self.named(project, body, values, text, args) {
                self.changes.push((node, if acquires { Change::Acquire(lock) } else { Change::Release(lock) }, span));
            }
            return;
        };
        // A guard without a name is gone at once.
        if effect.guard.is_some() {
            return;
        }
        let mut changes = Vec::new();
        for (list, acquires) in [(&effect.releases, false), (&effect.acquires, true)] {
            for (family, parameter) in list {
                let object = parameter.and_then(|index| args.get(index as usize).copied());
                changes.extend(
                    self.intern(project, body, values, *family, object)
                        .map(|lock| if acquires { Change::Acquire(lock) } else { Change::Release(lock) }),
                );
            }
        }
        self.changes.extend(changes.into_iter().map(|change| (node, change, span)));
    }

    /// A lock of unknown kind that a call takes or releases, by its name, if the function also calls the counterpart.
    fn named(
        &mut self,
        project: &Project,
        body: &Body,
        values: &Values,
        text: &str,
        args: &[ExprId],
    ) -> Option<(usize, bool)> {
        let calls = |wanted: &str| {
            project.names.get(wanted).is_some_and(|wanted| {
                (0..body.exprs.len() as u32).any(|index| callee(body, ExprId(index)) == Some(wanted))
            })
        };
        let plain = |text: &str| text.replace("unlock", "lock").replace("Unlock", "Lock").replace("UNLOCK", "LOCK");
        let acquire = plain(text);
        let release = api::unlock_named_like(&acquire)?;
        let acquires = text == acquire;
        if !acquires && text != release || !calls(if acquires { &release } else { &acquire }) {
            return None;
        }
        let lock = self.intern(project, body, values, api::family_named_like(&acquire), args.first().copied())?;
        Some((lock, acquires))
    }

    fn intern(
        &mut self,
        project: &Project,
        body: &Body,
        values: &Values,
        family: LockFamily,
        object: Option<ExprId>,
    ) -> Option<usize> {
        let place = object.and_then(|object| path(project, body, values, object));
        if let Some(known) = self.locks.iter().position(|lock| lock.family == family && lock.path == place) {
            return Some(known);
        }
        if self.locks.len() >= MOST {
            return None;
        }
        self.locks.push(Lock { family, object, path: place });
        Some(self.locks.len() - 1)
    }

    fn flow(&mut self, cfg: &Cfg) {
        // Most functions take no lock: without the lists, none is held anywhere.
        if self.changes.is_empty() {
            return;
        }
        let count = cfg.len();
        (self.must, self.may) = (vec![u64::MAX; count], vec![0; count]);
        let mut by_node: Vec<Vec<Change>> = vec![Vec::new(); count];
        for (node, change, _) in &self.changes {
            by_node[node.0 as usize].push(*change);
        }
        self.must[ENTRY.0 as usize] = 0;
        let mut seen = vec![false; count];
        let mut work = vec![ENTRY];
        while let Some(node) = work.pop() {
            let index = node.0 as usize;
            seen[index] = true;
            let mut states = [self.must[index], self.may[index]];
            for change in &by_node[index] {
                for state in &mut states {
                    self.apply(*change, state);
                }
            }
            if let Step::ScopeEnd(scope) = cfg.node(node).step {
                for (lock, guarded) in &self.guards {
                    if *guarded == scope {
                        states.iter_mut().for_each(|state| *state &= !(1 << lock));
                    }
                }
            }
            for next in cfg.node(node).successors {
                let next_index = next.0 as usize;
                let must = self.must[next_index] & states[0];
                let may = self.may[next_index] | states[1];
                if !seen[next_index] || must != self.must[next_index] || may != self.may[next_index] {
                    (self.must[next_index], self.may[next_index]) = (must, may);
                    work.push(*next);
                }
            }
        }
        for (index, seen) in seen.iter().enumerate() {
            if !seen {
                self.must[index] = 0;
            }
        }
    }

    fn apply(&self, change: Change, state: &mut u64) {
        match change {
            Change::Acquire(lock) => *state |= 1 << lock,
            Change::Release(lock) => *state &= !(1 << lock),
            Change::ReleaseLast(family) => {
                let last = (0..self.locks.len())
                    .rev()
                    .find(|lock| *state >> lock & 1 == 1 && self.locks[*lock].family == family);
                if let Some(last) = last {
                    *state &= !(1 << last);
                }
            }
        }
    }

    /// The locks held on every way to `node`, the thread state's regions ([`LockFamily::is_region`]) included.
    pub(crate) fn held(&self, node: NodeId) -> impl Iterator<Item = &Lock> {
        let state = self.must.get(node.0 as usize).copied().unwrap_or(0);
        self.locks.iter().enumerate().filter(move |(index, _)| state >> index & 1 == 1).map(|(_, lock)| lock)
    }

    /// The locks held on some way to `node`.
    pub(crate) fn maybe_held(&self, node: NodeId) -> impl Iterator<Item = &Lock> {
        let state = self.may.get(node.0 as usize).copied().unwrap_or(0);
        self.locks.iter().enumerate().filter(move |(index, _)| state >> index & 1 == 1).map(|(_, lock)| lock)
    }

    /// Whether a real lock (of any family) is held on every way to `node`.
    pub(crate) fn is_locked(&self, node: NodeId) -> bool {
        self.held(node).any(|lock| lock.family.is_lock())
    }

    /// Whether the thread state is detached on every way to `node`.
    pub(crate) fn is_detached(&self, node: NodeId) -> bool {
        self.held(node).any(|lock| lock.family == LockFamily::Detached)
    }

    /// Steps that take (or release) something, with what.
    pub(crate) fn acquisitions(&self) -> impl Iterator<Item = (NodeId, &Lock, Span)> {
        self.changes.iter().filter_map(|(node, change, span)| match change {
            Change::Acquire(lock) => Some((*node, &self.locks[*lock], *span)),
            _ => None,
        })
    }

    /// What a call of this function does to its caller's locks.
    pub(crate) fn effect(&self, body: &Body) -> Effect {
        let parameter = |lock: &Lock| match lock.path.as_ref().map(|path| path.base) {
            Some(super::values::Base::Local(local)) => {
                body.locals.get(local.0 as usize).and_then(|local| local.parameter)
            }
            _ => None,
        };
        let describe = |lock: &Lock| (lock.family, parameter(lock));
        let acquires =
            self.held(super::cfg::EXIT).filter(|lock| lock.family != LockFamily::Gil).map(describe).collect();
        let mut releases = Vec::new();
        for (node, change, _) in &self.changes {
            let held = self.may.get(node.0 as usize).copied().unwrap_or(0);
            let lock = match change {
                Change::Release(lock) if held >> lock & 1 == 0 => self.locks[*lock].clone(),
                Change::ReleaseLast(family)
                    if !self
                        .locks
                        .iter()
                        .enumerate()
                        .any(|(index, lock)| lock.family == *family && held >> index & 1 == 1) =>
                {
                    Lock { family: *family, object: None, path: None }
                }
                _ => continue,
            };
            if !releases.contains(&describe(&lock)) {
                releases.push(describe(&lock));
            }
        }
        Effect { acquires, releases, guard: None }
    }
}

/// The family that a variable holds until it goes out of scope, by its type: a known one, or a class of the project.
fn guard_of_type<'e>(
    project: &Project,
    declared: &Local,
    effect_of: &impl Fn(Name) -> Option<&'e Effect>,
) -> Option<LockFamily> {
    let base = project.text(declared.ty.base);
    if let Some(family) = api::guard_family(base) {
        return Some(family);
    }
    if declared.ty.pointers > 0 || declared.ty.reference || declared.parameter.is_some() {
        return None;
    }
    let plain = base.split('<').next().unwrap_or(base).trim();
    let plain = plain.rsplit("::").next().unwrap_or(plain);
    let known = project.names.get(plain).and_then(effect_of).and_then(|effect| effect.guard);
    known.or_else(|| says_guard(plain).then_some(LockFamily::Named))
}

/// Whether the name of a class whose code is not here says that it holds a lock: `ScopedLock`, `my_lock_guard`.
fn says_guard(class: &str) -> bool {
    let lower = class.to_ascii_lowercase();
    let says = [
        "lockguard",
        "lock_guard",
        "scopedlock",
        "scoped_lock",
        "mutexlock",
        "mutex_lock",
        "autolock",
        "mutexlocker",
        "mutexguard",
    ];
    says.iter().any(|word| lower.contains(word)) && !lower.contains("unlock") && !lower.contains("gil")
}

/// What a method of a variable that holds a lock does to that lock: `guard.unlock()`, `guard.lock()`.
fn held_by(project: &Project, body: &Body, call: ExprId, holders: &[(LocalId, usize)]) -> Option<Change> {
    let ExprKind::Call { callee, .. } = body.kind(call) else { return None };
    let ExprKind::Field { base, name, .. } = body.kind(callee) else { return None };
    let ExprKind::Local(local) = body.kind(base) else { return None };
    let (_, lock) = holders.iter().find(|(holder, _)| *holder == local)?;
    match project.text(name) {
        "lock" => Some(Change::Acquire(*lock)),
        "unlock" | "release" | "Unlock" | "Release" => Some(Change::Release(*lock)),
        _ => None,
    }
}

/// The variable whose truth alone decides whether a step runs, and where control goes when it is false.
fn guard_of(body: &Body, cfg: &Cfg, node: NodeId) -> Option<(ExprKind, NodeId)> {
    let mut at = node;
    for _ in 0..16 {
        let [before] = cfg.node(at).predecessors else { return None };
        match cfg.node(*before).step {
            Step::Branch(condition) => {
                let kind = body.kind(super::values::strip(body, condition));
                let [yes, no] = cfg.node(*before).successors else { return None };
                return (*yes == at && matches!(kind, ExprKind::Local(_))).then_some((kind, *no));
            }
            Step::Return(_) | Step::Throw | Step::Switch(_) => return None,
            _ => at = *before,
        }
    }
    None
}
