//! What a Rust file says.
//!
//! Names and places, not expressions: who calls what, with which arguments (as spans of the text), inside the closure of which other
//! call; which statics, types and `unsafe impl`s there are. Code that a free-threaded build leaves out (`#[cfg(not(Py_GIL_DISABLED))]`)
//! and tests in the file are not here.

use super::cargo::{CargoFramework, CrateVersion};
use super::{FileId, Span};
use crate::target::{Version, Versions};

/// One file.
#[derive(Clone, Debug)]
pub struct RustFile {
    /// Where it is.
    pub file: FileId,
    /// The framework of the package that it belongs to.
    pub framework: Option<CargoFramework>,
    /// The extension modules that it defines.
    pub modules: Vec<RustModule>,
    /// Its statics, those in functions too.
    pub statics: Vec<RustStatic>,
    /// Its structs.
    pub structs: Vec<RustStruct>,
    /// Its `unsafe impl`s of `Send` and `Sync`.
    pub unsafe_impls: Vec<RustUnsafeImpl>,
    /// Its functions and methods with a body.
    pub functions: Vec<RustFunction>,
    /// What it says about the GIL other than with attributes.
    pub gil_slots: Vec<RustGilSlot>,
    /// Functions named in a table of C API slots, and `#[pymodule_init]`s: they run while a module is imported.
    pub exec_slots: Vec<Box<str>>,
    /// The modules that it adds to others with `wrap_pymodule!`.
    pub wrapped_modules: Vec<Box<str>>,
}

/// An entry of `PyModuleDef_Slot`, or a call of `PyUnstable_Module_SetGIL` or `gil_used`.
#[derive(Clone, Copy, Debug)]
pub struct RustGilSlot {
    /// Whether it says that the GIL is not used.
    pub not_used: bool,
    /// The versions for which the code is there: `#[cfg(Py_3_14)]`.
    pub versions: Versions,
    /// All of it.
    pub span: Span,
}

/// What a Rust module says about the GIL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RustDeclared {
    /// It runs without the GIL.
    NotUsed,
    /// It says that it needs the GIL.
    Used,
    /// Nothing is said, so that the interpreter turns the GIL on.
    Undeclared,
    /// The framework's version decides, and it is not known.
    Unknown,
}

/// How a module is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RustModuleForm {
    /// `#[pymodule]`
    PyO3,
    /// A `PyInit_` function written by hand.
    Raw,
}

/// An extension module.
#[derive(Clone, Debug)]
pub struct RustModule {
    /// Its name, without the package that it is put in.
    pub name: Box<str>,
    /// The name of the function or module that defines it.
    pub span: Span,
    /// How it is defined.
    pub form: RustModuleForm,
    /// `gil_used = …`, as written.
    pub gil_used: Option<bool>,
    /// What it declares in effect, and why, under each version of [`Version::ALL`].
    pub declarations: Vec<(RustDeclared, Box<str>)>,
    /// The oldest version of PyO3 that it is built with.
    pub framework_version: Option<CrateVersion>,
}

impl RustModule {
    /// What it declares in effect when it is built for a version, and why.
    pub fn declared(&self, version: Version) -> (RustDeclared, &str) {
        let at = Version::ALL.iter().position(|it| *it == version);
        let found = at.and_then(|at| self.declarations.get(at));
        found.map_or((RustDeclared::Unknown, "its sources were not resolved"), |(declared, why)| (*declared, why))
    }
}

/// A type as far as rules ask about it: the names in it, from the outside in. `Mutex<Cell<u8>>` is `Mutex`, `Cell`, `u8`; a raw
/// pointer is `*`, a function pointer `fn`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RustType {
    /// The names.
    pub names: Vec<Box<str>>,
}

impl RustType {
    /// Whether a name occurs in it.
    pub fn mentions(&self, name: &str) -> bool {
        self.names.iter().any(|it| **it == *name)
    }
}

/// A `static`.
#[derive(Clone, Debug)]
pub struct RustStatic {
    /// Its name.
    pub name: Box<str>,
    /// `static mut`
    pub mutable: bool,
    /// Each thread has its own.
    pub thread_local: bool,
    /// Its type.
    pub ty: RustType,
    /// Its name in its declaration.
    pub span: Span,
    /// The function that it is in.
    pub function: Option<Box<str>>,
}

/// A struct.
#[derive(Clone, Debug)]
pub struct RustStruct {
    /// Its name.
    pub name: Box<str>,
    /// Its name in its declaration.
    pub span: Span,
    /// `#[pyclass]`, and whether it is `unsendable`.
    pub pyclass: Option<bool>,
    /// `#[repr(C)]`
    pub repr_c: bool,
    /// Its fields: name (or number), type, place.
    pub fields: Vec<(Box<str>, RustType, Span)>,
}

/// `unsafe impl Sync for T`.
#[derive(Clone, Debug)]
pub struct RustUnsafeImpl {
    /// `Send` or `Sync`.
    pub auto_trait: &'static str,
    /// The type, without its arguments.
    pub name: Box<str>,
    /// The line.
    pub span: Span,
    /// The comments directly before it, and in it.
    pub comment: Box<str>,
}

/// A function or method.
#[derive(Clone, Debug)]
pub struct RustFunction {
    /// Its name.
    pub name: Box<str>,
    /// The type whose method it is.
    pub owner: Option<Box<str>>,
    /// Its name in its definition.
    pub span: Span,
    /// All of it.
    pub body: Span,
    /// Its arguments and local variables, in the order of the text. Closures' too.
    pub locals: Vec<RustLocal>,
    /// Its calls: a call comes after those in its function and arguments, except that a call whose closure holds others comes first.
    pub calls: Vec<RustCall>,
    /// Its assignments, `=` and `+=`, and mutable borrows of statics.
    pub writes: Vec<RustWrite>,
    /// Its comparisons with `==` and `!=`.
    pub comparisons: Vec<Span>,
    /// Members of object headers (`ob_…`, `_gc_…`) that are read or written: name and place.
    pub header_members: Vec<(Box<str>, Span)>,
}

/// An argument or a local variable.
#[derive(Clone, Debug)]
pub struct RustLocal {
    /// Its name.
    pub name: Box<str>,
    /// Its type, as written or as its initialiser shows: the type argument of a downcast.
    pub ty: RustType,
    /// Its initialiser.
    pub init: Option<Span>,
    /// Whether it is an argument.
    pub argument: bool,
    /// Its name in its declaration.
    pub span: Span,
    /// The end of the block it lives in.
    pub scope_end: u32,
}

/// A call.
#[derive(Clone, Debug)]
pub struct RustCall {
    /// The function's or method's name without its path; a macro's ends with `!`.
    pub name: Box<str>,
    /// The function's path as written, without type arguments; the name again for a method.
    pub path: Box<str>,
    /// What the method is called on.
    pub receiver: Option<Span>,
    /// Its arguments.
    pub args: Vec<Span>,
    /// All of it.
    pub span: Span,
    /// Its name.
    pub name_span: Span,
    /// The calls in whose closure arguments it is, outermost first: indexes in the function's calls.
    pub inside: Vec<u32>,
    /// If it is in a closure that becomes a member of a struct, which runs it later: how many of `inside` are around that closure.
    pub kept: Option<u32>,
}

/// An assignment.
#[derive(Clone, Debug)]
pub struct RustWrite {
    /// What is assigned to.
    pub target: Span,
    /// Whether it also reads: `+=`.
    pub compound: bool,
    /// Whether it only takes a mutable reference or pointer.
    pub borrow: bool,
    /// As [`RustCall::inside`].
    pub inside: Vec<u32>,
}
