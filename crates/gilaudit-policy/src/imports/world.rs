//! All modules that there are, found by name as the interpreter's path finder finds them.

use std::cell::{LazyCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use gilaudit_model::cpython::is_stdlib;
use gilaudit_model::program::Program;
use gilaudit_model::{Distribution, ImportFailure, Init, Os, Outcome, Target};

/// A Python file, read when the graph gets there: most imports need a small part of an environment.
pub type LazyCode = LazyCell<Rc<Program>, Box<dyn FnOnce() -> Rc<Program>>>;

/// Names in a compiled file, read when somebody asks.
pub type LazyNames = LazyCell<BTreeSet<String>, Box<dyn FnOnce() -> BTreeSet<String>>>;

/// What reads text as Python.
pub type ReadCode = Box<dyn Fn(&str) -> Program>;

/// A Python file.
#[derive(Debug)]
pub struct PythonNode {
    /// The file, as shown to people.
    pub file: String,
    /// What stands in it.
    pub code: LazyCode,
    /// The distribution it belongs to.
    pub distribution: Option<Distribution>,
}

/// An entry point of an installed distribution.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryPoint {
    /// The group.
    pub group: String,
    /// Its name in the group.
    pub name: String,
    /// `module:attribute`.
    pub value: String,
}

/// An extension module.
#[derive(Debug)]
pub struct ExtensionNode {
    /// The file, as shown to people.
    pub file: String,
    /// What happens when the target imports it.
    pub outcome: Outcome,
    /// How it initialises: a single-phase module imports before its declaration is looked at.
    pub init: Init,
    /// Why it cannot be imported.
    pub failure: Option<ImportFailure>,
    /// Modules that its code may import, absolute; `None` when that was not read.
    pub imports: Option<Vec<String>>,
    /// Names by which its code may call functions of other modules, read when it imports one.
    pub calls: LazyNames,
    /// The distribution it belongs to.
    pub distribution: Option<Distribution>,
}

/// One module.
#[derive(Debug)]
pub(super) enum Node {
    Python(PythonNode),
    Extension(ExtensionNode),
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A module without submodules.
    Module(usize),
    /// A package: its `__init__`, and the folder that submodules are looked for in.
    Package(usize, Place),
    /// A namespace package: the folders it is made of.
    Namespace(Vec<Place>),
    /// A module of the standard library, which is not followed.
    Standard,
}

/// A folder of a root.
pub(super) type Place = (usize, String);

#[derive(Clone, Copy, Debug, Default)]
struct Files {
    /// The place of its suffix in the target's list, and the node.
    extension: Option<(usize, usize)>,
    python: Option<usize>,
}

/// A folder that modules may be looked for in.
#[derive(Clone, Debug)]
struct Root {
    path: String,
    /// Whether it comes after the standard library on `sys.path`.
    is_site: bool,
    /// Whether it is on `sys.path` from the beginning.
    is_given: bool,
}

/// The modules of the folders on `sys.path`, in the order of that path.
pub struct World {
    target: Target,
    os: Option<Os>,
    roots: Vec<Root>,
    /// Roots before and after the standard library, as far as they are on `sys.path` by now.
    path: RefCell<(Vec<usize>, Vec<usize>)>,
    pub(super) nodes: Vec<Node>,
    files: HashMap<(usize, String), Files>,
    folders: HashSet<(usize, String)>,
    /// What stands in a folder, without suffixes.
    children: HashMap<(usize, String), BTreeSet<String>>,
    /// Folders that packages look for submodules in besides their own.
    extended: RefCell<HashMap<String, Vec<Place>>>,
    /// Names that were looked up already.
    found: RefCell<HashMap<String, Option<Rc<Found>>>>,
    entry_points: Vec<EntryPoint>,
    /// Files that no module name leads to, by their path.
    scripts: BTreeMap<String, PythonNode>,
    read: ReadCode,
}

impl std::fmt::Debug for World {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("World").field("roots", &self.roots).field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}

impl World {
    /// A world without modules but those of the standard library.
    pub fn new(target: Target, os: Option<Os>, read: ReadCode) -> Self {
        Self {
            target,
            os,
            roots: Vec::new(),
            path: RefCell::default(),
            nodes: Vec::new(),
            files: HashMap::new(),
            folders: HashSet::new(),
            children: HashMap::new(),
            extended: RefCell::default(),
            found: RefCell::default(),
            entry_points: Vec::new(),
            scripts: BTreeMap::new(),
            read,
        }
    }

    /// The interpreter asked about.
    pub fn target(&self) -> &Target {
        &self.target
    }

