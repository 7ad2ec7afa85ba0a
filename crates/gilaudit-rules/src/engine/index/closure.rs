//! What follows from who calls whom: init-only, lifecycle-only, lock-held and Python-callable functions.

use std::collections::HashSet;

use gilaudit_model::source::{ExprId, FunctionId, Name, Project, Span};

use super::{CallSite, Index, Passed, Role};
use crate::engine::api;
use crate::engine::values::callee;

/// Fills the four tables of the index.
pub(super) fn close(project: &Project, index: &mut Index, set_up: &HashSet<Name>) {
    let count = project.functions.len();
    let has = |id: FunctionId, test: &dyn Fn(&Role) -> bool| {
        let roles = index.roles_of(project.function(id).name);
        !roles.is_empty() && roles.iter().all(test)
    };
    let ids: Vec<FunctionId> = project.function_ids().collect();

    let init: Vec<bool> =
        ids.iter().map(|id| begins_module(project, *id) || has(*id, &|role| *role == Role::ModuleInit)).collect();
    // Called from nowhere but from where Cython makes an object.
    let sets_up = |id: FunctionId| {
        let name = project.function(id).name;
        set_up.contains(&name)
            && index.sites_of(id).next().is_none()
            && !index.address_taken.contains(&name)
            && !index.roles.contains_key(&name)
    };
    let lifecycle: Vec<bool> =
        ids.iter().map(|id| has(*id, &is_lifecycle) || sets_up(*id) || constructs(project, *id)).collect();
    let held: Vec<bool> =
        ids.iter().map(|id| says_lock_held(project, *id) || index.once.contains(&project.function(*id).name)).collect();

    let init = spread(project, index, init, |_| false);
    // What init calls may be called by lifecycle functions too, and is still never called on a published object.
    let lifecycle = spread(project, index, lifecycle, |id| init[id.0 as usize]);
    let starts: Vec<bool> =
        ids.iter().map(|id| init[id.0 as usize] || lifecycle[id.0 as usize] || has(*id, &is_initialiser)).collect();
    // A call with an object that nobody else has does not stand against it: `X_New` that shares its code with `X.__init__`.
    let name_of = |id: FunctionId| project.function(id).name;
    let initialising = grow(project, index, starts, |id, site| Call {
        fits: name_of(site.caller) == name_of(id) || site.passed.first() == Some(&Passed::Private),
        counts: false,
    });
    let lock_held = spread_called(project, index, held, &initialising, |site| site.locked);
    let alone: Vec<bool> = init.iter().zip(&lifecycle).map(|(init, lifecycle)| *init || *lifecycle).collect();
    let private = private_parameters(project, index, &alone);
    index.detached = spread_called(project, index, vec![false; count], &vec![false; count], |site| site.detached);

    let alive = |id: &FunctionId| !init[id.0 as usize] && !lifecycle[id.0 as usize];
    let mut for_python = Vec::new();
    for id in ids.iter().copied().filter(alive) {
        let function = project.function(id);
        let is_called = index.callers.contains_key(&function.name);
        if index.address_taken.contains(&function.name)
            || index.roles.contains_key(&function.name)
            || !is_called && is_in_macro(project, id)
        {
            for_python.push(id);
        }
    }
    let mut callees: Vec<Vec<Name>> = vec![Vec::new(); count];
    let mut callers: Vec<_> = index.callers.iter().collect();
    callers.sort_by_key(|(called, _)| **called);
    for (called, sites) in callers {
        for site in sites {
            callees[site.caller.0 as usize].push(*called);
        }
    }
    let reach = |from: Vec<FunctionId>| {
        let mut reached = vec![false; count];
        let mut work = from;
        // A call can reach every function of its name, so each name is followed once.
        let mut followed: HashSet<Name> = HashSet::new();
        while let Some(id) = work.pop() {
            if std::mem::replace(&mut reached[id.0 as usize], true) {
                continue;
            }
            for called in callees[id.0 as usize].iter().filter(|called| followed.insert(**called)) {
                work.extend(index.by_name.get(called).into_iter().flatten().filter(|id| !init[id.0 as usize]));
            }
        }
        reached
    };
    let from_python = reach(for_python);
    index.from_python = from_python;
    let callable = super::reach::callable(project, index, &init, &alone);
    index.open = super::reach::is_open(project, index, &init);
    (index.init_only, index.lifecycle, index.lock_held, index.callable) = (init, lifecycle, lock_held, callable);
    (index.private, index.initialising) = (private, initialising);
}

