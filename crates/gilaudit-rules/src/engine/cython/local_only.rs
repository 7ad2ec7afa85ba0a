//! Extension types whose objects never leave the call that makes them: the exemption E3 for whole types.
//!
//! Such a type is private by a leading underscore in its name or its path, some code of the project makes objects of it, and whoever does
//! keeps them in a local that is used as a receiver or handed to code that does the same. Whatever is not understood counts as leaving.

use std::collections::{BTreeSet, HashMap, HashSet};

use gilaudit_model::source::cython::{CompareOp, CythonFile, Display, ExprKind, Function, StmtKind};
use gilaudit_model::source::{ExprId, Name, Project, StmtId};

use super::code::Code;
use super::index::{FunctionRef, Index};
use crate::engine::analysis::is_test_path;

/// How many locals are followed for one type, at most; an object that gets further counts as leaving.
const FOLLOWED: usize = 256;

/// A file, and where each of its expressions belongs.
struct Place<'p> {
    code: Code<'p>,
    parents: Vec<Option<ExprId>>,
    stmts: Vec<Option<StmtId>>,
    /// In Python a name is an extension type only where it was imported; none where any name can be one.
    imported: Option<HashSet<Name>>,
}

impl<'p> Place<'p> {
    fn new(code: Code<'p>) -> Self {
        let file = code.file;
        let (mut parents, mut stmts) = (vec![None; file.exprs.len()], vec![None; file.exprs.len()]);
        for id in file.stmt_ids() {
            for expr in file.exprs_of(id) {
                if let Some(stmt) = stmts.get_mut(expr.0 as usize) {
                    *stmt = Some(id);
                }
                for child in file.children(expr) {
                    if let Some(parent) = parents.get_mut(child.0 as usize) {
                        *parent = Some(expr);
                    }
                }
            }
        }
        let imported = (code.number >= code.project.cython.len()).then(|| imported(code)).flatten();
        Self { code, parents, stmts, imported }
    }

    /// Whether it is Python, and not Cython.
    fn is_python(&self) -> bool {
        self.code.number >= self.code.project.cython.len()
    }

    fn can_be_type(&self, name: Name) -> bool {
        self.imported.as_ref().is_none_or(|imported| imported.contains(&name))
    }

    fn is_test(&self) -> bool {
        is_test_path(&self.code.project.file(self.code.file.file).path)
    }

    fn parent(&self, expr: ExprId) -> Option<ExprId> {
        self.parents.get(expr.0 as usize).copied().flatten()
    }

    fn stmt(&self, expr: ExprId) -> Option<StmtId> {
        self.stmts.get(expr.0 as usize).copied().flatten()
    }

    fn exprs(&self) -> impl Iterator<Item = ExprId> + use<> {
        (0..self.parents.len() as u32).map(ExprId)
    }
}

/// What a file imports from modules, and the modules; none if it imports everything of one.
fn imported(code: Code<'_>) -> Option<HashSet<Name>> {
    let mut out = HashSet::new();
    for stmt in &code.file.stmts {
        if let StmtKind::Import { module, names, .. } = &stmt.kind {
            if names.iter().any(|(name, _)| code.text(*name) == "*") {
                return None;
            }
            out.insert(*module);
            out.extend(names.iter().map(|(name, _)| *name));
        }
    }
    Some(out)
}

/// The types of a project that are so.
pub(super) fn collect(project: &Project, index: &Index) -> BTreeSet<Name> {
    let mut classes = private_types(project, index);
    if classes.is_empty() {
        return classes;
    }
    let places = places(project, index);
    let (mut made, mut out) = (HashSet::new(), HashSet::new());
    for place in places.iter().filter(|place| !place.is_test()) {
        out.extend(mentioned_otherwise(place, &classes));
    }
    let references = references(&places, &classes);
    for class in &classes {
        if out.contains(class) {
            continue;
        }
        let mut search = Search { index, places: &places, seen: HashSet::new() };
        let mut leaves = search.methods_leave(*class);
        for (number, reference) in references.get(class).into_iter().flatten() {
            match search.reference(*number, *reference, *class) {
                Reference::Made(call) => {
                    made.insert(*class);
                    leaves = leaves || search.leaves(*number, call);
                }
                Reference::Harmless => {}
                Reference::Leaves => leaves = true,
            }
        }
        if leaves {
            out.insert(*class);
        }
    }
    // An object of a derived type is one of its base, too.
    let derived = |class: Name| {
        index.extensions.keys().copied().filter(move |other| *other != class && index.derives(*other, class))
    };
    let private = classes.clone();
    classes.retain(|class| {
        !out.contains(class)
            && derived(*class).all(|other| private.contains(&other) && !out.contains(&other))
            && (made.contains(class) || derived(*class).any(|other| made.contains(&other)))
    });
    classes
}

