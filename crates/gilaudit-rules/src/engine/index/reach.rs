//! Which functions Python code can get to while other threads run.
//!
//! It begins at what the definition tables name, and at functions that take or give Python objects and whose address is used; from
//! there it follows calls and the names of functions that are handed on as callbacks. A C library in the same tree, or the part of a
//! program that only the host calls before Python runs, is not reached in this way.

use std::collections::{HashMap, HashSet};

use gilaudit_model::source::{ExprKind, FunctionId, Name, Project, Type};

use super::{Index, Role, names};

/// Whether more leads into the C code than can be seen: other languages call it, or there is no way in at all.
pub(super) fn is_open(project: &Project, index: &Index, init: &[bool]) -> bool {
    !project.cython.is_empty()
        || !project.rust.is_empty()
        || !(index.roles.values().flatten().any(is_entry) || init.contains(&true))
}

/// For every function, whether Python can get there. `alone`: runs only while its module or object is made or destroyed.
pub(super) fn callable(project: &Project, index: &Index, init: &[bool], alone: &[bool]) -> Vec<bool> {
    let count = project.functions.len();
    let edges = Edges::new(project, index);
    let objects = objects(project);
    let open = is_open(project, index, init);
    let starts = |id: FunctionId| {
        let function = project.function(id);
        let is_uncalled = (!function.is_static || project.file(function.file).is_header())
            && !index.callers.contains_key(&function.name);
        let is_used = index.address_taken.contains(&function.name);
        // C++ calls operators and destructors without naming them.
        let name = project.text(function.name);
        let is_implicit = name.starts_with("operator") || name.starts_with('~');
        index.roles.contains_key(&function.name)
            || (is_used || is_uncalled) && (open || speaks_python(project, &objects, id))
            || is_implicit
            || !index.callers.contains_key(&function.name) && super::closure::is_in_macro(project, id)
            // Called, but from where cannot be told: a file that others include.
            || index.callers.contains_key(&function.name) && index.sites_of(id).next().is_none()
    };
    let mut callable = vec![false; count];
    let mut work: Vec<FunctionId> = project.function_ids().filter(|id| !alone[id.0 as usize] && starts(*id)).collect();
    // What an init function names without calling it is registered for later: `m.def("f", &f)`.
    for id in project.function_ids().filter(|id| init[id.0 as usize]) {
        work.extend(edges.named[id.0 as usize].iter().flat_map(|name| functions(index, *name)));
    }
    let mut followed: HashSet<Name> = HashSet::new();
    while let Some(id) = work.pop() {
        let at = id.0 as usize;
        if std::mem::replace(&mut callable[at], true) {
            continue;
        }
        for name in edges.called[at].iter().chain(&edges.named[at]).filter(|name| followed.insert(**name)) {
            work.extend(functions(index, *name).filter(|id| !init[id.0 as usize]));
        }
    }
    callable
}

fn is_entry(role: &Role) -> bool {
    matches!(role, Role::Method(_) | Role::Getter | Role::Setter | Role::Slot(_) | Role::ModuleInit)
}

/// The names of the types of Python objects that the project defines.
fn objects(project: &Project) -> HashSet<Name> {
    project
        .structs
        .iter()
        .filter(|defined| defined.is_object)
        .flat_map(|defined| defined.names.iter().copied())
        .collect()
}

/// Whether a function takes or gives Python objects.
fn speaks_python(project: &Project, objects: &HashSet<Name>, id: FunctionId) -> bool {
    let function = project.function(id);
    let is_object = |ty: &Type| {
        let base = project.text(ty.base);
        objects.contains(&ty.base)
            || base.starts_with("Py") && base.ends_with("Object")
            || ["py::", "nb::", "pybind11::", "nanobind::", "bp::", "boost::python::"]
                .iter()
                .any(|space| base.starts_with(space))
    };
    let parameters = function.parameters.iter().filter_map(|local| function.body.locals.get(local.0 as usize));
    is_object(&function.result) || parameters.map(|local| &local.ty).any(is_object)
}

/// What every function calls, and what it names without calling it.
struct Edges {
    called: Vec<Vec<Name>>,
    named: Vec<Vec<Name>>,
}

impl Edges {
    fn new(project: &Project, index: &Index) -> Self {
        let count = project.functions.len();
        let mut edges = Self { called: vec![Vec::new(); count], named: vec![Vec::new(); count] };
        let mut callers: Vec<_> = index.callers.iter().collect();
        callers.sort_by_key(|(called, _)| **called);
        for (called, sites) in callers {
            for site in sites {
                edges.called[site.caller.0 as usize].push(*called);
            }
        }
        let mut known: HashMap<Name, Option<Name>> = HashMap::new();
        for id in project.function_ids() {
            let mut named: Vec<Name> = Vec::new();
            for expr in &project.function(id).body.exprs {
                let ExprKind::Name(written) = expr.kind else { continue };
                let resolved =
                    *known.entry(written).or_insert_with(|| names::resolve(project, &index.by_name, written));
                named.extend(resolved.filter(|name| index.address_taken.contains(name)));
            }
            named.sort_unstable();
            named.dedup();
            edges.named[id.0 as usize] = named;
        }
        edges
    }
}

fn functions(index: &Index, name: Name) -> impl Iterator<Item = FunctionId> + '_ {
    index.by_name.get(&name).into_iter().flatten().copied()
}
