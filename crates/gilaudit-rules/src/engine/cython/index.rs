//! The Cython files of a project, seen together.

use std::collections::{HashMap, HashSet};

use gilaudit_model::source::cython::{Class, CythonFile, Declarator, ExprKind, StmtKind, Type};
use gilaudit_model::source::{ExprId, FileId, Name, Project, Span, StmtId};

use super::code::{Code, held};
use super::directive::build_says;
use crate::engine::declarations::{Declared, Module};

/// A function: number of the Cython file, number in it.
pub(crate) type FunctionRef = (usize, u32);

/// What is known of a function.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Role {
    /// Other threads can run it on objects that they share: reached from `def` and `cpdef` functions, not only while a module is
    /// imported or an object made.
    pub(crate) live: bool,
    /// Everyone who calls it holds a lock (E6).
    pub(crate) lock_held: bool,
}

/// A variable at module level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Global {
    /// Its C type; none for a Python global, which lives in the module's dict.
    pub(crate) ty: Option<Type>,
    /// Its first value.
    pub(crate) init: Option<(usize, ExprId)>,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// The module that each Cython file belongs to: files that include each other, and the declarations beside them.
    pub(crate) module_of: Vec<usize>,
    /// The module-level variables, by module and name.
    pub(crate) globals: HashMap<(usize, Name), Global>,
    /// The attributes of the extension types, by class and name.
    pub(crate) attributes: HashMap<(Name, Name), Type>,
    /// The base classes of the extension types.
    pub(crate) extensions: HashMap<Name, Vec<Name>>,
    pub(crate) roles: HashMap<FunctionRef, Role>,
    /// Where a function of this name is called: file and statement.
    pub(crate) calls: HashMap<Name, Vec<(usize, StmtId)>>,
    pub(crate) by_name: HashMap<Name, Vec<FunctionRef>>,
    /// The functions that, as decorators, make a function hold a lock.
    pub(crate) locking_decorators: HashSet<Name>,
    /// The modules in which some lock is taken.
    pub(crate) with_locks: HashSet<usize>,
}

/// Functions in which nobody else has the object yet, or any more. `__init__` can be called again, but hardly anybody does while other
/// threads use the object.
pub(crate) fn is_lifecycle(name: &str) -> bool {
    matches!(
        name,
        "__cinit__" | "__dealloc__" | "__init__" | "__setstate__" | "__setstate_cython__" | "__del__" | "__new__"
    )
}

impl Index {
    pub(crate) fn new(project: &Project) -> Self {
        let mut index = Self { module_of: module_of(project), ..Self::default() };
        if project.cython.is_empty() {
            return index;
        }
        for (number, file) in project.cython.iter().enumerate() {
            index.declarations(project, number, file);
            index.calls(number, file);
        }
        index.locks(project);
        index.roles(project);
        index
    }

    /// The type of an attribute of an extension type, its own or of a base class that is known.
    pub(crate) fn attribute(&self, class: Name, attribute: Name) -> Option<Type> {
        let mut open = vec![class];
        let mut seen = HashSet::new();
        while let Some(class) = open.pop() {
            if let Some(ty) = self.attributes.get(&(class, attribute)) {
                return Some(*ty);
            }
            if seen.insert(class) {
                open.extend(self.extensions.get(&class).into_iter().flatten());
            }
        }
        None
    }