/// The extension types that their names or the paths of their modules call private. One name for two types is none.
fn private_types(project: &Project, index: &Index) -> BTreeSet<Name> {
    let mut modules: HashMap<Name, (HashSet<usize>, bool)> = HashMap::new();
    for (number, file) in project.cython.iter().enumerate() {
        let path = &project.file(file.file).path;
        let private_path = path.split('/').any(|part| part.starts_with('_') && !part.starts_with("__"));
        for class in file.classes.iter().filter(|class| class.extension) {
            let entry = modules.entry(class.name).or_default();
            entry.0.extend(index.module_of.get(number));
            entry.1 |= private_path || project.text(class.name).starts_with('_') || is_test_path(path);
        }
    }
    modules.into_iter().filter(|(_, (modules, private))| *private && modules.len() == 1).map(|(name, _)| name).collect()
}

/// The files of the project. The numbers of Cython files are those of the index.
fn places<'p>(project: &'p Project, index: &'p Index) -> Vec<Place<'p>> {
    let all = project.cython.iter().chain(project.extension_users.iter().map(|user| &user.code));
    all.enumerate().map(|(number, file)| Place::new(Code { project, index, file, number })).collect()
}

/// The types that a file gives another name, exports, derives a Python class from, or mentions where nothing could be read.
fn mentioned_otherwise(place: &Place<'_>, classes: &BTreeSet<Name>) -> HashSet<Name> {
    let (project, file) = (place.code.project, place.code.file);
    let mut out = HashSet::new();
    let is_python = place.is_python();
    let names: HashSet<Name> = place
        .exprs()
        .filter_map(|expr| match file.kind(expr) {
            ExprKind::Name(name) => Some(name),
            _ => None,
        })
        .collect();
    for stmt in &file.stmts {
        let StmtKind::Import { names: imported, .. } = &stmt.kind else { continue };
        // What is imported and not used is there for others.
        let passed_on = |name: Name, alias: Name| name != alias || is_python && !names.contains(&name);
        out.extend(imported.iter().filter(|(name, alias)| passed_on(*name, *alias)).map(|(name, _)| *name));
    }
    for class in file.classes.iter().filter(|class| !class.extension) {
        let last = |base: &Name| project.names.get(project.text(*base).rsplit('.').next()?);
        out.extend(class.bases.iter().filter_map(last).filter(|base| place.can_be_type(*base)));
    }
    let text = &project.file(file.file).text;
    for expr in place.exprs().filter(|expr| file.kind(*expr) == ExprKind::Str) {
        let literal = project.file(file.file).text_of(file.span(expr)).trim_matches(['"', '\'']);
        let exported = place.stmt(expr).is_some_and(|stmt| match file.stmt(stmt).kind {
            StmtKind::Assign { targets, .. } => file
                .list(targets)
                .iter()
                .any(|target| matches!(file.kind(*target), ExprKind::Name(name) if project.text(name) == "__all__")),
            _ => false,
        });
        out.extend(project.names.get(literal).filter(|_| exported));
    }
    let user = is_python.then(|| project.extension_users.iter().find(|user| user.code.file == file.file)).flatten();
    let unparsed = user.map_or(&project.file(file.file).unparsed_spans, |user| &user.unparsed);
    for span in unparsed {
        let lost = text.get(span.start as usize..span.end as usize).unwrap_or_default();
        let words = lost.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        out.extend(words.filter_map(|word| project.names.get(word)));
    }
    out.retain(|name| classes.contains(name));
    out
}

