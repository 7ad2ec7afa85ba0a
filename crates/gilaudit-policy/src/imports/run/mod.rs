//! Goes through a program as the interpreter would, without running anything: module bodies in the order in which they are imported,
//! functions where they are called, with what is known of their arguments.
//!
//! Two things are kept apart. *Certain* is what is reached in any run. The rest is what may be: the branches of a condition that cannot
//! be told, and functions that somebody has who was not seen calling them (`reach.rs`). Where it cannot be told what is imported, an open
//! end is noted (`open.rs`). All of it is bounded: a spent budget is an open end that may reach everything.

mod attribute;
mod builtin;
mod call;
mod code;
mod entries;
mod execute;
mod expression;
mod functions;
mod import;
mod kinds;
mod made;
mod open;
mod paths;
mod reach;
mod stdlib;
mod text;

pub(super) use open::blocks;
pub(super) use text::normal as normal_path;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use gilaudit_model::program::Program;
use gilaudit_model::{ImportKind, Outcome};

use super::answer::OpenEnd;
use super::value::{Func, Name, Scope, Value};
use super::world::{PythonNode, World};

/// What a run begins with.
#[derive(Debug)]
pub enum Entry {
    /// `import NAME`.
    Import(String),
    /// A script, run as `__main__`.
    Script(Box<PythonNode>),
    /// `python -m NAME`.
    Module(String),
    /// A console script: `module:function`.
    Function(String, String),
    /// A line of a `.pth` file: the file, the line, and what stands there.
    Startup(String, u32, Rc<Program>),
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

/// How a module was come to, when not by code that runs in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// By an import that is seen, certain or not.
    Seen,
    /// By the open end with this index.
    Open(usize),
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
    /// Whether threads may be running when it is imported.
    pub threads: bool,
    pub(super) via: Via,
    /// How many extensions had been reached when it became possible.
    pub(super) since: usize,
}

/// What a run saw.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    /// Extensions in the order in which they are loaded. One that is first possible and later certain is here twice.
    pub reached: Vec<Reached>,
    /// The same for what functions import that nobody is seen to have, without what is in `reached`.
    pub later: Vec<Reached>,
    /// Entries whose import fails, and why.
    pub failed: Vec<(String, String)>,
    /// Where a script ends early, and why, when it does not end by itself.
    pub stopped: Option<String>,
    /// Modules whose imports are not known completely, and why.
    pub incomplete: Vec<(String, String)>,
    /// What was reached and cannot be told.
    pub open_ends: Vec<OpenEnd>,
    /// How many modules are loaded.
    pub modules: usize,
    /// The files that are reached in any of these ways, those of functions that are called included.
    pub files: BTreeSet<String>,
    /// Imports of names that may be in folders which are not known: where, and what.
    pub unfound: Vec<(String, String)>,
    /// Folders and files that the program names and that were not given: what would be found there is not known.
    pub wanted: BTreeSet<String>,
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
    /// `SystemExit`.
    Exit,
}

/// What may have been raised, as bits.
pub(super) type Raises = u8;
pub(super) const NOT_FOUND: Raises = 1;
pub(super) const IMPORT: Raises = 2;
pub(super) const OTHER: Raises = 4;
pub(super) const EXIT: Raises = 8;
/// Code that is not seen ran.
pub(super) const ANY: Raises = 16;

impl Failure {
    pub(super) fn bit(self) -> Raises {
        match self {
            Self::NotFound => NOT_FOUND,
            Self::Import => IMPORT,
            Self::Other => OTHER,
            Self::Exit => EXIT,
        }
    }
}

/// How statements end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
    Return,
    Raise(Failure),
}

/// A file whose code is being followed.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) code: Rc<Program>,
    /// The names of the file as names of the run.
    pub(super) names: Vec<Name>,
    pub(super) scope: Rc<Scope>,
    /// What the module is called by imports in it.
    pub(super) module: Rc<str>,
    pub(super) is_package: bool,
    pub(super) file: Rc<str>,
    /// Whether it is what was asked about, and not a library.
    pub(super) is_entry: bool,
    /// How it was come to.
    pub(super) chain: Vec<Link>,
    /// Whether it may get names in ways that are not seen.
    pub(super) is_dynamic: bool,
    /// Names that functions of it change by `global`.
    pub(super) volatile: HashSet<Name>,
    pub(super) distribution: Option<String>,
}

/// One call, or a module's body.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) unit: usize,
    pub(super) scope: Rc<Scope>,
    /// The names of the class whose body runs.
    pub(super) class: Option<Rc<Scope>>,
    pub(super) func: Option<Rc<Func>>,
    /// Whether it may have been left already.
    pub(super) doubt: bool,
    /// Whether the loop may have been left already.
    pub(super) loop_doubt: bool,
    pub(super) result: Option<Value>,
    pub(super) in_try: bool,
}