    pub(super) fn os(&self) -> Option<Os> {
        self.os
    }

    pub(super) fn parse(&self, text: &str) -> Rc<Program> {
        Rc::new((self.read)(text))
    }

    /// Adds a folder to the end of `sys.path`; a `site-packages` comes after the standard library. One that is not given is there once
    /// the program puts it there.
    pub fn root(&mut self, path: &str, is_site: bool, is_given: bool) -> usize {
        let index = self.roots.len();
        self.roots.push(Root { path: normal(path), is_site, is_given });
        let (before, after) = self.path.get_mut();
        if is_given {
            if is_site { after.push(index) } else { before.push(index) }
        }
        index
    }

    /// Forgets what an earlier run changed.
    pub(super) fn refresh(&self) {
        let mut path = self.path.borrow_mut();
        let of = |site: bool| {
            let given = self.roots.iter().enumerate().filter(|(_, root)| root.is_given && root.is_site == site);
            given.map(|(index, _)| index).collect()
        };
        *path = (of(false), of(true));
        self.extended.borrow_mut().clear();
        self.found.borrow_mut().clear();
    }

    /// Adds a file that is run by its path.
    pub fn script(&mut self, path: &str, node: PythonNode) {
        self.scripts.insert(normal(path), node);
    }

    /// Says which entry points there are.
    pub fn set_entry_points(&mut self, mut points: Vec<EntryPoint>) {
        points.sort();
        points.dedup();
        self.entry_points = points;
    }

    pub(super) fn entry_points(&self) -> &[EntryPoint] {
        &self.entry_points
    }

    /// The root that a path is in, and the folder there; the innermost one.
    fn place_of(&self, path: &str) -> Option<Place> {
        let path = normal(path);
        let inside = self.roots.iter().enumerate().filter_map(|(index, root)| {
            let rest = path.strip_prefix(&root.path)?;
            let rest = if root.path.ends_with('/') || rest.is_empty() { rest } else { rest.strip_prefix('/')? };
            Some((root.path.len(), (index, rest.to_owned())))
        });
        inside.max_by_key(|(length, (index, _))| (*length, usize::MAX - index)).map(|(_, place)| place)
    }

    /// Puts a folder on `sys.path`; `false` when it is not known.
    pub(super) fn activate(&self, path: &str, front: bool) -> bool {
        let Some(index) = self.roots.iter().position(|root| root.path == path) else { return false };
        let is_given = self.roots.get(index).is_some_and(|root| root.is_given);
        let mut order = self.path.borrow_mut();
        if front {
            order.0.retain(|old| *old != index);
            order.0.insert(0, index);
        } else if !is_given && !order.0.contains(&index) && !order.1.contains(&index) {
            order.1.push(index);
        }
        drop(order);
        self.found.borrow_mut().clear();
        true
    }

    /// Has a package look for submodules in another folder, too; `false` when that is not known.
    pub(super) fn extend(&self, package: &str, path: &str) -> bool {
        let Some(place) = self.place_of(path) else { return false };
        let mut extended = self.extended.borrow_mut();
        let places = extended.entry(package.to_owned()).or_default();
        if !places.contains(&place) {
            places.push(place);
            drop(extended);
            self.found.borrow_mut().clear();
        }
        true
    }

    /// The folders of a package.
    pub(super) fn folders_of(&self, package: &str) -> Vec<String> {
        let shown = |(root, folder): &Place| {
            let root = self.roots.get(*root).map_or("", |root| &root.path);
            if folder.is_empty() { root.to_owned() } else { format!("{}/{folder}", root.trim_end_matches('/')) }
        };
        match self.find(package).as_deref() {
            Some(Found::Package(_, place)) => vec![shown(place)],
            Some(Found::Namespace(places)) => places.iter().map(shown).collect(),
            _ => Vec::new(),
        }
    }

    /// The modules in a folder, and whether each is a package; `None` when the folder is not known.
    pub(super) fn modules_in(&self, path: &str, walk: bool) -> Option<Vec<(String, bool)>> {
        let (root, folder) = self.place_of(path)?;
        if !folder.is_empty() && !self.folders.contains(&(root, folder.clone())) {
            return None;
        }
        let mut found = Vec::new();
        self.modules_below((root, folder), "", walk, &mut found);
        Some(found)
    }

