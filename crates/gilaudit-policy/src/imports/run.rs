//! Goes through module bodies in the order in which the interpreter would, and notes which extensions are loaded.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use gilaudit_model::{Catches, Handler, Import, ImportKind, Init, Outcome, Step};

use super::world::{ExtensionNode, Found, Node, PythonNode, World};

/// What a run begins with.
#[derive(Debug)]
pub enum Entry {
    /// `import NAME`.
    Import(String),
    /// A script, run as `__main__`.
    Script(Box<PythonNode>),
    /// A line of a `.pth` file: the file and what the line imports.
    Startup(String, Vec<Import>),
}

/// One step of a chain of imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The place of the import: `app.py:3`, `--import pandas`, or an extension's file.
    pub at: String,
    /// When it runs.
    pub kind: ImportKind,
    /// The module imported.
    pub module: String,
}

/// An extension that was reached and that does, or may, turn the GIL on.
#[derive(Clone, Debug)]
pub struct Reached {
    /// The module.
    pub module: String,
    /// Its index in the world.
    pub(super) node: usize,
    /// What its import does.
    pub outcome: Outcome,
    /// Whether it is imported in any case.
    pub certain: bool,
    /// How it was reached, the entry first.
    pub chain: Vec<Link>,
}

/// What a run saw.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    /// Extensions in the order in which they are loaded. One that is first possible and later certain is here twice.
    pub reached: Vec<Reached>,
    /// The same for what functions import if they are called, without what is in `reached`.
    pub later: Vec<Reached>,
    /// Entries whose import fails, and why.
    pub failed: Vec<(String, String)>,
    /// A script that does not run to its end because of that.
    pub stopped: Option<String>,
    /// Modules whose imports are not known completely, and why.
    pub incomplete: Vec<(String, String)>,
    /// How many modules are loaded.
    pub modules: usize,
    /// The files that are reached in any of these ways, those of functions that are called included.
    pub files: BTreeSet<String>,
}

/// How a module body or an import ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    /// With this exception.
    Failed(Failure),
    /// With an exception, or well.
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    NotFound,
    Import,
    Other,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Loaded {
    certain: bool,
    ended: Ended,
}

/// How deep imports within imports are followed. CPython's own recursion limit ends sooner.
const DEEPEST: usize = 400;

/// How many re-exports a called name is followed through.
pub(super) const HOPS: usize = 4;

pub(super) struct Run<'w> {
    pub(super) world: &'w World,
    /// What was called already: modules, and indices of what they define.
    pub(super) called: HashSet<(String, usize)>,
    pub(super) loaded: HashMap<String, Loaded>,
    chain: Vec<Link>,
    out: Outcomes,
    /// The module that was looked for last and is not there: what an import that fails for that fails by.
    missing: String,
    /// Whether deferred imports are being followed.
    later: bool,
}

/// Runs the entries one after the other in one process. An entry that fails does not stop the next.
pub fn run(world: &World, entries: &[Entry], follow_later: bool) -> Outcomes {
    let mut run = Run {
        world,
        called: HashSet::new(),
        loaded: HashMap::new(),
        chain: Vec::new(),
        out: Outcomes::default(),
        missing: String::new(),
        later: false,
    };
    let mut scripts = Vec::new();
    for entry in entries {
        let (name, ended) = match entry {
            Entry::Import(name) => {
                (name.clone(), run.linked(format!("--import {name}"), ImportKind::Plain, name, true))
            }
            Entry::Script(node) => {
                scripts.push(&**node);
                run.out.files.insert(node.file.clone());
                let ended = run.steps(node, "__main__", false, &node.facts.steps, true);
                (node.file.clone(), ended)
            }
            Entry::Startup(file, imports) => {
                for import in imports {
                    // What a line does besides is not known: it may stop before the import.
                    run.linked(format!("{file}:{}", import.line), ImportKind::Startup, &import.module, false);
                }
                (file.clone(), Ended::Well)
            }
        };
        if let Ended::Failed(failure) = ended {
            if matches!(entry, Entry::Script(_)) {
                run.out.stopped.get_or_insert_with(|| name.clone());
            }
            run.out.failed.push((name, run.text(failure)));
        }
    }
    run.out.modules = run.loaded.len();
    if follow_later {
        run.follow_later(&scripts);
    }
    run.out
}