    fn declarations(&mut self, project: &Project, number: usize, file: &CythonFile) {
        let module = self.module_of[number];
        for class in file.classes.iter().filter(|class: &&Class| class.extension) {
            self.extensions.entry(class.name).or_default().extend(&class.bases);
        }
        for (function, of) in file.functions.iter().zip(0u32..) {
            self.by_name.entry(function.name).or_default().push((number, of));
        }
        for id in file.stmt_ids() {
            let stmt = file.stmt(id);
            if stmt.function.is_some() {
                continue;
            }
            let class = file.around(id).find_map(|around| match file.stmt(around).kind {
                StmtKind::Class(class) => file.classes.get(class as usize),
                _ => None,
            });
            match &stmt.kind {
                StmtKind::Declare(first, end) => {
                    for variable in file.variables.get(*first as usize..*end as usize).unwrap_or_default() {
                        match class {
                            Some(class) if class.extension => {
                                self.attributes.insert((class.name, variable.name), variable.ty);
                            }
                            Some(_) => {}
                            None => {
                                let init = variable.init.map(|init| (number, init));
                                let global =
                                    self.globals.entry((module, variable.name)).or_insert(Global { ty: None, init });
                                global.ty = Some(variable.ty);
                                global.init = global.init.or(init);
                            }
                        }
                    }
                }
                StmtKind::Assign { targets, value, augmented: false } if class.is_none() => {
                    for target in file.list(*targets) {
                        if let ExprKind::Name(name) = file.kind(*target) {
                            let init = Some((number, *value));
                            let global = self.globals.entry((module, name)).or_insert(Global { ty: None, init });
                            global.init = global.init.or(init);
                        }
                    }
                }
                _ => {}
            }
        }
        let _ = project;
    }

    fn calls(&mut self, number: usize, file: &CythonFile) {
        for id in file.stmt_ids() {
            for expr in file.exprs_of(id) {
                // A name that is not called is a callback: whoever gets it may call it from anywhere.
                if let ExprKind::Call { callee, .. } = file.kind(expr)
                    && let Some(name) = last_name(file, callee)
                {
                    self.calls.entry(name).or_default().push((number, id));
                }
            }
        }
    }

    fn locks(&mut self, project: &Project) {
        // A decorator locks when a function inside it takes a lock around what it calls.
        for (number, file) in project.cython.iter().enumerate() {
            for id in file.stmt_ids() {
                let stmt = file.stmt(id);
                let StmtKind::With(items) = stmt.kind else { continue };
                let code = Code { project, index: self, file, number };
                if !file.list(items).iter().any(|item| code.lock(*item).is_some()) {
                    continue;
                }
                self.with_locks.insert(self.module_of[number]);
                let outer = stmt.function.and_then(|inner| file.functions.get(inner as usize)?.outer);
                if let Some(outer) = outer.and_then(|outer| file.functions.get(outer as usize)) {
                    self.locking_decorators.insert(outer.name);
                }
            }
        }
    }

    fn roles(&mut self, project: &Project) {
        for (number, file) in project.cython.iter().enumerate() {
            for (function, of) in file.functions.iter().zip(0u32..) {
                let name = project.text(function.name);
                let live = function.declarator != Declarator::Cdef && !is_lifecycle(name);
                let lock_held = ["_locked", "_lock_held", "_with_lock"].iter().any(|suffix| name.ends_with(suffix));
                self.roles.insert((number, of), Role { live, lock_held });
            }
        }
        // Calls reach further with each round; chains of callers longer than this are not followed.
        for _ in 0..8 {
            let mut changed = Vec::new();
            for (number, file) in project.cython.iter().enumerate() {
                for (function, of) in
                    file.functions.iter().zip(0u32..).filter(|(function, _)| function.declarator == Declarator::Cdef)
                {
                    let Some(role) = self.roles.get(&(number, of)).copied() else { continue };
                    let calls = self.calls.get(&function.name).map(Vec::as_slice).unwrap_or_default();
                    let caller = |(file, stmt): &(usize, StmtId)| {
                        let inside = project.cython[*file].stmt(*stmt).function?;
                        self.roles.get(&(*file, inside)).map(|role| (*file, inside, *role))
                    };
                    let live = role.live || calls.iter().any(|call| caller(call).is_some_and(|(_, _, role)| role.live));
                    let lock_held = role.lock_held
                        || calls.iter().any(|call| caller(call).is_some_and(|(_, _, role)| role.live))
                            && calls.iter().all(|call| match caller(call) {
                                None => true,
                                Some((_, _, role)) if !role.live => true,
                                Some((_, _, role)) if role.lock_held => true,
                                Some((in_file, ..)) => {
                                    let code =
                                        Code { project, index: self, file: &project.cython[in_file], number: in_file };
                                    held(&code, call.1)
                                }
                            });
                    if (live, lock_held) != (role.live, role.lock_held) {
                        changed.push(((number, of), Role { live, lock_held }));
                    }
                }
            }
            if changed.is_empty() {
                break;
            }
            self.roles.extend(changed);
        }
    }
}

