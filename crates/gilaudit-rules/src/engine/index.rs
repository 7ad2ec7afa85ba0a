//! The project as a whole: who calls whom, how Python reaches a function, who reads and writes which member and variable.

mod access;
mod closure;
mod names;
mod once;
mod roles;
mod types;

use std::collections::{HashMap, HashSet};

use gilaudit_model::source::{ExprId, ExprKind, FileId, FunctionId, Name, Project};

pub(crate) use access::{
    Access, AccessKind, FieldKey, GlobalKey, Passed, emptiness_test, is_shared, is_threads_own, passed,
};
pub(crate) use roles::Role;
pub(crate) use types::Types;

use super::api;
use super::flow::Flow;
use super::locks::Effect;

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
    pub(crate) effects: HashMap<String, Effect>,
    pub(crate) callers: HashMap<Name, Vec<CallSite>>,
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
    /// For every function: see [`Flow::private`].
    pub(crate) private: Vec<u64>,
    /// Functions of the project that run Python code whatever they are given: they, or what they call, call something that is for that.
    pub(crate) runs_python: HashSet<Name>,
    pub(crate) fields: HashMap<FieldKey, Vec<Access>>,
    pub(crate) globals: HashMap<GlobalKey, Vec<Access>>,
}

impl Index {
    /// `set_up`: functions that code in other languages calls, and only while it makes an object.
    pub(crate) fn new(project: &Project, types: &Types, set_up: &HashSet<Name>) -> Self {
        let mut index = Self::default();
        for id in project.function_ids() {
            index.by_name.entry(project.function(id).name).or_default().push(id);
        }
        index.roles = roles::collect(project);
        names::resolve_roles(project, &mut index);
        index.runs_once = once::runners(project);
        index.effects = effects(project, types, &index.by_name);
        for id in project.function_ids() {
            let flow = Flow::new(project, types, id, |name| index.effects.get(name));
            calls(&flow, &mut index);
            access::collect(&flow, &mut index);
        }
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
        closure::close(project, &mut index, set_up);
        let private = &index.private;
        for access in index.fields.values_mut().flatten() {
            let bits = private.get(access.function.0 as usize).copied().unwrap_or(0);
            let is_private = |position: u32| bits.checked_shr(position).unwrap_or(0) & 1 == 1;
            access.shared &= !access.parameter.is_some_and(is_private);
        }
        index
    }

    /// The functions of this name, in every file and configuration.
    pub(crate) fn functions(&self, project: &Project, name: &str) -> &[FunctionId] {
        project.names.get(name).and_then(|name| self.by_name.get(&name)).map_or(&[], Vec::as_slice)
    }

    /// The calls of a function: those of its name where no other function of that name is nearer.
    pub(crate) fn sites_of<'a>(
        &'a self,
        project: &'a Project,
        id: FunctionId,
    ) -> impl Iterator<Item = &'a CallSite> + Clone {
        let function = project.function(id);
        let own = function.is_static && !project.file(function.file).is_header();
        let namesakes = self.by_name.get(&function.name).map_or(&[][..], Vec::as_slice);
        let is_nearer = move |file: FileId| {
            namesakes.iter().any(|other| project.function(*other).is_static && project.function(*other).file == file)
        };
        self.callers.get(&function.name).into_iter().flatten().filter(move |site| {
            if !names::is_written(project, id, site.written) {
                return false;
            }
            let file = project.function(site.caller).file;
            file == function.file || project.file(file).is_header() || !own && !is_nearer(file)
        })
    }

    pub(crate) fn roles_of(&self, name: Name) -> &[Role] {
        self.roles.get(&name).map_or(&[], Vec::as_slice)
    }
}

/// What calling each function does to locks. Two rounds: a helper of a helper is enough for real code.
fn effects(project: &Project, types: &Types, by_name: &HashMap<Name, Vec<FunctionId>>) -> HashMap<String, Effect> {
    let mut effects: HashMap<String, Effect> = HashMap::new();
    for _ in 0..2 {
        let mut round: HashMap<String, Effect> = HashMap::new();
        let mut names: Vec<(&Name, &Vec<FunctionId>)> = by_name.iter().collect();
        names.sort_unstable();
        for (name, ids) in names {
            let effect_of = |id: &FunctionId| {
                if !may_lock(project, *id, &effects) {
                    return Effect::default();
                }
                let flow = Flow::new(project, types, *id, |name| effects.get(name));
                flow.locks.effect(&project.function(*id).body)
            };
            // Several of one name, in several files or configurations: only what all of them do.
            let mut found = ids.iter().map(effect_of);
            let Some(effect) = found.next().filter(|effect| *effect != Effect::default()) else { continue };
            if found.all(|other| other == effect) {
                round.insert(project.text(*name).to_owned(), effect);
            }
        }
        if round == effects {
            break;
        }
        effects = round;
    }
    effects
}

/// Whether a function calls anything that takes or releases a lock: the others need not be looked at.
fn may_lock(project: &Project, id: FunctionId, effects: &HashMap<String, Effect>) -> bool {
    let function = project.function(id);
    function.body.exprs.iter().any(|expr| match expr.kind {
        ExprKind::Name(name) | ExprKind::Field { name, .. } => {
            let text = project.text(name);
            api::lock_primitive(text).is_some() || effects.contains_key(text)
        }
        _ => false,
    })
}

fn calls(flow: &Flow<'_>, index: &mut Index) {
    for run in once::runs(flow.project, flow.body, &index.runs_once) {
        let name = match flow.kind(flow.strip(run)) {
            ExprKind::Name(name) => name,
            ExprKind::Unary { operand, .. } => match flow.kind(operand) {
                ExprKind::Name(name) => name,
                _ => continue,
            },
            _ => continue,
        };
        index.once.extend(names::resolve(flow.project, &index.by_name, name));
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
            index.callers.entry(name).or_default().push(site);
        }
    }
    for (expr, kind, _) in flow.exprs() {
        if let ExprKind::Name(name) = kind
            && !called.contains(&expr)
            && let Some(name) = names::resolve(flow.project, &index.by_name, name)
        {
            index.address_taken.insert(name);
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
    for round in 0..3 {
        let more: Vec<Name> = by_name
            .iter()
            .filter(|(name, ids)| {
                !found.contains(*name)
                    && ids.iter().any(|id| {
                        let body = &project.function(*id).body;
                        (0..body.exprs.len() as u32).any(|index| {
                            super::values::callee(body, ExprId(index))
                                .is_some_and(|called| if round == 0 { runs(called) } else { found.contains(&called) })
                        })
                    })
            })
            .map(|(name, _)| *name)
            .collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    found
}
