//! All modules that there are, found by name as the interpreter's path finder finds them.

use std::cell::{LazyCell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use gilaudit_model::cpython::is_stdlib;
use gilaudit_model::{Distribution, ImportFailure, Init, Os, Outcome, PythonFacts, Target};

/// What a Python file imports, read when the graph gets there: most imports need a small part of an environment.
pub type LazyFacts = LazyCell<PythonFacts, Box<dyn FnOnce() -> PythonFacts>>;

/// A Python file.
#[derive(Debug)]
pub struct PythonNode {
    /// The file, as shown to people.
    pub file: String,
    /// What it imports.
    pub facts: LazyFacts,
    /// The distribution it belongs to.
    pub distribution: Option<Distribution>,
}

/// An extension module.
#[derive(Clone, Debug)]
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

/// The modules of the folders on `sys.path`, in the order of that path.
#[derive(Debug)]
pub struct World {
    target: Target,
    os: Option<Os>,
    /// For every root, whether it comes after the standard library on `sys.path`.
    roots: Vec<bool>,
    pub(super) nodes: Vec<Node>,
    files: HashMap<(usize, String), Files>,
    folders: HashSet<(usize, String)>,
    /// Names that were looked up already.
    found: RefCell<HashMap<String, Option<Rc<Found>>>>,
}

impl World {
    /// A world without modules but those of the standard library.
    pub fn new(target: Target, os: Option<Os>) -> Self {
        Self {
            target,
            os,
            roots: Vec::new(),
            nodes: Vec::new(),
            files: HashMap::new(),
            folders: HashSet::new(),
            found: RefCell::default(),
        }
    }

    /// The interpreter asked about.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Adds a folder to the end of `sys.path`; a `site-packages` comes after the standard library.
    pub fn root(&mut self, is_site: bool) -> usize {
        self.roots.push(is_site);
        self.roots.len() - 1
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
        while let Some((parent, _)) = folder.rsplit_once('/') {
            if !self.folders.insert((root, parent.to_owned())) {
                break;
            }
            folder = parent;
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

    /// Extensions that turn the GIL on, or may.
    pub(super) fn has_blockers(&self) -> bool {
        self.nodes.iter().any(|node| {
            matches!(node, Node::Extension(extension) if matches!(extension.outcome, Outcome::EnablesGil | Outcome::Undetermined))
        })
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
                Some(Found::Package(_, place)) => self.find_in([place].into_iter(), tail),
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
        let of = |site: bool| -> Vec<Place> {
            let roots = self.roots.iter().enumerate().filter(|(_, is_site)| **is_site == site);
            roots.map(|(root, _)| (root, String::new())).collect()
        };
        let (before, after) = (of(false), of(true));
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