/// The last part of what is called.
pub(super) fn last_name(file: &CythonFile, callee: ExprId) -> Option<Name> {
    match file.kind(callee) {
        ExprKind::Name(name) | ExprKind::Attribute { name, .. } => Some(name),
        ExprKind::Subscript { base, .. } => match file.kind(base) {
            ExprKind::Name(name) | ExprKind::Attribute { name, .. } => Some(name),
            _ => None,
        },
        _ => None,
    }
}

/// A path without what templates add, and its extension.
fn stem(path: &str) -> (&str, &str) {
    let path = [".in", ".tp", ".src"].iter().find_map(|suffix| path.strip_suffix(suffix)).unwrap_or(path);
    let (stem, extension) = path.rsplit_once('.').unwrap_or((path, ""));
    (stem.strip_suffix(".templ").unwrap_or(stem), extension)
}

/// The module of each file, by the number of its first file.
fn module_of(project: &Project) -> Vec<usize> {
    let paths: Vec<&str> = project.cython.iter().map(|file| project.file(file.file).path.as_str()).collect();
    let mut module: Vec<usize> = (0..paths.len()).collect();
    let by_stem: HashMap<&str, usize> = paths
        .iter()
        .enumerate()
        .filter(|(_, path)| stem(path).1 == "pyx")
        .map(|(number, path)| (stem(path).0, number))
        .collect();
    for (number, path) in paths.iter().enumerate() {
        let (stem, extension) = stem(path);
        if extension == "pxd"
            && let Some(root) = by_stem.get(stem)
        {
            module[number] = *root;
        }
    }
    // Includes, from the files that include: a few levels.
    for _ in 0..4 {
        for (number, file) in project.cython.iter().enumerate() {
            for stmt in &file.stmts {
                let StmtKind::Include(name) = stmt.kind else { continue };
                let name = project.text(name);
                let folder = paths[number].rsplit_once('/').map_or("", |(folder, _)| folder);
                let wanted = if folder.is_empty() {
                    name.to_owned()
                } else {
                    format!("{folder}/{}", name.trim_start_matches("./"))
                };
                let found = paths.iter().position(|path| *path == wanted || stem(path) == stem(&wanted));
                if let Some(found) = found
                    && stem(paths[found]).1 != "pyx"
                {
                    module[found] = module[number];
                }
            }
        }
    }
    module
}

/// The modules that the project's Cython files make, and what each declares.
pub(crate) fn modules(project: &Project) -> Vec<Module> {
    let mut out = Vec::new();
    for cython in &project.cython {
        let file = project.file(cython.file);
        let (stem, extension) = stem(&file.path);
        if extension != "pyx" {
            continue;
        }
        let directive = cython.directives.iter().find(|directive| &*directive.name == "freethreading_compatible");
        let declared = match directive.map(|directive| &*directive.value) {
            Some("True" | "1") => Declared::NotUsed,
            // As far as the interpreter is told, `False` is the same as nothing.
            Some(_) => Declared::Nothing,
            None => match build_says(project, cython.file).map(|says| says.value) {
                Some(Ok(true)) => Declared::NotUsed,
                Some(Err(_)) => Declared::Unknown,
                Some(Ok(false)) | None => Declared::Nothing,
            },
        };
        let first = cython.stmts.first().map_or(Span { start: 0, end: 0 }, |stmt| stmt.span);
        out.push(Module {
            name: stem.rsplit('/').next().unwrap_or(stem).to_owned(),
            file: cython.file,
            span: directive.map_or(first, |directive| directive.span),
            declared,
            condition: None,
            framework: "cython",
        });
    }
    out
}

/// Whether the module that a file belongs to declares that it runs without the GIL.
pub(crate) fn declares(project: &Project, index: &Index, number: usize) -> bool {
    let root = index.module_of.get(number).and_then(|root| project.cython.get(*root)).map(|file| file.file);
    let is_root = |file: FileId| Some(file) == root;
    modules(project).iter().any(|module| is_root(module.file) && module.declared == Declared::NotUsed)
}
