//! Modules that C and C++ define with the C API.
//!
//! A declaration counts for a module only when its init function leads to it: a slot in a table that the init function names, directly or
//! through the `PyModuleDef`, or a call of `PyUnstable_Module_SetGIL` in the init function or in what it calls. What an exec slot calls
//! does not count, since the interpreter has decided by then. A declaration in the same file that no init function leads to makes the
//! module's one unknown, not absent.

use std::collections::{BTreeSet, HashMap, HashSet};

use gilaudit_model::source::{Body, ExprId, ExprKind, FileId, FunctionId, GlobalId, Name, Project, Span};

use super::{Declared, Module, Saying, together};
use crate::engine::values::{callee, strip};

/// The most functions and tables that one init function is followed through.
const MOST: usize = 512;

/// The modules of a project that have an init function.
pub(super) fn modules(project: &Project) -> Vec<Module> {
    let inits: Vec<(FunctionId, &str)> = project
        .function_ids()
        .filter(|id| project.file(project.function(*id).file).cython.is_none())
        .filter_map(|id| Some((id, module_name(project.text(project.function(id).name))?)))
        .collect();
    if inits.is_empty() {
        return Vec::new();
    }
    let by_name = ByName::new(project);
    let mut out: Vec<Module> = Vec::new();
    let mut claimed: BTreeSet<(FileId, Span)> = BTreeSet::new();
    for (init, name) in &inits {
        let function = project.function(*init);
        let places = by_name.reached(project, *init);
        claimed.extend(places.iter().map(|place| (place.file, place.span)));
        // The same init function in another configuration of the preprocessor: the first one stands for the module.
        if out.iter().any(|known| known.name == *name && known.file == function.file) {
            continue;
        }
        let all =
            inits.iter().filter(|(other, called)| called == name && project.function(*other).file == function.file);
        let places = all.flat_map(|(other, _)| by_name.reached(project, *other));
        let sayings: Vec<Saying> =
            places.map(|place| Saying::new(project.file(place.file), place.span, place.declared)).collect();
        let (declared, condition) = together(&sayings);
        let why = match declared {
            Declared::Unknown => Some("it declares a value that is computed"),
            _ => None,
        };
        out.push(Module {
            name: (*name).to_owned(),
            file: function.file,
            span: function.name_span,
            declared,
            condition,
            why,
            form: super::Form::C,
        });
    }
    for module in out.iter_mut().filter(|module| module.declared == Declared::Nothing) {
        if by_name.places(project, module.file).any(|place| !claimed.contains(&(place.file, place.span))) {
            module.declared = Declared::Unknown;
            module.why = Some("its file has a declaration that its init function was not seen to lead to");
        }
    }
    out
}

fn module_name(function: &str) -> Option<&str> {
    ["PyInit_", "PyModExport_"].iter().find_map(|prefix| function.strip_prefix(prefix)).filter(|name| !name.is_empty())
}

/// A place that declares.
struct Place {
    file: FileId,
    span: Span,
    declared: Declared,
}

/// Functions and tables by name.
struct ByName {
    functions: HashMap<Name, Vec<FunctionId>>,
    globals: HashMap<Name, Vec<GlobalId>>,
}

/// What is followed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Node {
    Function(FunctionId),
    Global(GlobalId),
}

impl ByName {
    fn new(project: &Project) -> Self {
        let mut functions: HashMap<Name, Vec<FunctionId>> = HashMap::new();
        for id in project.function_ids() {
            functions.entry(project.function(id).name).or_default().push(id);
        }
        let mut globals: HashMap<Name, Vec<GlobalId>> = HashMap::new();
        for (id, global) in (0u32..).map(GlobalId).zip(&project.globals) {
            if global.init.is_some() {
                globals.entry(global.name).or_default().push(id);
            }
        }
        Self { functions, globals }
    }

