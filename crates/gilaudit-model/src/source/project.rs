//! The sources that are linted together.

use std::collections::HashMap;

use super::build::BuildFile;
use super::cargo::CargoManifest;
use super::cython::CythonFile;
use super::python::PythonFile;
use super::rust::RustFile;
use super::{Body, ExprId, File, FileId, LocalId, Name, Names, Span, StmtId, Struct, Type};

/// The number of a function in its project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionId(pub u32);

/// The number of a file-scope variable in its project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GlobalId(pub u32);

/// In which configuration of the preprocessor something was seen first. What is the same in several is listed once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Variant {
    /// Macros that are not known are defined and true.
    A,
    /// Macros that are not known are not defined.
    B,
    /// As A, on Windows.
    Windows,
}

/// A function with a body.
#[derive(Clone, Debug)]
pub struct Function {
    /// Where it is.
    pub file: FileId,
    /// Its name without qualification: `f` of `a::C::f`.
    pub name: Name,
    /// The name with its namespaces and classes; the same as `name` in C.
    pub qualified: Name,
    /// The class it is a member of.
    pub class: Option<Name>,
    /// Not visible outside its file.
    pub is_static: bool,
    /// What it returns.
    pub result: Type,
    /// Its parameters, which are the first locals of the body.
    pub parameters: Vec<LocalId>,
    /// Its code.
    pub body: Body,
    /// The outermost statement of the code.
    pub root: StmtId,
    /// The whole definition.
    pub span: Span,
    /// Its name in the definition.
    pub name_span: Span,
    /// The parts inside it that did not parse; nothing is reported there.
    pub unparsed: Vec<Span>,
    /// The configuration it was seen in.
    pub variant: Variant,
}

impl Function {
    /// Gives every name in it another one.
    pub fn rename(&mut self, mut to: impl FnMut(Name) -> Name) {
        self.name = to(self.name);
        self.qualified = to(self.qualified);
        self.class = self.class.map(&mut to);
        self.result.base = to(self.result.base);
        self.body.rename(to);
    }
}

/// A variable at file scope, or a static data member of a class.
#[derive(Clone, Debug)]
pub struct Global {
    /// Where it is.
    pub file: FileId,
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: Type,
    /// Not visible outside its file.
    pub is_static: bool,
    /// Declared here, defined elsewhere.
    pub is_extern: bool,
    /// `thread_local` and the like.
    pub thread_local: bool,
    /// Its initialiser, in the file's body.
    pub init: Option<ExprId>,
    /// Its name in its declarator.
    pub span: Span,
    /// The configuration it was seen in.
    pub variant: Variant,
}

impl Global {
    /// Gives every name in it another one.
    pub fn rename(&mut self, mut to: impl FnMut(Name) -> Name) {
        self.name = to(self.name);
        self.ty.base = to(self.ty.base);
    }
}

/// The sources that are linted together: a source tree, an sdist, or the files of one folder.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// Its identifiers.
    pub names: Names,
    /// Its files, sorted by path.
    pub files: Vec<File>,
    /// Its functions, in the order of the files, then of the text.
    pub functions: Vec<Function>,
    /// Its file-scope variables, in the same order.
    pub globals: Vec<Global>,
    /// Its structs, unions and classes, in the same order.
    pub structs: Vec<Struct>,
    /// `typedef A B`: B to A, where A is a name.
    pub typedefs: HashMap<Name, Name>,
    /// What its Cython files say, in the order of the files.
    pub cython: Vec<CythonFile>,
    /// What those of its Python files say that mention an extension type of its Cython files, read as Cython reads them.
    pub extension_users: Vec<ExtensionUser>,
    /// What its Rust files say, in the same order.
    pub rust: Vec<RustFile>,
    /// What its `Cargo.toml`s say, in the same order.
    pub cargo: Vec<CargoManifest>,
    /// What its Python files say, in the same order.
    pub python: Vec<PythonFile>,
    /// What its build files say, in the same order.
    pub builds: Vec<BuildFile>,
}

/// A Python file in which an extension type is mentioned.
#[derive(Clone, Debug)]
pub struct ExtensionUser {
    /// What it says.
    pub code: CythonFile,
    /// Where it could not be read.
    pub unparsed: Vec<Span>,
}

impl Project {
    /// The text of a name.
    pub fn text(&self, name: Name) -> &str {
        self.names.text(name)
    }

    /// A file.
    pub fn file(&self, id: FileId) -> &File {
        &self.files[id.0 as usize]
    }

    /// A function.
    pub fn function(&self, id: FunctionId) -> &Function {
        &self.functions[id.0 as usize]
    }

    /// The ids of all functions.
    pub fn function_ids(&self) -> impl Iterator<Item = FunctionId> + use<> {
        (0..self.functions.len() as u32).map(FunctionId)
    }
}
