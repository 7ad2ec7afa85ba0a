//! What a Python file imports, and under which circumstances.
//!
//! A file's facts are two views of the same imports: a flat list with positions, for people, and [`Step`]s in the order in which
//! the module's body runs, for whoever asks what happens at import.

use std::collections::HashMap;

/// The circumstances under which an import runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImportKind {
    /// It runs when the module is imported.
    Plain,
    /// It runs when the module is imported, in the body of a `try` that survives an `ImportError`.
    Try,
    /// It runs when the module is imported, if a condition holds that cannot be told from the text.
    Conditional,
    /// Only if a function is called.
    Function,
    /// Only if an attribute is asked for: in a module's `__getattr__`, or named to a lazy loader.
    Lazy,
    /// A lazy import of PEP 810: only if a name that it binds is looked at.
    OnUse,
    /// Only for type checkers.
    TypeChecking,
    /// Only if the file is run as a script.
    Main,
    /// Not on this target: the other branch of a condition on version or platform.
    OtherTarget,
    /// An extension module does it, as its binary shows.
    Extension,
    /// A line of a `.pth` file, which runs when the interpreter starts.
    Startup,
}

impl ImportKind {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Try => "try",
            Self::Conditional => "conditional",
            Self::Function => "function",
            Self::Lazy => "lazy",
            Self::OnUse => "on-use",
            Self::TypeChecking => "type-checking",
            Self::Main => "main",
            Self::OtherTarget => "other-target",
            Self::Extension => "extension",
            Self::Startup => "startup",
        }
    }
}

/// One import as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The module, dotted; empty in `from . import x`.
    pub module: String,
    /// The names in `from module import names`; `None` for `import module`. A star is `*`.
    pub names: Option<Vec<String>>,
    /// The name that `as` gives to what is imported, where it has one: name, alias.
    pub aliases: Vec<(String, String)>,
    /// The number of leading dots.
    pub level: u32,
    /// 1-based.
    pub line: u32,
    /// 1-based, in bytes of the line.
    pub column: u32,
    /// When it runs.
    pub kind: ImportKind,
}

/// Which failures an `except` clause catches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Catches {
    /// `ModuleNotFoundError` only.
    NotFound,
    /// `ImportError`, and with it `ModuleNotFoundError`.
    ImportError,
    /// Everything: bare, `Exception`, `BaseException`.
    Everything,
    /// Other exceptions.
    Other,
}

/// One `except` clause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    /// What it catches.
    pub catches: Catches,
    /// What it does.
    pub steps: Vec<Step>,
}

/// A part of a module's body that matters for what is imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The import with this index in [`PythonFacts::imports`].
    Import(usize),
    /// At most one of these runs, and it cannot be told which; with `exhaustive`, exactly one.
    Either {
        /// The branches.
        branches: Vec<Vec<Self>>,
        /// Whether one of them runs in any case.
        exhaustive: bool,
    },
    /// A `try` statement.
    Try {
        /// Its body.
        body: Vec<Self>,
        /// Its `except` clauses.
        handlers: Vec<Handler>,
        /// Its `else` clause.
        otherwise: Vec<Self>,
        /// Its `finally` clause.
        last: Vec<Self>,
    },
    /// Looks at a name that may import something by that.
    Use(Use),
    /// Calls this: a function or class of the same file, or one that was imported; dotted as it is written.
    Call(String),
    /// Calls this as a decorator, which takes note of what it decorates, or wraps it, and does not run it.
    Decorate(String),
    /// Raises; `true` when it is an `ImportError` or a re-raise of one.
    Raise(bool),
}

/// A look at what an import binds, dotted as it is written: `skimage.morphology.disk`.
///
/// It may be an import of its own: of a submodule that the package gives out lazily, or of a module that was imported lazily.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The name and the attributes.
    pub name: String,
    /// 1-based.
    pub line: u32,
}

/// A name that a package gives out lazily: whoever asks for the attribute imports the submodule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LazyName {
    /// The attribute.
    pub attribute: String,
    /// The submodule, relative to the package.
    pub submodule: String,
}

/// A name that the outermost level of a file binds, or a method of a class there, and what running it may import.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Callable {
    /// The name; `Class.method`.
    pub name: String,
    /// The imports in it, as indices of [`PythonFacts::imports`].
    pub imports: Vec<usize>,
    /// The looks in it at what imports bind.
    pub uses: Vec<Use>,
    /// The callables that it mentions, as indices: what it may run in turn. A class has those of its methods that run without being
    /// named.
    pub mentions: Vec<usize>,
    /// All methods of a class.
    pub methods: Vec<usize>,
    /// What is decorated with a variable, or an attribute of it: what the variable may know of, and run later.
    pub registers: Vec<usize>,
}

/// The value of `__lazy_modules__`: modules whose imports by the body are lazy from 3.15 on (PEP 810), as if written so.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LazyModules {
    /// The names that are known. `.` is the own package, and one that begins with a dot is below it.
    pub names: Vec<String>,
    /// Whether there may be others, because the value is computed.
    pub open: bool,
}

/// What a Python file imports.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PythonFacts {
    /// Every import that was read, in the order of the text.
    pub imports: Vec<Import>,
    /// The module's body.
    pub steps: Vec<Step>,
    /// What [`Step::Call`] runs: functions and classes of the outermost level, and variables that may hold them.
    pub callables: Vec<Callable>,
    /// The index of each by its name.
    pub by_name: HashMap<String, usize>,
    /// Names that the body binds by `def`, `class`, assignment or `from … import`, sorted. Such a name is an attribute already, so
    /// that `from package import name` need not import a submodule.
    pub binds: Vec<String>,
    /// The literal value of `__all__`, which `from package import *` imports submodules of.
    pub all: Vec<String>,
    /// What `lazy_loader.attach` was told.
    pub lazy: Vec<LazyName>,
    /// Whether `lazy_loader.attach_stub` reads the rest from the `.pyi` file beside this one.
    pub lazy_stub: bool,
    /// Whether it has a `__getattr__` of its own.
    pub getattr: bool,
    /// What `__lazy_modules__` says.
    pub lazy_modules: LazyModules,
    /// Why the text was not read completely, when it was not.
    pub incomplete: Option<String>,
}
