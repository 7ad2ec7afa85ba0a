//! What a name in a Python function means: a variable of a module, of a class, of an object, of an enclosing function.

use foldhash::{HashMap, HashMapExt, HashSet};
use gilaudit_model::source::Project;
use gilaudit_model::source::python::{Binding, Function, Imported, Path, PythonFile, UseKind, Value};

use super::Id;

/// State that several threads can have at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Shared {
    /// A variable of a module.
    Global {
        /// The number of the file.
        file: usize,
        /// Its name.
        name: Box<str>,
    },
    /// An attribute of an object that a variable of a module is bound to.
    Attribute {
        /// The number of the file.
        file: usize,
        /// The name of the variable.
        owner: Box<str>,
        /// The name of the attribute.
        name: Box<str>,
    },
    /// An attribute of a class.
    Class {
        /// The number of the file.
        file: usize,
        /// The number of the class in it.
        class: usize,
        /// The name of the attribute.
        name: Box<str>,
    },
    /// An attribute of an object, in its methods. It is shared only where several threads run methods of the same object.
    Instance {
        /// The number of the file.
        file: usize,
        /// The number of the class in it.
        class: usize,
        /// The name of the attribute.
        name: Box<str>,
    },
    /// A variable of a function, in functions that are defined in it.
    Closure {
        /// The number of the file.
        file: usize,
        /// The number of the function in it.
        function: usize,
        /// The name of the variable.
        name: Box<str>,
    },
}

impl Shared {
    /// Its name, as a reader knows it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Global { name, .. }
            | Self::Attribute { name, .. }
            | Self::Class { name, .. }
            | Self::Instance { name, .. }
            | Self::Closure { name, .. } => name,
        }
    }
}

/// What a name at module level is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Function(Id),
    Class(usize, usize),
    /// A module of the project.
    Module(usize),
    /// A variable of a module.
    Variable(usize),
}