impl Frame {
    /// A frame that belongs to no function and no class.
    pub(super) fn new(unit: usize, scope: Rc<Scope>) -> Self {
        Self { unit, scope, class: None, func: None, doubt: false, loop_doubt: false, result: None, in_try: false }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Loaded {
    pub(super) certain: bool,
    pub(super) ended: Ended,
    pub(super) unit: Option<usize>,
    pub(super) running: bool,
}

/// What may be spent on one question.
const STEPS: u64 = 4_000_000;

pub(super) struct Run<'w> {
    pub(super) world: &'w World,
    pub(super) interned: HashMap<Rc<str>, Name, foldhash::fast::FixedState>,
    pub(super) texts: Vec<Rc<str>>,
    pub(super) units: Vec<Unit>,
    pub(super) loaded: HashMap<String, Loaded, foldhash::fast::FixedState>,
    pub(super) chain: Vec<Link>,
    pub(super) out: Outcomes,
    /// The module that was looked for last and is not there.
    pub(super) missing: String,
    /// Whether the code that is followed runs in any case.
    pub(super) certain: bool,
    /// Whether the process may have ended already.
    pub(super) may_have_ended: bool,
    pub(super) raises: Raises,
    pub(super) via: Via,
    pub(super) threads: bool,
    /// What has changed since branches began: the scope, the name, what it was.
    pub(super) journal: Vec<(Rc<Scope>, Name, Option<Value>)>,
    pub(super) branches: usize,
    /// The calls that are being followed: file and function.
    pub(super) calls: Vec<(usize, u32)>,
    pub(super) memo: HashMap<call::Key, Value, foldhash::fast::FixedState>,
    pub(super) counts: HashMap<(usize, u32), u32, foldhash::fast::FixedState>,
    pub(super) maybe_counts: HashMap<(usize, u32), u32, foldhash::fast::FixedState>,
    /// Whether the next call is followed however often it was.
    pub(super) forced: bool,
    pub(super) steps: u64,
    pub(super) nested: usize,
    reach: reach::Reach,
    /// Modules that the program put into `sys.modules` itself.
    pub(super) replaced: HashMap<String, Value>,
    /// What it put at the front of `sys.meta_path`.
    pub(super) finders: Vec<Value>,
    /// Whether it changed what is found in ways that are not followed.
    pub(super) edits: bool,
    /// Functions that run when the process ends.
    pub(super) at_exit: Vec<(Value, super::value::Args)>,
    pub(super) open_index: HashMap<(String, u32, String), usize>,
    pub(super) later: bool,
    pub(super) next_scope: usize,
    /// Where the last failure that nobody catches came from.
    pub(super) failed_at: Option<(Rc<str>, u32)>,
}

/// Runs the entries one after the other in one process. An entry that fails does not stop the next.
pub fn run(world: &World, entries: &[Entry], follow_later: bool) -> Outcomes {
    world.refresh();
    let mut run = Run::new(world);
    run.sitecustomize();
    for entry in entries {
        run.entry(entry);
    }
    run.finish(follow_later)
}

impl<'w> Run<'w> {
    fn new(world: &'w World) -> Self {
        Self {
            world,
            interned: HashMap::default(),
            texts: Vec::new(),
            units: Vec::new(),
            loaded: HashMap::default(),
            chain: Vec::new(),
            out: Outcomes::default(),
            missing: String::new(),
            certain: true,
            may_have_ended: false,
            raises: 0,
            via: Via::Seen,
            threads: false,
            journal: Vec::new(),
            branches: 0,
            calls: Vec::new(),
            memo: HashMap::default(),
            counts: HashMap::default(),
            maybe_counts: HashMap::default(),
            forced: false,
            steps: 0,
            nested: 0,
            reach: reach::Reach::default(),
            replaced: HashMap::new(),
            finders: Vec::new(),
            edits: false,
            at_exit: Vec::new(),
            open_index: HashMap::new(),
            later: false,
            next_scope: 0,
            failed_at: None,
        }
    }

    /// `site` imports `sitecustomize` if there is one. `usercustomize` it imports only where a user's own folder is on the path.
    ///
    /// CPython 3.14.7 `Lib/site.py`, `execsitecustomize`.
    fn sitecustomize(&mut self) {
        if self.world.has_own("sitecustomize") {
            self.linked("site".to_owned(), ImportKind::Startup, "sitecustomize", true);
        }
        if self.world.has_own("usercustomize") {
            self.linked("site".to_owned(), ImportKind::Startup, "usercustomize", false);
        }
        (self.certain, self.raises) = (true, 0);
    }