    fn modules_below(&self, place: Place, prefix: &str, walk: bool, found: &mut Vec<(String, bool)>) {
        let Some(names) = self.children.get(&place) else { return };
        for name in names.iter().filter(|name| *name != "__init__" && !name.contains('.')) {
            let path = if place.1.is_empty() { name.clone() } else { format!("{}/{name}", place.1) };
            let is_package = self.files.contains_key(&(place.0, format!("{path}/__init__")));
            if !is_package && !self.files.contains_key(&(place.0, path.clone())) {
                continue;
            }
            found.push((format!("{prefix}{name}"), is_package));
            if walk && is_package && found.len() < 5_000 {
                self.modules_below((place.0, path), &format!("{prefix}{name}."), walk, found);
            }
        }
    }

    /// The Python files of a folder; `None` when the folder is not known.
    pub(super) fn files_in(&self, path: &str) -> Option<Vec<String>> {
        let (root, folder) = self.place_of(path)?;
        if !folder.is_empty() && !self.folders.contains(&(root, folder.clone())) {
            return None;
        }
        let below = |name: &String| if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let names = self.children.get(&(root, folder.clone()))?;
        let is_python =
            |name: &&String| self.files.get(&(root, below(name))).is_some_and(|files| files.python.is_some());
        Some(names.iter().filter(is_python).map(|name| format!("{name}.py")).collect())
    }

    /// A Python file by its path.
    pub(super) fn file_at(&self, path: &str) -> Option<&PythonNode> {
        if let Some(script) = self.scripts.get(path) {
            return Some(script);
        }
        let (root, file) = self.place_of(path)?;
        let stem = file.strip_suffix(".py")?;
        match self.nodes.get(self.files.get(&(root, stem.to_owned()))?.python?)? {
            Node::Python(python) => Some(python),
            Node::Extension(_) => None,
        }
    }

    /// An extension by the path of its file.
    pub(super) fn extension_at(&self, path: &str) -> Option<(usize, &ExtensionNode)> {
        self.nodes.iter().enumerate().find_map(|(index, node)| match node {
            Node::Extension(extension) if normal(&extension.file) == path => Some((index, extension)),
            _ => None,
        })
    }

    /// All modules below a package.
    pub(super) fn below(&self, package: &str) -> Vec<String> {
        let folders = self.folders_of(package);
        let mut all: Vec<String> = Vec::new();
        for folder in folders {
            let modules = self.modules_in(&folder, true).unwrap_or_default();
            all.extend(modules.into_iter().map(|(name, _)| format!("{package}.{name}")));
        }
        all.sort();
        all.dedup();
        all
    }

    /// All modules whose name begins so.
    pub(super) fn beginning_with(&self, begin: &str) -> Vec<String> {
        match begin.rsplit_once('.') {
            Some((package, _)) => self.below(package).into_iter().filter(|name| name.starts_with(begin)).collect(),
            // The name may go on with a dot.
            None => self.modules().into_iter().filter(|name| name.starts_with(begin)).collect(),
        }
    }

    /// The names of the modules that turn the GIL on, or may, sorted.
    pub(super) fn blockers(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .files
            .iter()
            .filter(|(_, files)| {
                let node = files.extension.and_then(|(_, node)| self.nodes.get(node));
                node.is_some_and(super::run::blocks)
            })
            .map(|((_, stem), _)| stem.strip_suffix("/__init__").unwrap_or(stem).replace('/', "."))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Whether a root has this name.
    pub(super) fn has_own(&self, name: &str) -> bool {
        self.find(name).is_some_and(|found| *found != Found::Standard)
    }

    /// Adds a Python file by its path in the root: `a/b.py`.
    pub fn python(&mut self, root: usize, path: &str, node: PythonNode) {
        let Some(stem) = path.strip_suffix(".py") else { return };
        let index = self.nodes.len();
        self.nodes.push(Node::Python(node));
        self.place(root, stem).python = Some(index);
    }

    /// Adds an extension by the folder it is in, its name without suffixes, and the place of its suffix in the target's list.
    /// Gives its index, for [`World::extension_imports`].
    pub fn extension(&mut self, root: usize, folder: &str, stem: &str, rank: usize, node: ExtensionNode) -> usize {
        let index = self.nodes.len();
        self.nodes.push(Node::Extension(node));
        let path = if folder.is_empty() { stem.to_owned() } else { format!("{folder}/{stem}") };
        let files = self.place(root, &path);
        if files.extension.is_none_or(|(old, _)| rank < old) {
            files.extension = Some((rank, index));
        }
        index
    }

    /// Says what the code of an extension may import, once it is known which names there are.
    pub fn extension_imports(&mut self, index: usize, imports: Vec<String>) {
        if let Some(Node::Extension(extension)) = self.nodes.get_mut(index) {
            extension.imports = Some(imports);
        }
    }

    /// The distribution of the module with this name; `None` when it has none or is not there.
    pub fn distribution(&self, name: &str) -> Option<&Distribution> {
        match *self.find(name)? {
            Found::Module(index) | Found::Package(index, _) => match self.nodes.get(index)? {
                Node::Python(python) => python.distribution.as_ref(),
                Node::Extension(extension) => extension.distribution.as_ref(),
            },
            Found::Namespace(_) | Found::Standard => None,
        }
    }

    /// Whether this name can be imported: from a root, or from the standard library.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn place(&mut self, root: usize, stem: &str) -> &mut Files {
        let mut folder = stem;
        while let Some((parent, name)) = folder.rsplit_once('/') {
            self.children.entry((root, parent.to_owned())).or_default().insert(name.to_owned());
            if !self.folders.insert((root, parent.to_owned())) {
                break;
            }
            folder = parent;
        }
        if !folder.contains('/') {
            self.children.entry((root, String::new())).or_default().insert(folder.to_owned());
        }
        self.files.entry((root, stem.to_owned())).or_default()
    }