/// The expressions that name a type, outside of tests: the number of the place and the expression.
fn references(places: &[Place<'_>], classes: &BTreeSet<Name>) -> HashMap<Name, Vec<(usize, ExprId)>> {
    let mut out: HashMap<Name, Vec<(usize, ExprId)>> = HashMap::new();
    for (number, place) in places.iter().enumerate().filter(|(_, place)| !place.is_test()) {
        let file = place.code.file;
        for expr in place.exprs() {
            let named = match file.kind(expr) {
                ExprKind::Name(name) if place.can_be_type(name) => name,
                ExprKind::Attribute { name, .. } => name,
                _ => continue,
            };
            if classes.contains(&named) {
                out.entry(named).or_default().push((number, expr));
            }
        }
    }
    out
}

/// What is done with the name of a type.
enum Reference {
    /// An object is made, by this call.
    Made(ExprId),
    Harmless,
    Leaves,
}

/// Follows objects of one type through the project.
struct Search<'s, 'p> {
    index: &'p Index,
    places: &'s [Place<'p>],
    /// The locals that were followed, by file and function.
    seen: HashSet<(usize, u32, Name)>,
}

impl<'p> Search<'_, 'p> {
    fn reference(&self, number: usize, expr: ExprId, class: Name) -> Reference {
        let Some(place) = self.places.get(number) else { return Reference::Leaves };
        let (code, file) = (place.code, place.code.file);
        let named = |expr: ExprId| code.called(expr).map_or("", |(name, _)| name);
        // Pickling names the type for the interpreter.
        let pickles = place.stmt(expr).and_then(|stmt| code.function(stmt)).is_some_and(|(_, function)| {
            code.text(function.name).starts_with("__reduce")
                && code.extension_self(function).is_some_and(|(own, _)| own == class)
        });
        let Some(parent) = place.parent(expr).filter(|_| !pickles) else {
            return if pickles { Reference::Harmless } else { Reference::Leaves };
        };
        match file.kind(parent) {
            ExprKind::Call { callee, .. } if callee == expr => Reference::Made(parent),
            ExprKind::Call { .. } if matches!(named(parent), "isinstance" | "issubclass" | "super" | "__new__") => {
                Reference::Harmless
            }
            ExprKind::Display { .. } => match place.parent(parent) {
                Some(call) if matches!(named(call), "isinstance" | "issubclass") => Reference::Harmless,
                _ => Reference::Leaves,
            },
            ExprKind::Compare { .. } => Reference::Harmless,
            ExprKind::Attribute { name, .. } => match place.parent(parent) {
                Some(call) if matches!(file.kind(call), ExprKind::Call { callee, .. } if callee == parent) => {
                    if code.text(name) == "__new__" { Reference::Made(call) } else { Reference::Harmless }
                }
                _ => Reference::Leaves,
            },
            _ => Reference::Leaves,
        }
    }

    /// Whether a method of a type or of one of its bases hands its object to others.
    fn methods_leave(&mut self, class: Name) -> bool {
        for (number, place) in self.places.iter().enumerate() {
            let file: &CythonFile = place.code.file;
            for (function, of) in file.functions.iter().zip(0u32..) {
                let own = function.class.and_then(|own| file.classes.get(own as usize)).filter(|own| own.extension);
                let Some(own) = own.map(|own| own.name) else { continue };
                if !self.index.derives(class, own) {
                    continue;
                }
                let makes_more = function
                    .decorators
                    .iter()
                    .any(|decorator| place.code.path(*decorator).is_some_and(|path| path == "classmethod"));
                let this = place.code.extension_self(function).map(|(_, this)| this);
                if makes_more || this.is_some_and(|this| self.local_leaves(number, of, this)) {
                    return true;
                }
            }
        }
        false
    }

    /// Whether the object that a local holds gets out of the function.
    fn local_leaves(&mut self, number: usize, of: u32, name: Name) -> bool {
        if !self.seen.insert((number, of, name)) {
            return false;
        }
        if self.seen.len() > FOLLOWED {
            return true;
        }
        let Some(place) = self.places.get(number) else { return true };
        let file = place.code.file;
        let Some(function) = file.functions.get(of as usize) else { return true };
        let mentions: Vec<(StmtId, ExprId)> = file
            .inside(function.stmt)
            .flat_map(|stmt| file.exprs_of(stmt).map(move |expr| (stmt, expr)))
            .filter(|(_, expr)| file.kind(*expr) == ExprKind::Name(name))
            .collect();
        mentions.into_iter().any(|(stmt, expr)| match file.stmt(stmt).function {
            Some(inner) if inner == of => self.leaves(number, expr),
            // A function in it has it too, unless the name is its own.
            Some(inner) => !place.code.locals(inner).contains(&name),
            None => true,
        })
    }

    /// Whether an object gets out of the function through the expression that stands for it.
    fn leaves(&mut self, number: usize, expr: ExprId) -> bool {
        let Some(place) = self.places.get(number) else { return true };
        let file = place.code.file;
        let mut at = expr;
        while let Some(parent) = place.parent(at) {
            match file.kind(parent) {
                // The value is still the object.
                ExprKind::Cast { .. } | ExprKind::Logic { .. } => at = parent,
                ExprKind::Conditional { test, .. } if test != at => at = parent,
                ExprKind::Walrus { target, .. } => {
                    if target != at && self.assigned_leaves(number, at, &[target]) {
                        return true;
                    }
                    at = parent;
                }
                ExprKind::Attribute { base, name } if base == at => return self.member_leaves(place, parent, name),
                ExprKind::Subscript { base, .. } => return base != at,
                ExprKind::Call { callee, .. } if callee == at => return false,
                ExprKind::Call { callee, args } => {
                    let position = file.list(args).iter().position(|arg| *arg == at);
                    return self.argument_leaves(number, at, callee, position.map_or(Argument::Unknown, Argument::At));
                }
                ExprKind::Keyword { name, .. } => {
                    let Some(call) = place.parent(parent) else { return true };
                    let ExprKind::Call { callee, .. } = file.kind(call) else { return true };
                    return self.argument_leaves(number, at, callee, Argument::Named(name));
                }
                ExprKind::Compare { op, right, .. } => {
                    return matches!(op, CompareOp::In | CompareOp::NotIn) && right != at;
                }
                ExprKind::Comprehension { kind: Display::Tuple, .. } => return true,
                ExprKind::Conditional { .. }
                | ExprKind::Not(_)
                | ExprKind::Unary(_)
                | ExprKind::Binary { .. }
                | ExprKind::Each { .. } => return false,
                _ => return true,
            }
        }
        let Some(stmt) = place.stmt(at) else { return true };
        match file.stmt(stmt).kind {
            StmtKind::Expr(value) | StmtKind::If(value) | StmtKind::Elif(value) | StmtKind::While(value) => value != at,
            StmtKind::For { targets, iter } => iter != Some(at) && !file.list(targets).contains(&at),
            StmtKind::Delete(list) => !file.list(list).contains(&at),
            StmtKind::Assign { targets, value, augmented } => {
                let targets = file.list(targets);
                match value == at {
                    true => augmented || self.assigned_leaves(number, at, targets),
                    false => !targets.contains(&at),
                }
            }
            StmtKind::Declare(first, end) => {
                let declared = file.variables.get(first as usize..end as usize).unwrap_or_default();
                let variable = declared.iter().find(|variable| variable.init == Some(at));
                match (variable, file.stmt(stmt).function) {
                    (Some(variable), Some(of)) => self.local_leaves(number, of, variable.name),
                    _ => true,
                }
            }
            _ => true,
        }
    }

    /// Whether an object gets out of the function through what it is assigned to.
    fn assigned_leaves(&mut self, number: usize, at: ExprId, targets: &[ExprId]) -> bool {
        let Some(place) = self.places.get(number) else { return true };
        let function = place.stmt(at).and_then(|stmt| place.code.file.stmt(stmt).function);
        let Some(of) = function else { return true };
        let locals = place.code.locals(of);
        targets.iter().any(|target| match place.code.file.kind(*target) {
            ExprKind::Name(name) => !locals.contains(&name) || self.local_leaves(number, of, name),
            _ => true,
        })
    }

    /// Whether an object gets out through `object.name`: as a bound method that is not called, or by its class.
    fn member_leaves(&self, place: &Place<'_>, member: ExprId, name: Name) -> bool {
        let is_called = place.parent(member).is_some_and(
            |call| matches!(place.code.file.kind(call), ExprKind::Call { callee, .. } if callee == member),
        );
        let is_property = |(number, of): &FunctionRef| {
            let Some(place) = self.places.get(*number) else { return false };
            let Some(function) = place.code.file.functions.get(*of as usize) else { return false };
            function.decorators.iter().any(|it| place.code.path(*it).is_some_and(|path| path.contains("property")))
        };
        let methods = self.index.by_name.get(&name).map_or(&[][..], Vec::as_slice);
        place.code.text(name) == "__class__" || !is_called && !methods.iter().all(is_property)
    }

    /// Whether a callee keeps or passes on an argument. Callees that are not in the project may.
    fn argument_leaves(&mut self, number: usize, at: ExprId, callee: ExprId, argument: Argument) -> bool {
        let Some(place) = self.places.get(number) else { return true };
        let (code, file) = (place.code, place.code.file);
        let (candidates, bound) = match file.kind(callee) {
            ExprKind::Name(name) if self.index.extensions.contains_key(&name) => {
                let init = ["__init__", "__cinit__"].iter().filter_map(|init| code.project.names.get(init));
                (init.flat_map(|init| self.methods(init, name)).collect(), 1)
            }
            ExprKind::Name(name) => {
                let known = self.index.by_name.get(&name).map_or(&[][..], Vec::as_slice);
                let plain = |id: &&FunctionRef| self.function(**id).is_some_and(|function| function.class.is_none());
                let found: Vec<FunctionRef> = known.iter().filter(plain).copied().collect();
                if found.is_empty() {
                    return !is_harmless_builtin(code.text(name));
                }
                (found, 0)
            }
            ExprKind::Attribute { base, name } => {
                let of = place.stmt(at).and_then(|stmt| file.stmt(stmt).function);
                let Some(class) = of.and_then(|of| code.receiver(of, base)) else { return true };
                let by_class = matches!(file.kind(base), ExprKind::Name(base) if base == class);
                (self.methods(name, class), usize::from(!by_class))
            }
            _ => return true,
        };
        candidates.is_empty()
            || candidates.into_iter().any(|id: FunctionRef| {
                let Some(function) = self.function(id) else { return true };
                let parameter = match argument {
                    Argument::At(position) => function.parameters.get(position.saturating_add(bound)),
                    Argument::Named(name) => function.parameters.iter().find(|parameter| parameter.name == name),
                    Argument::Unknown => None,
                };
                match parameter.filter(|parameter| !parameter.star) {
                    Some(parameter) => {
                        let name = parameter.name;
                        self.local_leaves(id.0, id.1, name)
                    }
                    None => true,
                }
            })
    }

    fn function(&self, (number, of): FunctionRef) -> Option<&'p Function> {
        self.places.get(number)?.code.file.functions.get(of as usize)
    }

    /// The methods of this name that an object of a declared type can have.
    fn methods(&self, name: Name, class: Name) -> Vec<FunctionRef> {
        let known = self.index.by_name.get(&name).map_or(&[][..], Vec::as_slice);
        let fits = |id: &&FunctionRef| {
            let own = self.function(**id).and_then(|function| function.class);
            let own = own.and_then(|own| self.places.get(id.0)?.code.file.classes.get(own as usize));
            own.is_some_and(|own| self.index.derives(class, own.name) || self.index.derives(own.name, class))
        };
        known.iter().filter(fits).copied().collect()
    }
}

/// Which argument of a call.
#[derive(Clone, Copy, Debug)]
enum Argument {
    At(usize),
    Named(Name),
    Unknown,
}

/// Builtins that keep nothing of what they are given, and functions of the C API that count its references or keep it alive with the
/// memory of an array.
fn is_harmless_builtin(name: &str) -> bool {
    matches!(
        name,
        "isinstance" | "len" | "bool" | "int" | "float" | "str" | "repr" | "id" | "hash" | "print" | "hasattr"
    ) || matches!(name, "Py_INCREF" | "Py_DECREF" | "Py_XINCREF" | "Py_XDECREF" | "PyArray_SetBaseObject")
}