/// Whether the body of a macro in a function's file names it: one that defines functions, which are not seen, can call it.
pub(super) fn is_in_macro(project: &Project, id: FunctionId) -> bool {
    let function = project.function(id);
    let (name, text) = (project.text(function.name), project.file(function.file).text.as_str());
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(name).take(MOST_MENTIONS).any(|(at, _)| {
        let (before, behind) = (text.get(..at).unwrap_or(""), text.get(at + name.len()..).unwrap_or(""));
        if is_word(before.chars().next_back()) || is_word(behind.chars().next()) {
            return false;
        }
        // A name in a table that a macro makes does not say how the function is reached.
        if !behind.trim_start().starts_with('(') {
            return false;
        }
        // The first line of those that backslashes join.
        let mut lines = before.rsplit('\n');
        let mut first = lines.next().unwrap_or("");
        for line in lines.take(MOST_LINES) {
            if !line.trim_end().ends_with('\\') {
                break;
            }
            first = line;
        }
        first.trim_start().strip_prefix('#').is_some_and(|rest| rest.trim_start().starts_with("define"))
    })
}

/// Bounds of the search for mentions in macros: mentions of one name, and lines of one macro.
const MOST_MENTIONS: usize = 64;
const MOST_LINES: usize = 256;

/// The hooks that the import machinery calls, and the bodies of the frameworks' module macros.
fn is_init(name: &str) -> bool {
    ["PyInit_", "PyModExport_", "PyInitU_", "PYBIND11_MODULE", "NB_MODULE", "BOOST_PYTHON_MODULE"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// Whether a function runs while its module is imported: by its name, by `PyMODINIT_FUNC` in front of a name that a macro makes, or
/// because it makes the module itself.
fn begins_module(project: &Project, id: FunctionId) -> bool {
    let function = project.function(id);
    if is_init(project.text(function.name)) {
        return true;
    }
    let head = Span { start: function.span.start, end: function.name_span.start.max(function.span.start) };
    if project.file(function.file).text_of(head).contains("PyMODINIT_FUNC") {
        return true;
    }
    (0..function.body.exprs.len() as u32).any(|index| {
        callee(&function.body, ExprId(index)).is_some_and(|name| {
            matches!(project.text(name), "PyModule_Create" | "PyModule_Create2" | "PyModuleDef_Init")
        })
    })
}

fn is_lifecycle(role: &Role) -> bool {
    match role {
        Role::ModuleState => true,
        Role::Slot(name) => matches!(
            name.as_str(),
            "tp_dealloc" | "tp_finalize" | "tp_clear" | "tp_traverse" | "tp_free" | "tp_del" | "tp_new" | "tp_alloc"
        ),
        _ => false,
    }
}

/// Whether a function is a constructor or destructor of a C++ class.
fn constructs(project: &Project, id: FunctionId) -> bool {
    let function = project.function(id);
    let Some(class) = function.class.map(|class| project.text(class)) else { return false };
    let class = class.split('<').next().unwrap_or(class);
    let class = class.rsplit("::").next().unwrap_or(class).trim();
    let name = project.text(function.name);
    name == class || name.strip_prefix('~').is_some_and(|name| name.trim() == class)
}

/// `tp_init` can run again on an object that others have; hardly anybody does that.
fn is_initialiser(role: &Role) -> bool {
    matches!(role, Role::Slot(name) if name == "tp_init")
}

/// For every function, as bits, the parameters for which every caller gives an object that no other thread has: a new one, one on the
/// stack, the object that is being made or destroyed, or a parameter of its own of which the same holds.
fn private_parameters(project: &Project, index: &Index, alone: &[bool]) -> Vec<u64> {
    let by_callers = |id: FunctionId| {
        let name = project.function(id).name;
        index.sites_of(id).next().is_some() && !index.address_taken.contains(&name) && !index.roles.contains_key(&name)
    };
    let is_new = |role: &Role| matches!(role, Role::Slot(name) if name == "tp_new" || name == "tp_alloc");
    let mut private: Vec<u64> = project
        .function_ids()
        .map(|id| {
            // A constructor's object is not among its parameters.
            let made_here = alone[id.0 as usize]
                && !constructs(project, id)
                && !index.roles_of(project.function(id).name).iter().any(is_new);
            if by_callers(id) { u64::MAX } else { u64::from(made_here) }
        })
        .collect();
    // Each is looked at again when one of its callers has lost a parameter.
    let is_followed: Vec<bool> = project.function_ids().map(by_callers).collect();
    let mut work: Vec<FunctionId> = project.function_ids().filter(|id| is_followed[id.0 as usize]).collect();
    let mut waits = is_followed.clone();
    while let Some(id) = work.pop() {
        waits[id.0 as usize] = false;
        let bits = index.sites_of(id).fold(private[id.0 as usize], |bits, site| bits & given(site, &private));
        if std::mem::replace(&mut private[id.0 as usize], bits) == bits {
            continue;
        }
        for (called, _) in index.sites.calls(id) {
            let at = called.0 as usize;
            if is_followed[at] && !std::mem::replace(&mut waits[at], true) {
                work.push(*called);
            }
        }
    }
    private
}

/// The positions, as bits, at which a call gives an object that no other thread has.
fn given(site: &CallSite, private: &[u64]) -> u64 {
    let holds = |passed: &Passed| match passed {
        Passed::Private => true,
        Passed::Parameter(outer) => private[site.caller.0 as usize].checked_shr(*outer).unwrap_or(0) & 1 == 1,
        Passed::Shared => false,
    };
    let positions = site.passed.iter().zip(0..u64::BITS);
    positions.filter(|(passed, _)| holds(passed)).fold(0, |bits, (_, position)| bits | 1 << position)
}

/// What the function itself says: its name, an assertion at its head, Argument Clinic.
fn says_lock_held(project: &Project, id: FunctionId) -> bool {
    let function = project.function(id);
    let name = project.text(function.name);
    let bare = name.strip_suffix("_impl").unwrap_or(name);
    if ["_lock_held", "_locked", "_with_lock", "_holding_lock"].iter().any(|suffix| bare.ends_with(suffix)) {
        return true;
    }
    let clinic = project.file(function.file).clinic.iter();
    if clinic.clone().any(|entry| &*entry.function == name && entry.critical_section.is_some()) {
        return true;
    }
    function.body.exprs.iter().any(|expr| match expr.kind {
        gilaudit_model::source::ExprKind::Name(name) => api::asserts_locked(project.text(name)),
        _ => false,
    })
}

/// Adds the functions that are called, and only from functions that are in the set (or that `also` admits).
fn spread(project: &Project, index: &Index, set: Vec<bool>, also: impl Fn(FunctionId) -> bool) -> Vec<bool> {
    let name = |id: FunctionId| project.function(id).name;
    let admits = |id: FunctionId, site: &CallSite| also(site.caller) || name(site.caller) == name(id);
    grow(project, index, set, |id, site| Call { fits: admits(id, site), counts: false })
}

/// Adds the functions that are only called where `state` holds (a lock is held, say), from functions of the set, or by who has the object
/// to itself (`alone`).
fn spread_called(
    project: &Project,
    index: &Index,
    set: Vec<bool>,
    alone: &[bool],
    state: impl Fn(&CallSite) -> bool,
) -> Vec<bool> {
    grow(project, index, set, |_, site| {
        let holds = state(site);
        // An object that nobody else has needs no lock.
        let needs_none = alone[site.caller.0 as usize] || site.passed.first() == Some(&Passed::Private);
        Call { fits: holds || needs_none, counts: holds }
    })
}

/// What a call says about the function it is of, whoever makes it.
struct Call {
    /// Whether it does not stand against the function.
    fits: bool,
    /// Whether it is a reason for the function.
    counts: bool,
}

/// The smallest set that has `set` in it and every function of which all calls fit and one counts. A call from the set does both.
///
/// Every call is looked at once when it is known, and once when its caller comes into the set.
fn grow(
    project: &Project,
    index: &Index,
    mut set: Vec<bool>,
    says: impl Fn(FunctionId, &CallSite) -> Call,
) -> Vec<bool> {
    let count = project.functions.len();
    // How many calls stand against each function, and whether one is a reason for it.
    let (mut against, mut reason) = (vec![0u32; count], vec![false; count]);
    let is_open: Vec<bool> = project
        .functions
        .iter()
        .map(|function| !index.address_taken.contains(&function.name) && !index.roles.contains_key(&function.name))
        .collect();
    let mut work: Vec<FunctionId> = Vec::new();
    for id in project.function_ids() {
        let at = id.0 as usize;
        for site in index.sites_of(id) {
            let call = says(id, site);
            against[at] += u32::from(!call.fits);
            reason[at] |= call.counts;
        }
        if set[at] {
            work.push(id);
        }
    }
    for id in project.function_ids() {
        let at = id.0 as usize;
        if is_open[at] && against[at] == 0 && reason[at] && !std::mem::replace(&mut set[at], true) {
            work.push(id);
        }
    }
    while let Some(caller) = work.pop() {
        for (id, number) in index.sites.calls(caller) {
            let at = id.0 as usize;
            let Some(site) = index.site(*id, *number) else { continue };
            against[at] -= u32::from(!says(*id, site).fits);
            reason[at] = true;
            if is_open[at] && against[at] == 0 && !std::mem::replace(&mut set[at], true) {
                work.push(*id);
            }
        }
    }
    set
}
