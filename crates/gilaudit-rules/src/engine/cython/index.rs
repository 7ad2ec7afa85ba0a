//! The Cython files of a project, seen together.

use std::collections::{BTreeSet, HashMap, HashSet};

use gilaudit_model::source::cython::{Class, CythonFile, ExprKind, StmtKind, Type};
use gilaudit_model::source::{ExprId, Name, Project};

use super::code::{Code, primitive};
use super::local_only;
use super::modules::module_of;
use super::roles::{self, Call, Role};

/// A function: number of the Cython file, number in it.
pub(crate) type FunctionRef = (usize, u32);

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
    /// Where a function of this name is called.
    pub(crate) calls: HashMap<Name, Vec<Call>>,
    pub(crate) by_name: HashMap<Name, Vec<FunctionRef>>,
    /// The functions that, as decorators, make a function hold a lock.
    pub(crate) locking_decorators: HashSet<Name>,
    /// The extension types whose objects never leave the call that makes them.
    local_only: BTreeSet<Name>,
    /// What functions of this name do to a lock: 1 if they take one and leave it taken, -1 if they release one that they did not take.
    lock_effects: HashMap<Name, i32>,
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
        index.lock_effects(project);
        index.locks(project);
        roles::collect(project, &mut index);
        index.local_only = local_only::collect(project, &index);
        index
    }

    /// Whether the objects of an extension type never leave the call that makes them.
    pub(crate) fn is_local_only(&self, class: Name) -> bool {
        self.local_only.contains(&class)
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
                    self.calls.entry(name).or_default().push(Call { file: number, stmt: id, callee });
                }
            }
        }
    }

    /// What calling a function does to a lock: 1 if it is taken, -1 if it is released.
    pub(crate) fn lock_effect(&self, function: Name) -> i32 {
        self.lock_effects.get(&function).copied().unwrap_or(0)
    }

    /// Functions of one name of which only some do it do nothing.
    fn lock_effects(&mut self, project: &Project) {
        let effect = |(number, of): &FunctionRef| {
            let code = Code { project, index: self, file: project.cython.get(*number)?, number: *number };
            let exprs = code.body(*of).flat_map(|id| code.file.exprs_of(id));
            let sum: i32 = exprs.filter_map(|expr| code.called(expr)).map(|(name, _)| primitive(name)).sum();
            Some(sum.signum())
        };
        let mut effects = HashMap::new();
        let mut all: Vec<(&Name, &Vec<FunctionRef>)> = self.by_name.iter().collect();
        all.sort_unstable();
        for (name, functions) in all {
            let mut found = functions.iter().map(effect);
            if let Some(Some(first)) = found.next()
                && first != 0
                && found.all(|other| other == Some(first))
            {
                effects.insert(*name, first);
            }
        }
        self.lock_effects = effects;
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