    fn entry(&mut self, entry: &Entry) {
        (self.certain, self.raises, self.may_have_ended, self.via) = (true, 0, false, Via::Seen);
        self.failed_at = None;
        let (name, ended) = match entry {
            Entry::Import(name) => {
                (name.clone(), self.linked(format!("--import {name}"), ImportKind::Plain, name, true))
            }
            Entry::Script(node) => (node.file.clone(), self.script(node)),
            Entry::Module(name) => (format!("-m {name}"), self.run_module(name, &format!("-m {name}"))),
            Entry::Function(module, function) => (format!("{module}:{function}"), self.console(module, function)),
            Entry::Startup(file, line, program) => {
                let ended = self.startup_line(file, *line, program);
                // A line that fails is reported by the interpreter, and the next one runs.
                self.raises = 0;
                (file.clone(), if ended == Ended::Open { Ended::Open } else { Ended::Well })
            }
        };
        let is_program = !matches!(entry, Entry::Import(_) | Entry::Startup(..));
        if let Ended::Failed(failure) = ended
            && failure != Failure::Exit
        {
            let place = self.failed_at.clone();
            let at = place.map(|(file, line)| format!("{file}:{line}"));
            let text = self.failure_text(failure);
            if is_program {
                let at = at.clone().unwrap_or_else(|| name.clone());
                self.out.stopped.get_or_insert_with(|| format!("{at}: {text}"));
            }
            self.out.failed.push((at.unwrap_or(name), text));
        }
    }

    fn finish(mut self, follow_later: bool) -> Outcomes {
        self.exit_handlers();
        self.out.modules = self.loaded.keys().filter(|name| self.world.has_own(name)).count();
        self.drain();
        self.meets();
        if follow_later {
            self.follow_later();
        }
        self.out
    }

    fn failure_text(&self, failure: Failure) -> String {
        match failure {
            Failure::NotFound => format!("ModuleNotFoundError: '{}' is not among the inputs", self.missing),
            Failure::Import => "ImportError".to_owned(),
            Failure::Other => "an exception".to_owned(),
            Failure::Exit => "SystemExit".to_owned(),
        }
    }

    /// The name of the run for a text.
    pub(super) fn intern(&mut self, text: &str) -> Name {
        if let Some(name) = self.interned.get(text) {
            return *name;
        }
        let name = Name::try_from(self.texts.len()).unwrap_or(Name::MAX);
        let text: Rc<str> = text.into();
        self.texts.push(Rc::clone(&text));
        self.interned.insert(text, name);
        name
    }

    pub(super) fn text_of(&self, name: Name) -> Rc<str> {
        usize::try_from(name).ok().and_then(|at| self.texts.get(at)).cloned().unwrap_or_else(|| "".into())
    }

    pub(super) fn scope(&mut self, outer: Option<Rc<Scope>>) -> Rc<Scope> {
        self.next_scope += 1;
        Rc::new(Scope { names: RefCell::default(), outer, id: self.next_scope })
    }

    /// Whether what is followed now runs in any case.
    pub(super) fn is_certain(&self) -> bool {
        self.certain && !self.may_have_ended && !self.later
    }

    /// Whether the code that is followed is what was asked about, and not a library.
    pub(super) fn is_entry(&self, frame: &Frame) -> bool {
        self.unit(frame.unit).is_some_and(|unit| unit.is_entry)
    }

    /// Counts a step; `false` when all are spent, which is noted once.
    pub(super) fn step(&mut self, frame: &Frame, line: u32) -> bool {
        self.steps += 1;
        if self.steps < STEPS {
            return true;
        }
        if self.steps == STEPS {
            let file = self.units.get(frame.unit).map_or("", |unit| &unit.file).to_owned();
            self.open_end(&file, line, "more steps than are followed", vec!["*".to_owned()]);
        }
        self.certain = false;
        false
    }

    pub(super) fn unit(&self, index: usize) -> Option<&Unit> {
        self.units.get(index)
    }

    pub(super) fn file_of(&self, frame: &Frame) -> Rc<str> {
        self.unit(frame.unit).map_or_else(|| "".into(), |unit| Rc::clone(&unit.file))
    }

    /// Either of two values. What is too much to keep track of may be used by anyone.
    pub(super) fn join(&mut self, one: Value, two: Value) -> Value {
        let all = [one, two];
        let [one, two] = all.clone();
        let joined = one.or(two);
        if matches!(joined, Value::Unknown) {
            for value in all {
                self.escape(&value);
            }
        }
        joined
    }
}