impl Failure {
    fn is_caught(self, catches: Catches) -> bool {
        match catches {
            Catches::Everything => true,
            Catches::ImportError => matches!(self, Self::NotFound | Self::Import),
            Catches::NotFound => self == Self::NotFound,
            Catches::Other => false,
        }
    }
}

/// The names of a package and its parents, outermost first.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').map(|(dot, _)| name.get(..dot).unwrap_or_default()).chain([name])
}

impl<'w> Run<'w> {
    fn text(&self, failure: Failure) -> String {
        match failure {
            Failure::NotFound => format!("ModuleNotFoundError: '{}' is not among the inputs", self.missing),
            Failure::Import => "ImportError".to_owned(),
            Failure::Other => "an extension cannot be imported".to_owned(),
        }
    }

    /// Imports `name` by a link of the chain.
    pub(super) fn linked(&mut self, at: String, kind: ImportKind, name: &str, certain: bool) -> Ended {
        self.chain.push(Link { at, kind, module: name.to_owned() });
        let ended = self.import(name, certain);
        self.chain.pop();
        ended
    }

    /// Imports a dotted name: every package on the way, in order.
    fn import(&mut self, name: &str, certain: bool) -> Ended {
        let mut open = false;
        for part in prefixes(name) {
            match self.load(part, certain && !open) {
                Ended::Well => {}
                Ended::Open => open = true,
                failed @ Ended::Failed(_) => return failed,
            }
        }
        if open { Ended::Open } else { Ended::Well }
    }

    /// Loads one module, its parents being loaded.
    fn load(&mut self, name: &str, certain: bool) -> Ended {
        let Some(found) = self.world.find(name) else {
            name.clone_into(&mut self.missing);
            return Ended::Failed(Failure::NotFound);
        };
        if matches!(*found, Found::Standard | Found::Namespace(_)) {
            return Ended::Well;
        }
        if let Some(loaded) = self.loaded.get(name)
            && (loaded.certain || !certain)
        {
            return loaded.ended;
        }
        if self.chain.len() >= DEEPEST {
            self.incomplete(name, "imports nest too deep");
            return Ended::Open;
        }
        // While it is being imported, an import of it finds it in sys.modules.
        self.loaded.insert(name.to_owned(), Loaded { certain, ended: Ended::Well });
        if let Some(link) = self.chain.last_mut() {
            name.clone_into(&mut link.module);
        }
        let ended = self.execute(name, &found, certain);
        self.loaded.insert(name.to_owned(), Loaded { certain, ended });
        ended
    }

    fn incomplete(&mut self, name: &str, why: &str) {
        self.out.incomplete.push((name.to_owned(), why.to_owned()));
    }

    fn execute(&mut self, name: &str, found: &Rc<Found>, certain: bool) -> Ended {
        let (index, is_package) = match **found {
            Found::Module(index) => (index, false),
            Found::Package(index, _) => (index, true),
            Found::Namespace(_) | Found::Standard => return Ended::Well,
        };
        match self.world.node(index) {
            Some(Node::Python(python)) => {
                self.out.files.insert(python.file.clone());
                if let Some(why) = &python.facts.incomplete {
                    self.incomplete(name, why);
                }
                self.steps(python, name, is_package, &python.facts.steps, certain)
            }
            Some(Node::Extension(extension)) => {
                self.out.files.insert(extension.file.clone());
                self.extension(name, index, extension, certain)
            }
            None => Ended::Well,
        }
    }

    fn extension(&mut self, name: &str, node: usize, extension: &ExtensionNode, certain: bool) -> Ended {
        if extension.outcome == Outcome::CannotImport {
            return Ended::Failed(Failure::Other);
        }
        // A single-phase module does all its work in the init function, before its declaration is looked at.
        let imports_first = matches!(extension.init, Init::SinglePhase | Init::Unknown);
        if imports_first {
            self.extension_imports(name, extension);
        }
        if matches!(extension.outcome, Outcome::EnablesGil | Outcome::Undetermined | Outcome::RunsFreeForced) {
            let chain = self.chain.clone();
            let reached = Reached { module: name.to_owned(), node, outcome: extension.outcome, certain, chain };
            if self.later { self.out.later.push(reached) } else { self.out.reached.push(reached) }
        }
        if !imports_first {
            self.extension_imports(name, extension);
        }
        Ended::Well
    }