    /// The names of all modules in the roots, sorted; namespace packages are left out.
    pub fn modules(&self) -> BTreeSet<String> {
        let name = |(_, stem): &(usize, String)| stem.strip_suffix("/__init__").unwrap_or(stem).replace('/', ".");
        self.files.keys().map(name).filter(|name| self.find(name).is_some()).collect()
    }

    /// The names of all top-level modules in the roots, sorted.
    pub fn top_level(&self) -> BTreeSet<String> {
        self.modules().into_iter().filter(|name| !name.contains('.')).collect()
    }

    /// What a dotted name stands for.
    ///
    /// CPython 3.14.7 `Lib/importlib/_bootstrap_external.py`, `PathFinder` and `FileFinder.find_spec`: in every folder a package
    /// comes before a module, an extension before a `.py`, and a plain folder counts only when nothing else is found on the path.
    pub(super) fn find(&self, name: &str) -> Option<Rc<Found>> {
        if let Some(known) = self.found.borrow().get(name) {
            return known.clone();
        }
        let found = match name.rsplit_once('.') {
            None => self.find_top(name),
            Some((parent, tail)) => match self.find(parent).as_deref() {
                Some(Found::Package(_, place)) => {
                    let more = self.extended.borrow().get(parent).cloned().unwrap_or_default();
                    self.find_in([place].into_iter().chain(&more), tail)
                }
                Some(Found::Namespace(places)) => self.find_in(places.iter(), tail),
                Some(Found::Standard) => Some(Found::Standard),
                Some(Found::Module(_)) | None => None,
            },
        };
        let found = found.map(Rc::new);
        self.found.borrow_mut().insert(name.to_owned(), found.clone());
        found
    }

    fn find_top(&self, name: &str) -> Option<Found> {
        let place = |root: &usize| (*root, String::new());
        let path = self.path.borrow();
        let before: Vec<Place> = path.0.iter().map(place).collect();
        let after: Vec<Place> = path.1.iter().map(place).collect();
        drop(path);
        // A namespace package is made of all of the path, and only when nothing better is found on it.
        match self.find_in(before.iter(), name) {
            Some(found) if !matches!(found, Found::Namespace(_)) => Some(found),
            _ if is_stdlib(name, &self.target, self.os) => Some(Found::Standard),
            _ => self.find_in(before.iter().chain(&after), name),
        }
    }

    fn find_in<'p>(&self, places: impl Iterator<Item = &'p Place>, tail: &str) -> Option<Found> {
        let mut portions = Vec::new();
        for (root, folder) in places {
            let path = if folder.is_empty() { tail.to_owned() } else { format!("{folder}/{tail}") };
            let first = |files: &Files| files.extension.map(|(_, node)| node).or(files.python);
            if let Some(node) = self.files.get(&(*root, format!("{path}/__init__"))).and_then(first) {
                return Some(Found::Package(node, (*root, path)));
            }
            let key = (*root, path);
            if let Some(node) = self.files.get(&key).and_then(first) {
                return Some(Found::Module(node));
            }
            if self.folders.contains(&key) {
                portions.push(key);
            }
        }
        (!portions.is_empty()).then_some(Found::Namespace(portions))
    }

    pub(super) fn node(&self, index: usize) -> Option<&Node> {
        self.nodes.get(index)
    }
}

/// A path without what says nothing.
fn normal(path: &str) -> String {
    super::run::normal_path(path)
}