    /// The places that declare which an init function leads to.
    fn reached(&self, project: &Project, init: FunctionId) -> Vec<Place> {
        let mut out = Vec::new();
        let mut seen: HashSet<Node> = HashSet::from([Node::Function(init)]);
        let mut open = vec![Node::Function(init)];
        while let Some(node) = open.pop() {
            if seen.len() > MOST {
                break;
            }
            let mut more = Vec::new();
            match node {
                Node::Function(id) => {
                    let function = project.function(id);
                    let body = &function.body;
                    for index in (0u32..).take(body.exprs.len()) {
                        out.extend(declares(project, function.file, body, ExprId(index)));
                        match body.kind(ExprId(index)) {
                            ExprKind::Call { .. } => {
                                let called = callee(body, ExprId(index));
                                more.extend(
                                    called.iter().flat_map(|name| self.functions_of(project, function.file, *name)),
                                );
                            }
                            ExprKind::Name(name) => more.extend(self.globals_of(project, function.file, name)),
                            _ => {}
                        }
                    }
                }
                Node::Global(id) => {
                    let Some(global) = project.globals.get(id.0 as usize) else { continue };
                    let body = &project.file(global.file).body;
                    let mut exprs: Vec<ExprId> = global.init.into_iter().collect();
                    while let Some(expr) = exprs.pop() {
                        out.extend(declares(project, global.file, body, expr));
                        if let ExprKind::Name(name) = body.kind(expr) {
                            more.extend(self.globals_of(project, global.file, name));
                        }
                        exprs.extend(body.children(expr));
                    }
                }
            }
            open.extend(more.into_iter().filter(|node| seen.insert(*node)));
        }
        out
    }

    /// The functions that a name means in a file: its own, else the ones that other files share.
    fn functions_of<'a>(&'a self, project: &'a Project, file: FileId, name: Name) -> impl Iterator<Item = Node> + 'a {
        let all = self.functions.get(&name).map_or(&[][..], Vec::as_slice);
        let own = all.iter().any(|id| project.function(*id).file == file);
        let is_meant = move |id: &&FunctionId| {
            let function = project.function(**id);
            if own { function.file == file } else { !function.is_static }
        };
        all.iter().filter(is_meant).map(|id| Node::Function(*id))
    }

    /// The same for tables.
    fn globals_of<'a>(&'a self, project: &'a Project, file: FileId, name: Name) -> impl Iterator<Item = Node> + 'a {
        let all = self.globals.get(&name).map_or(&[][..], Vec::as_slice);
        let of = |id: &GlobalId| project.globals.get(id.0 as usize);
        let own = all.iter().any(|id| of(id).is_some_and(|global| global.file == file));
        let is_meant = move |id: &&GlobalId| {
            of(id).is_some_and(|global| if own { global.file == file } else { !global.is_static })
        };
        all.iter().filter(is_meant).map(|id| Node::Global(*id))
    }

    /// All places of a file that declare something.
    fn places<'a>(&'a self, project: &'a Project, file: FileId) -> impl Iterator<Item = Place> + 'a {
        let of_file = &project.file(file).body;
        let functions = project.functions.iter().filter(move |function| function.file == file);
        let bodies = std::iter::once(of_file).chain(functions.map(|function| &function.body));
        bodies.flat_map(move |body| {
            let exprs = (0u32..).take(body.exprs.len());
            exprs.filter_map(move |index| declares(project, file, body, ExprId(index)))
        })
    }
}

/// What an expression declares: the row of a table of slots, or the call.
fn declares(project: &Project, file: FileId, body: &Body, expr: ExprId) -> Option<Place> {
    let text = |id: ExprId| match body.kind(strip(body, id)) {
        ExprKind::Name(name) => project.text(name),
        _ => "",
    };
    let value = match body.kind(expr) {
        // `{Py_mod_gil, value}`
        ExprKind::List(list) => match body.list(list) {
            [id, value, ..] if text(undesignated(body, *id)) == "Py_mod_gil" => undesignated(body, *value),
            _ => return None,
        },
        // `PySlot_DATA(Py_mod_gil, value)` and `PyUnstable_Module_SetGIL(module, value)`
        ExprKind::Call { args, .. } => {
            let name = callee(body, expr).map_or("", |name| project.text(name));
            match body.list(args) {
                [id, value] if name.starts_with("PySlot_") && text(*id) == "Py_mod_gil" => *value,
                [_, value] if name == "PyUnstable_Module_SetGIL" => *value,
                _ => return None,
            }
        }
        _ => return None,
    };
    let declared = match (body.kind(strip(body, value)), text(value)) {
        (_, "Py_MOD_GIL_NOT_USED") | (ExprKind::Number(Some(1)), _) => Declared::NotUsed,
        (_, "Py_MOD_GIL_USED") | (ExprKind::Number(Some(0)) | ExprKind::Null, _) => Declared::Used,
        _ => Declared::Unknown,
    };
    Some(Place { file, span: body.expr(expr).span, declared })
}

/// `.slot = Py_mod_gil` is `Py_mod_gil`.
fn undesignated(body: &Body, cell: ExprId) -> ExprId {
    match body.kind(cell) {
        ExprKind::Assign { op: None, value, .. } => value,
        _ => cell,
    }
}