    fn extension_imports(&mut self, name: &str, extension: &ExtensionNode) {
        let Some(imports) = &extension.imports else {
            return self.incomplete(name, "what the binary imports was not read");
        };
        for import in imports {
            self.linked(extension.file.clone(), ImportKind::Extension, import, false);
        }
    }

    /// Runs a part of a module's body.
    fn steps(&mut self, node: &PythonNode, name: &str, is_package: bool, steps: &[Step], certain: bool) -> Ended {
        let (mut certain, mut open) = (certain, false);
        for step in steps {
            let ended = match step {
                Step::Import(index) => match node.facts.imports.get(*index) {
                    Some(import) => self.statement(node, name, is_package, import, certain),
                    None => Ended::Well,
                },
                Step::Either { branches, exhaustive } => {
                    let mut all_fail = *exhaustive;
                    for branch in branches {
                        all_fail &= matches!(self.steps(node, name, is_package, branch, false), Ended::Failed(_));
                    }
                    // A branch that would fail is taken for one that is not run: what is installed is taken to work.
                    if all_fail { Ended::Failed(Failure::Import) } else { Ended::Well }
                }
                Step::Try { body, handlers, otherwise, last } => {
                    let ended = self.attempt(node, name, is_package, (body, handlers, otherwise), certain);
                    match self.steps(node, name, is_package, last, certain) {
                        failed @ Ended::Failed(_) => failed,
                        _ => ended,
                    }
                }
                Step::Use(used) => {
                    // A look at a module that cannot be imported is taken not to happen: what is installed is taken to work.
                    self.look(node, name, is_package, used, certain);
                    Ended::Well
                }
                Step::Call(function) => {
                    self.call(node, name, is_package, (function, false), HOPS);
                    Ended::Well
                }
                Step::Decorate(function) => {
                    self.call(node, name, is_package, (function, true), HOPS);
                    Ended::Well
                }
                Step::Raise(import_error) => {
                    Ended::Failed(if *import_error { Failure::Import } else { Failure::Other })
                }
            };
            match ended {
                Ended::Well => {}
                Ended::Open => (certain, open) = (false, true),
                failed @ Ended::Failed(_) => return if open { Ended::Open } else { failed },
            }
        }
        if open { Ended::Open } else { Ended::Well }
    }

    fn attempt(
        &mut self,
        node: &PythonNode,
        name: &str,
        is_package: bool,
        (body, handlers, otherwise): (&[Step], &[Handler], &[Step]),
        certain: bool,
    ) -> Ended {
        match self.steps(node, name, is_package, body, certain) {
            Ended::Failed(failure) => match handlers.iter().find(|handler| failure.is_caught(handler.catches)) {
                Some(handler) => self.steps(node, name, is_package, &handler.steps, certain),
                None => Ended::Failed(failure),
            },
            ended => {
                let ended = self.steps(node, name, is_package, otherwise, certain && ended == Ended::Well);
                // The body may have raised for another reason than a missing module.
                for handler in handlers {
                    self.steps(node, name, is_package, &handler.steps, false);
                }
                ended
            }
        }
    }

    /// One import statement.
    pub(super) fn statement(
        &mut self,
        node: &PythonNode,
        name: &str,
        is_package: bool,
        import: &Import,
        certain: bool,
    ) -> Ended {
        let Some(base) = absolute(name, is_package, import) else { return Ended::Failed(Failure::Import) };
        let at = format!("{}:{}", node.file, import.line);
        match self.is_lazy((node, name, is_package), import, &base) {
            Some(true) if !self.later => Ended::Well,
            None if !self.later => match self.imported(&at, import.kind, &base, import, false) {
                Ended::Failed(_) => Ended::Open,
                ended => ended,
            },
            _ => self.imported(&at, import.kind, &base, import, certain),
        }
    }

