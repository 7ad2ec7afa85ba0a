//! The project as a whole: who calls whom, how Python reaches a function, who reads and writes which member and variable.

mod access;
mod closure;
mod guards;
mod names;
mod once;
mod reach;
mod roles;
mod sites;
mod types;

use std::collections::{HashMap, HashSet};

use gilaudit_model::source::{ExprId, ExprKind, FunctionId, Name, Project};
use rayon::prelude::*;

pub(crate) use access::{
    Access, AccessKind, FieldKey, GlobalKey, Passed, emptiness_test, is_shared, is_threads_own, passed,
};
pub(crate) use roles::Role;
pub(crate) use types::Types;

use super::api;
use super::flow::Flow;
use super::locks::Effect;
use super::shapes::Shapes;

/// A call of a function of the project.
#[derive(Clone, Debug)]
pub(crate) struct CallSite {
    pub(crate) caller: FunctionId,
    /// The call, in the caller's body.
    pub(crate) call: ExprId,
    /// The function's name as it is written, with its namespaces and classes: `a::f`.
    written: Name,
    /// Whether a lock is held there on every way.
    pub(crate) locked: bool,
    /// Whether the thread state is detached there on every way.
    pub(crate) detached: bool,
    /// What each argument is to other threads.
    pub(crate) passed: Box<[Passed]>,
}

/// The project, indexed.
#[derive(Default)]
pub(crate) struct Index {
    pub(crate) by_name: HashMap<Name, Vec<FunctionId>>,
    pub(crate) effects: HashMap<Name, Effect>,
    pub(crate) callers: HashMap<Name, Vec<CallSite>>,
    /// For every function, which of the calls of its name are calls of it.
    sites: sites::Sites,
    /// Functions that are used as values: in tables, as callbacks.
    pub(crate) address_taken: HashSet<Name>,
    /// Functions that `pthread_once` and its like run: once, while the other threads wait.
    once: HashSet<Name>,
    /// Functions that run what they are given once: the positions of those arguments.
    runs_once: once::Runners,
    pub(crate) roles: HashMap<Name, Vec<Role>>,
    pub(crate) init_only: Vec<bool>,
    pub(crate) lifecycle: Vec<bool>,
    /// Functions that only run while their object or module is made: those of a `tp_init`, too, which can run again.
    pub(crate) initialising: Vec<bool>,
    pub(crate) lock_held: Vec<bool>,
    /// Functions that are only called without an attached thread state.
    pub(crate) detached: Vec<bool>,
    pub(crate) callable: Vec<bool>,
    /// The same, but for what is only there for other code: functions that a table, a pointer or a macro makes reachable.
    pub(crate) from_python: Vec<bool>,
    /// Whether more leads into the C code than can be seen: `callable` then says less.
    pub(crate) open: bool,
    /// For every function: see [`Flow::private`].
    pub(crate) private: Vec<u64>,
    /// Functions of the project that run Python code whatever they are given: they, or what they call, call something that is for that.
    pub(crate) runs_python: HashSet<Name>,
    pub(crate) fields: HashMap<FieldKey, Vec<Access>>,
    pub(crate) globals: HashMap<GlobalKey, Vec<Access>>,
}

