//! What a Python file says about state that threads share: names and containers, what functions do with them, which locks they hold
//! meanwhile, and which functions threads run.

use super::{FileId, Span};

/// A name, or a name with attributes: `CACHE`, `self.items`, `registry.table`.
pub type Path = Vec<Box<str>>;

/// One file.
#[derive(Clone, Debug)]
pub struct PythonFile {
    /// Where it is.
    pub file: FileId,
    /// What it imports.
    pub imports: Vec<Imported>,
    /// What is bound at module level, in class bodies, and to attributes of `self`.
    pub bindings: Vec<Binding>,
    /// Its classes.
    pub classes: Vec<Class>,
    /// Its functions. The first one is the module's own code, class bodies included.
    pub functions: Vec<Function>,
    /// Where threads begin.
    pub starts: Vec<Start>,
}

/// A name that an import statement binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The name.
    pub name: Box<str>,
    /// The module: `a.b` of `import a.b` and of `from a.b import c`.
    pub module: Box<str>,
    /// How many dots stand before the module.
    pub level: usize,
    /// What is taken from the module: `c` of `from a.b import c`.
    pub attribute: Option<Box<str>>,
}

/// A name and what it is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The class whose attribute it is.
    pub class: Option<usize>,
    /// Whether it is an attribute of the class's instances.
    pub instance: bool,
    /// The name.
    pub name: Box<str>,
    /// What kind of value it is bound to.
    pub value: Value,
    /// The whole assignment.
    pub span: Span,
}

/// What kind of value something is, by the expression that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A dictionary.
    Dict,
    /// A list or a deque.
    List,
    /// A set.
    Set,
    /// A dictionary with weak values.
    WeakValues,
    /// A `threading.local`, a context variable, a queue, a lock: made to be used by several threads.
    Threaded,
    /// Anything else.
    Other,
}

impl Value {
    /// Whether it is a container that can be changed in place.
    pub fn is_container(self) -> bool {
        matches!(self, Self::Dict | Self::List | Self::Set | Self::WeakValues)
    }
}

/// A class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Its name.
    pub name: Box<str>,
    /// Its base classes, where they are names.
    pub bases: Vec<Path>,
}

/// A function, method or lambda.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name; `<module>` and `<lambda>` as CPython has it.
    pub name: Box<str>,
    /// Its name with the functions and classes it is in: `C.method`, `f.<locals>.g` is `f.g`.
    pub qualified: Box<str>,
    /// The class it is a method of.
    pub class: Option<usize>,
    /// The function it is defined in; the module's code for one at module level.
    pub parent: Option<usize>,
    /// The whole definition.
    pub span: Span,
    /// Its parameters, in order.
    pub parameters: Vec<Box<str>>,
    /// Other names that it binds itself, sorted.
    pub locals: Vec<Box<str>>,
    /// Names that it declares `global`.
    pub globals: Vec<Box<str>>,
    /// Names that it declares `nonlocal`.
    pub nonlocals: Vec<Box<str>>,
    /// Whether a decorator holds a lock around it, by the decorator's name.
    pub locked: bool,
    /// What it calls.
    pub calls: Vec<Call>,
    /// What it does with state that might be shared.
    pub uses: Vec<Use>,
    /// Where it tests state and then acts on the result.
    pub checks: Vec<Check>,
}

/// A call of something with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is called.
    pub callee: Path,
    /// The call.
    pub span: Span,
    /// Whether a lock is held.
    pub locked: bool,
    /// Whether it is in a loop or a comprehension.
    pub looped: bool,
}

/// Something done with a name or an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// With what.
    pub place: Path,
    /// What is done.
    pub kind: UseKind,
    /// Where.
    pub span: Span,
    /// Whether a lock is held.
    pub locked: bool,
}

/// What is done with a name or an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseKind {
    /// `x = …`
    Bind,
    /// `x += …`, `x = x + …`
    Augment,
    /// `x[k]`
    GetItem,
    /// `x[k] = …`
    SetItem,
    /// `x[k] += …`
    AugmentItem,
    /// `x.append(…)` and whatever else makes it larger.
    Add,
    /// `del x[k]`, `x.pop(…)` and whatever else makes it smaller.
    Remove,
    /// `for … in x`, over the container itself or a view of it.
    Iterate,
}

/// A test and what depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is tested.
    pub place: Path,
    /// What for.
    pub form: Form,
    /// The test.
    pub span: Span,
    /// What depends on it.
    pub act: Span,
}

/// What is tested, and what is done then. Neither happens under a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A key is missing: it is added.
    Missing,
    /// A key is there: it is read or removed.
    Present,
    /// A container is not empty: something is taken from it.
    NotEmpty,
    /// A variable is not set: it is set.
    Unset,
    /// An attribute is missing: it is set.
    Attribute,
}

/// A place where a thread, or work of a pool of threads, begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The function that starts it.
    pub function: usize,
    /// What runs.
    pub target: Target,
    /// Whether several threads run it: it is in a loop, or handed to a pool.
    pub many: bool,
    /// Where.
    pub span: Span,
}

/// What a thread runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A function with a name.
    Path(Path),
    /// A lambda: the number of the function.
    Function(usize),
}