    /// What an import statement imports from `base`, by a link at this place.
    pub(super) fn imported(&mut self, at: &str, kind: ImportKind, base: &str, import: &Import, certain: bool) -> Ended {
        let ended = self.linked(at.to_owned(), kind, base, certain);
        let Some(names) = &import.names else { return ended };
        if matches!(ended, Ended::Failed(_)) {
            return ended;
        }
        let certain = certain && ended == Ended::Well;
        let mut open = ended == Ended::Open;
        for name in names {
            match self.attribute(at, kind, base, name, certain, true) {
                Ended::Well => {}
                Ended::Open => open = true,
                failed @ Ended::Failed(_) => return failed,
            }
        }
        if open { Ended::Open } else { Ended::Well }
    }

    /// `from base import name`: an attribute, or else a submodule.
    ///
    /// CPython 3.14.7 `Lib/importlib/_bootstrap.py`, `_handle_fromlist`.
    fn attribute(&mut self, at: &str, kind: ImportKind, base: &str, name: &str, certain: bool, stars: bool) -> Ended {
        let Some(found) = self.world.find(base) else { return Ended::Well };
        let (index, is_package) = match *found {
            Found::Package(index, _) => (Some(index), true),
            Found::Module(index) => (Some(index), false),
            Found::Namespace(_) => (None, true),
            Found::Standard => return Ended::Well,
        };
        let python = match index.and_then(|index| self.world.node(index)) {
            Some(Node::Python(python)) => Some(python),
            _ => None,
        };
        if name == "*" {
            let all = python.filter(|_| stars).map(|python| python.facts.all.as_slice()).unwrap_or_default();
            for name in all {
                self.attribute(at, kind, base, name, certain, false);
            }
            return Ended::Well;
        }
        if let Some(python) = python
            && let Some((_, ended)) = self.given(at, kind, (python, base, is_package), name, certain)
        {
            return ended;
        }
        let submodule = format!("{base}.{name}");
        if is_package && self.world.find(&submodule).is_some() {
            return self.linked(at.to_owned(), kind, &submodule, certain);
        }
        if let Some(python) = python.filter(|python| python.facts.getattr) {
            self.call(python, base, is_package, ("__getattr__", false), 0);
        }
        Ended::Well
    }

    /// Follows what functions of the loaded modules import if they are called.
    fn follow_later(&mut self, scripts: &[&PythonNode]) {
        self.later = true;
        let mut names: Vec<String> = self.loaded.keys().cloned().collect();
        names.sort();
        for script in scripts {
            self.deferred(script, "__main__", false);
        }
        for name in names {
            let Some(found) = self.world.find(&name) else { continue };
            let (index, is_package) = match *found {
                Found::Module(index) => (index, false),
                Found::Package(index, _) => (index, true),
                Found::Namespace(_) | Found::Standard => continue,
            };
            if let Some(Node::Python(python)) = self.world.node(index) {
                self.deferred(python, &name, is_package);
            }
        }
    }

    fn deferred(&mut self, node: &PythonNode, name: &str, is_package: bool) {
        // Looks come first: who looks tells more than the import that was put off.
        let mut uses: Vec<_> = node.facts.callables.iter().flat_map(|callable| &callable.uses).collect();
        uses.sort_by_key(|used| used.line);
        for used in uses {
            self.look(node, name, is_package, used, false);
        }
        for import in &node.facts.imports {
            let lazy = |base: String| self.is_lazy((node, name, is_package), import, &base) == Some(true);
            if matches!(import.kind, ImportKind::Function | ImportKind::Lazy)
                || absolute(name, is_package, import).is_some_and(lazy)
            {
                self.statement(node, name, is_package, import, false);
            }
        }
    }
}

/// The absolute name of what a statement in the module `name` imports from.
pub(super) fn absolute(name: &str, is_package: bool, import: &Import) -> Option<String> {
    if import.level == 0 {
        return Some(import.module.clone());
    }
    let mut package = name;
    let up = import.level - u32::from(is_package);
    for _ in 0..up {
        package = package.rsplit_once('.').map(|(parent, _)| parent)?;
    }
    Some(if import.module.is_empty() { package.to_owned() } else { format!("{package}.{}", import.module) })
}