impl Index {
    /// `set_up`: functions that code in other languages calls, and only while it makes an object. Completes the shapes with the locks.
    pub(crate) fn new(project: &Project, types: &Types, shapes: &mut Shapes<'_>, set_up: &HashSet<Name>) -> Self {
        let mut index = Self::default();
        for id in project.function_ids() {
            index.by_name.entry(project.function(id).name).or_default().push(id);
        }
        index.roles = roles::collect(project);
        names::resolve_roles(project, &mut index);
        index.runs_once = once::runners(project);
        index.effects = effects(project, shapes, &index.by_name);
        shapes.lock(&index.effects);
        let parts: Vec<Part> = shapes.map(types, |flow| Part::new(flow, &index));
        parts.into_iter().for_each(|part| index.add(part));
        for file in &project.files {
            for expr in &file.body.exprs {
                if let ExprKind::Name(name) = expr.kind
                    && let Some(name) = names::resolve(project, &index.by_name, name)
                {
                    index.address_taken.insert(name);
                }
            }
        }
        index.runs_python = runs_python(project, &index.by_name);
        index.sites = sites::Sites::new(project, &index);
        closure::close(project, &mut index, set_up);
        let private = &index.private;
        for access in index.fields.values_mut().flatten() {
            let bits = private.get(access.function.0 as usize).copied().unwrap_or(0);
            let is_private = |position: u32| bits.checked_shr(position).unwrap_or(0) & 1 == 1;
            access.shared &= !access.parameter.is_some_and(is_private);
        }
        index
    }

    fn add(&mut self, part: Part) {
        self.once.extend(part.once);
        self.address_taken.extend(part.address_taken);
        part.calls.into_iter().for_each(|(name, site)| self.callers.entry(name).or_default().push(site));
        part.fields.into_iter().for_each(|(key, access)| self.fields.entry(key).or_default().push(access));
        part.globals.into_iter().for_each(|(key, access)| self.globals.entry(key).or_default().push(access));
    }

    /// The functions of this name, in every file and configuration.
    pub(crate) fn functions(&self, project: &Project, name: &str) -> &[FunctionId] {
        project.names.get(name).and_then(|name| self.by_name.get(&name)).map_or(&[], Vec::as_slice)
    }

    /// The calls of a function: those of its name where no other function of that name is nearer.
    fn sites_of(&self, id: FunctionId) -> impl Iterator<Item = &CallSite> + Clone {
        let all = self.sites.named(id).and_then(|name| self.callers.get(&name)).map_or(&[][..], Vec::as_slice);
        self.sites.of(id).iter().filter_map(|number| all.get(*number as usize))
    }

    /// A call of a function by its number among those of its name.
    fn site(&self, id: FunctionId, number: u32) -> Option<&CallSite> {
        self.callers.get(&self.sites.named(id)?)?.get(number as usize)
    }

    pub(crate) fn roles_of(&self, name: Name) -> &[Role] {
        self.roles.get(&name).map_or(&[], Vec::as_slice)
    }
}

/// What calling each function does to locks. Two rounds: a helper of a helper is enough for real code.
fn effects(project: &Project, shapes: &Shapes<'_>, by_name: &HashMap<Name, Vec<FunctionId>>) -> HashMap<Name, Effect> {
    let guards = guards::guards(project);
    let mut effects = guards.clone();
    // The names that are those of locks' own functions: each text is looked at once.
    let primitive: Vec<bool> = project.names.iter().map(|(_, text)| api::lock_primitive(text).is_some()).collect();
    for _ in 0..2 {
        let found: Vec<(Name, Effect)> = by_name
            .par_iter()
            .filter_map(|(name, ids)| {
                let effect_of = |id: &FunctionId| {
                    if may_lock(project, *id, &primitive, &effects) {
                        shapes.effect(*id, &effects)
                    } else {
                        Effect::default()
                    }
                };
                // Several of one name, in several files or configurations: only what all of them do.
                let mut found = ids.iter().map(effect_of);
                let effect = found.next().filter(|effect| *effect != Effect::default())?;
                found.all(|other| other == effect).then_some((*name, effect))
            })
            .collect();
        let mut round: HashMap<Name, Effect> = found.into_iter().collect();
        // A constructor has the name of its class.
        round.extend(guards.iter().map(|(class, guard)| (*class, guard.clone())));
        if round == effects {
            break;
        }
        effects = round;
    }
    effects
}

/// Whether a function calls anything that takes or releases a lock: the others need not be looked at.
fn may_lock(project: &Project, id: FunctionId, primitive: &[bool], effects: &HashMap<Name, Effect>) -> bool {
    project.function(id).body.exprs.iter().any(|expr| match expr.kind {
        ExprKind::Name(name) | ExprKind::Field { name, .. } => {
            primitive.get(name.0 as usize).copied().unwrap_or(false) || effects.contains_key(&name)
        }
        _ => false,
    })
}