pub(super) struct Resolver<'p> {
    project: &'p Project,
    /// The files of the project by the last part of their module's name.
    modules: HashMap<&'p str, Vec<usize>>,
    /// Bindings by file, class, whether of an instance, and name; what binds a container, if anything does.
    bindings: HashMap<(usize, Option<usize>, bool, &'p str), Value>,
    /// The functions at module level and the methods, by file, class and name.
    functions: HashMap<(usize, Option<usize>, &'p str), usize>,
    /// The functions inside functions, by file, function and name.
    nested: HashMap<(usize, usize, &'p str), usize>,
    classes: HashMap<(usize, &'p str), usize>,
    /// What a file imports, by file and name.
    imports: HashMap<(usize, &'p str), &'p Imported>,
    /// The parts of each file's path as a module.
    parts: Vec<Vec<&'p str>>,
}

/// The parts of a file's path as a module: `pkg/sub/__init__.py` is `pkg`, `sub`.
fn module_parts(path: &str) -> Vec<&str> {
    let stem = path.strip_suffix(".py").unwrap_or(path);
    let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
    stem.split('/').collect()
}

/// Whether a function binds a name itself.
fn has_local(function: &Function, name: &str) -> bool {
    function.locals.binary_search_by(|local| (**local).cmp(name)).is_ok()
}

impl<'p> Resolver<'p> {
    pub(super) fn new(project: &'p Project) -> Self {
        let mut modules: HashMap<&str, Vec<usize>> = HashMap::new();
        let (mut bindings, mut functions, mut nested, mut classes, mut imports) =
            (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
        let mut parts = Vec::with_capacity(project.python.len());
        for (number, file) in project.python.iter().enumerate() {
            let path = &project.file(file.file).path;
            parts.push(module_parts(path));
            modules.entry(module_parts(path).last().copied().unwrap_or_default()).or_default().push(number);
            for import in &file.imports {
                imports.entry((number, import.name.as_ref())).or_insert(import);
            }
            for Binding { class, instance, name, value, .. } in &file.bindings {
                let known = bindings.entry((number, *class, *instance, name.as_ref())).or_insert(*value);
                // `x = None` first, the container later; or a container that is replaced by another.
                if !known.is_container() {
                    *known = *value;
                }
            }
            for (index, function) in file.functions.iter().enumerate().skip(1) {
                if function.class.is_some() || function.parent == Some(0) {
                    functions.insert((number, function.class, function.name.as_ref()), index);
                } else if let Some(parent) = function.parent {
                    nested.insert((number, parent, function.name.as_ref()), index);
                }
            }
            for (index, class) in file.classes.iter().enumerate() {
                classes.entry((number, class.name.as_ref())).or_insert(index);
            }
        }
        Self { project, modules, bindings, functions, nested, classes, imports, parts }
    }

    fn file(&self, number: usize) -> &'p PythonFile {
        &self.project.python[number]
    }

    /// The file that an import in another one means.
    fn module(&self, from: usize, level: usize, name: &str) -> Option<usize> {
        let wanted: Vec<&str> = name.split('.').filter(|part| !part.is_empty()).collect();
        let own_path = &self.project.file(self.file(from).file).path;
        let own: Vec<&str> = own_path.split('/').collect();
        let mut candidates = match wanted.last() {
            Some(last) => self.modules.get(last).cloned().unwrap_or_default(),
            None => (0..self.project.python.len()).collect(),
        };
        let parts = |number: usize| self.parts[number].as_slice();
        if level > 0 {
            let mut full = own.get(..own.len().checked_sub(level)?)?.to_vec();
            full.extend(wanted);
            return candidates.into_iter().find(|candidate| parts(*candidate) == full.as_slice());
        }
        candidates.retain(|candidate| parts(*candidate).ends_with(&wanted));
        // The one nearest to the root is the one that is installed.
        candidates.into_iter().min_by_key(|candidate| parts(*candidate).len())
    }

    /// What a name at the level of a module is.
    pub(super) fn named(&self, file: usize, name: &str, depth: usize) -> Option<Named> {
        if depth > 8 {
            return None;
        }
        if let Some(function) = self.functions.get(&(file, None, name)) {
            return Some(Named::Function((file, *function)));
        }
        if let Some(class) = self.classes.get(&(file, name)) {
            return Some(Named::Class(file, *class));
        }
        if self.bindings.contains_key(&(file, None, false, name)) {
            return Some(Named::Variable(file));
        }
        let import = self.imports.get(&(file, name))?;
        match &import.attribute {
            None => self.module(file, import.level, &import.module).map(Named::Module),
            Some(attribute) => {
                let inside = self
                    .module(file, import.level, &import.module)
                    .and_then(|module| if module == file { None } else { self.named(module, attribute, depth + 1) });
                inside.or_else(|| {
                    let module = format!("{}.{attribute}", import.module);
                    self.module(file, import.level, &module).map(Named::Module)
                })
            }
        }
    }

    /// A method of a class or of one of its bases.
    pub(super) fn method(&self, file: usize, class: usize, name: &str, depth: usize) -> Option<Id> {
        if let Some(function) = self.functions.get(&(file, Some(class), name)) {
            return Some((file, *function));
        }
        let bases = &self.file(file).classes.get(class)?.bases;
        bases.iter().filter(|_| depth < 8).find_map(|base| match self.named_path(file, base)? {
            Named::Class(file, class) => self.method(file, class, name, depth + 1),
            _ => None,
        })
    }

    /// What a dotted name at module level is.
    pub(super) fn named_path(&self, file: usize, path: &[Box<str>]) -> Option<Named> {
        let (first, rest) = path.split_first()?;
        let mut found = self.named(file, first, 0)?;
        for part in rest {
            found = match found {
                Named::Module(module) => self.named(module, part, 0)?,
                _ => return None,
            };
        }
        Some(found)
    }

    /// The class whose methods a function and the functions in it belong to, and the name of `self` there.
    pub(super) fn object(&self, by: Id, name: &str) -> Option<usize> {
        let mut index = by.1;
        for _ in 0..16 {
            let function = self.file(by.0).functions.get(index)?;
            if let Some(class) = function.class {
                return (function.parameters.first().map(AsRef::as_ref) == Some(name)).then_some(class);
            }
            if has_local(function, name) || function.parameters.iter().any(|local| local.as_ref() == name) {
                return None;
            }
            index = function.parent?;
        }
        None
    }

    /// What a call in a function runs.
    pub(super) fn callee(&self, by: Id, path: &[Box<str>]) -> Option<Id> {
        let (first, rest) = path.split_first()?;
        let file = by.0;
        // A function defined in this one or in one around it.
        if rest.is_empty() {
            let mut index = by.1;
            for _ in 0..16 {
                if let Some(nested) = self.nested.get(&(file, index, first.as_ref())) {
                    return Some((file, *nested));
                }
                match self.file(file).functions.get(index).and_then(|function| function.parent) {
                    Some(parent) => index = parent,
                    None => break,
                }
            }
        }
        if self.is_local(by, first) && self.object(by, first).is_none() {
            return None;
        }
        if let (Some(class), [method]) = (self.object(by, first), rest) {
            return self.method(file, class, method, 0);
        }
        let named = match self.named_path(file, path) {
            Some(named) => named,
            // `Class.method`, `instance_of_module.method` where only one class has such a method.
            None => match self.named_path(file, path.get(..path.len() - 1)?)? {
                Named::Class(file, class) => return self.method(file, class, path.last()?, 0),
                _ => return None,
            },
        };
        match named {
            Named::Function(id) => Some(id),
            Named::Class(file, class) => self.method(file, class, "__init__", 0),
            Named::Module(_) | Named::Variable(_) => None,
        }
    }

    /// The class that a call makes an object of.
    pub(super) fn class_of_call(&self, by: Id, path: &[Box<str>]) -> Option<(usize, usize)> {
        match self.named_path(by.0, path)? {
            Named::Class(file, class) => Some((file, class)),
            _ => None,
        }
    }

    /// Whether a name is bound by the function itself.
    fn is_local(&self, by: Id, name: &str) -> bool {
        let Some(function) = self.file(by.0).functions.get(by.1) else { return false };
        let declared = |list: &[Box<str>]| list.iter().any(|known| known.as_ref() == name);
        (has_local(function, name) || declared(&function.parameters))
            && !declared(&function.globals)
            && !declared(&function.nonlocals)
    }

    /// What a path in a function means, where it is state that threads can share.
    pub(super) fn shared(&self, by: Id, place: &Path, kind: UseKind) -> Option<Shared> {
        let file = by.0;
        let found = match place.as_slice() {
            [name] => self.variable(by, name, kind)?,
            [owner, name] => {
                if let Some(class) = self.object(by, owner) {
                    self.member(file, class, name)
                } else if self.is_class_method(by, owner) {
                    let class = self.file(file).functions.get(by.1)?.class?;
                    Shared::Class { file, class, name: name.clone() }
                } else if self.is_local(by, owner) || self.enclosing(by, owner).is_some() {
                    return None;
                } else {
                    match self.named(file, owner, 0)? {
                        Named::Class(file, class) => Shared::Class { file, class, name: name.clone() },
                        Named::Module(file) => Shared::Global { file, name: name.clone() },
                        Named::Variable(file) => Shared::Attribute { file, owner: owner.clone(), name: name.clone() },
                        Named::Function(_) => return None,
                    }
                }
            }
            _ => return None,
        };
        (self.value(&found) != Value::Threaded && !self.is_thread_local(&found)).then_some(found)
    }

    /// An attribute of `self`: of the class, unless methods bind it for each object.
    fn member(&self, file: usize, class: usize, name: &str) -> Shared {
        let of_class = self.bindings.contains_key(&(file, Some(class), false, name));
        let of_object = self.bindings.contains_key(&(file, Some(class), true, name));
        let name = name.into();
        if of_class && !of_object {
            Shared::Class { file, class, name }
        } else {
            Shared::Instance { file, class, name }
        }
    }

    fn is_class_method(&self, by: Id, name: &str) -> bool {
        let function = self.file(by.0).functions.get(by.1);
        name == "cls"
            && function.is_some_and(|it| it.class.is_some() && it.parameters.first().map(AsRef::as_ref) == Some(name))
    }

    /// Whether it is an attribute of a `threading.local` or the like.
    fn is_thread_local(&self, what: &Shared) -> bool {
        match what {
            Shared::Attribute { file, owner, .. } => {
                self.bindings.get(&(*file, None, false, owner.as_ref())) == Some(&Value::Threaded)
            }
            _ => false,
        }
    }

    fn variable(&self, by: Id, name: &str, kind: UseKind) -> Option<Shared> {
        let file = by.0;
        let function = self.file(file).functions.get(by.1)?;
        let declared = |list: &[Box<str>]| list.iter().any(|known| known.as_ref() == name);
        if !declared(&function.globals) {
            // Without a declaration, an assignment makes a local variable.
            let rebinds = matches!(kind, UseKind::Bind | UseKind::Augment);
            if self.is_local(by, name) || rebinds && !declared(&function.nonlocals) {
                return None;
            }
            if let Some(owner) = self.enclosing(by, name) {
                return Some(Shared::Closure { file, function: owner, name: name.into() });
            }
        }
        match self.named(file, name, 0) {
            Some(Named::Variable(file)) => Some(Shared::Global { file, name: name.into() }),
            // `global x` in a function may be what makes the variable.
            None if declared(&function.globals) => Some(Shared::Global { file, name: name.into() }),
            _ => None,
        }
    }

    /// The function around this one that has a variable of this name.
    fn enclosing(&self, by: Id, name: &str) -> Option<usize> {
        let mut index = self.file(by.0).functions.get(by.1)?.parent?;
        for _ in 0..16 {
            let function = self.file(by.0).functions.get(index)?;
            if index == 0 {
                return None;
            }
            if has_local(function, name) || function.parameters.iter().any(|local| local.as_ref() == name) {
                return Some(index);
            }
            index = function.parent?;
        }
        None
    }

    /// What shared state is bound to.
    pub(super) fn value(&self, what: &Shared) -> Value {
        let key = match what {
            Shared::Global { file, name } => (*file, None, false, name.as_ref()),
            Shared::Class { file, class, name } => (*file, Some(*class), false, name.as_ref()),
            Shared::Instance { file, class, name } => (*file, Some(*class), true, name.as_ref()),
            Shared::Attribute { .. } | Shared::Closure { .. } => return Value::Other,
        };
        self.bindings.get(&key).copied().unwrap_or(Value::Other)
    }

    /// The numbers of the functions of a file that are methods of a class.
    pub(super) fn methods(&self, file: usize, class: usize) -> HashSet<usize> {
        let methods = self.file(file).functions.iter().enumerate();
        methods.filter(|(_, function)| function.class == Some(class)).map(|(index, _)| index).collect()
    }
}