/// What one function adds to the index.
#[derive(Default)]
struct Part {
    once: Vec<Name>,
    address_taken: Vec<Name>,
    calls: Vec<(Name, CallSite)>,
    fields: Vec<(FieldKey, Access)>,
    globals: Vec<(GlobalKey, Access)>,
}

impl Part {
    fn new(flow: &Flow<'_>, index: &Index) -> Self {
        let mut part = Self::default();
        part.calls(flow, index);
        access::collect(flow, index, &mut part);
        part
    }

    fn calls(&mut self, flow: &Flow<'_>, index: &Index) {
        for run in once::runs(flow.project, flow.body, &index.runs_once) {
            let name = match flow.kind(flow.strip(run)) {
                ExprKind::Name(name) => name,
                ExprKind::Unary { operand, .. } => match flow.kind(operand) {
                    ExprKind::Name(name) => name,
                    _ => continue,
                },
                _ => continue,
            };
            self.once.extend(names::resolve(flow.project, &index.by_name, name));
        }
        let mut called = HashSet::new();
        for (call, kind, node) in flow.exprs() {
            let ExprKind::Call { callee, args } = kind else { continue };
            let callee = flow.strip(callee);
            let (ExprKind::Name(written) | ExprKind::Field { name: written, .. }) = flow.kind(callee) else { continue };
            called.insert(callee);
            if let Some(name) = names::resolve(flow.project, &index.by_name, written) {
                let passed = flow.body.list(args).iter().map(|arg| passed(flow, *arg, node)).collect();
                let site = CallSite {
                    caller: flow.id,
                    call,
                    written,
                    locked: flow.locks.is_locked(node),
                    detached: flow.locks.is_detached(node),
                    passed,
                };
                self.calls.push((name, site));
            }
        }
        for (expr, kind, _) in flow.exprs() {
            if let ExprKind::Name(name) = kind
                && !called.contains(&expr)
                && let Some(name) = names::resolve(flow.project, &index.by_name, name)
            {
                self.address_taken.push(name);
            }
        }
    }
}

/// The functions that call, directly or through two others, something whose purpose is to run Python code. Errors and releases are not
/// followed: every function has them.
fn runs_python(project: &Project, by_name: &HashMap<Name, Vec<FunctionId>>) -> HashSet<Name> {
    let mut found: HashSet<Name> = HashSet::new();
    let runs = |name: Name| {
        let text = project.text(name);
        super::api::runs_python(text) == Some(super::api::RunsPython::Yes)
            && [
                "PyObject_Call",
                "PyObject_Vectorcall",
                "PyObject_Str",
                "PyObject_Repr",
                "PyImport_",
                "PyObject_GetAttr",
            ]
            .iter()
            .any(|family| text.starts_with(family))
    };
    // What each function calls, sorted: looked at once, whatever the rounds.
    let called: HashMap<Name, Vec<Name>> = by_name
        .par_iter()
        .map(|(name, ids)| {
            let bodies = ids.iter().map(|id| &project.function(*id).body);
            let calls = bodies.flat_map(|body| {
                (0..body.exprs.len() as u32).filter_map(move |index| super::values::callee(body, ExprId(index)))
            });
            let mut calls: Vec<Name> = calls.collect();
            calls.sort_unstable();
            calls.dedup();
            (*name, calls)
        })
        .collect();
    let runners: HashSet<Name> = project.names.iter().map(|(name, _)| name).filter(|name| runs(*name)).collect();
    for round in 0..3 {
        let known = if round == 0 { &runners } else { &found };
        let more: Vec<Name> = called
            .iter()
            .filter(|(name, calls)| !found.contains(*name) && calls.iter().any(|called| known.contains(called)))
            .map(|(name, _)| *name)
            .collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    found
}
