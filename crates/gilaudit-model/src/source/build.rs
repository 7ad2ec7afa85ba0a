//! What a build file says about the modules that it makes.
//!
//! Build files are programs or close to it. They are read, not run: what is written out is here, and where something is computed
//! [`BuildFile::computed`] says so, so that nobody takes the list for complete.

use super::{FileId, Span};

/// One file: `setup.py`, `setup.cfg`, `pyproject.toml`, `meson.build`, `CMakeLists.txt`, or a Python file that builds with cffi.
#[derive(Clone, Debug)]
pub struct BuildFile {
    /// Where it is.
    pub file: FileId,
    /// The modules that it makes, in the order of the text.
    pub modules: Vec<BuildModule>,
    /// Whether it makes modules whose names are computed, and so not in the list.
    pub computed: bool,
    /// Directives for the Cython compiler, for modules that are made from sources below the file's folder: all, or those that the
    /// same call names.
    pub directives: Vec<BuildDirective>,
    /// What `[build-system]` requires, as written.
    pub requires: Vec<(Box<str>, Span)>,
    /// The trove classifiers.
    pub classifiers: Vec<(Box<str>, Span)>,
    /// `Requires-Python`, as written.
    pub requires_python: Option<(Box<str>, Span)>,
    /// Preprocessor macros of Python's own (`Py_…`) that it defines for a compiler.
    pub macros: Vec<BuildMacro>,
    /// Settings that ask a tool for the limited API, `py_limited_api=True` and the like, as if they were macros.
    pub limited_api: Vec<BuildMacro>,
    /// Modules that CMake compiles with Python's headers but without what brings Python's definitions along, and where they get the
    /// headers.
    pub by_hand: Vec<(Box<str>, Span)>,
    /// Where targets are installed: CMake's `install(TARGETS name DESTINATION folder)`.
    pub installs: Vec<(Box<str>, Box<str>)>,
    /// The package that all its modules go into: `ext_package` of setuptools, `wheel.install-dir` of scikit-build-core.
    pub package: Option<Box<str>>,
    /// The name of the distribution.
    pub project: Option<Box<str>>,
}

impl BuildFile {
    /// A file that says nothing.
    pub fn new(file: FileId) -> Self {
        Self {
            file,
            modules: Vec::new(),
            computed: false,
            directives: Vec::new(),
            requires: Vec::new(),
            classifiers: Vec::new(),
            requires_python: None,
            macros: Vec::new(),
            limited_api: Vec::new(),
            by_hand: Vec::new(),
            installs: Vec::new(),
            package: None,
            project: None,
        }
    }

    /// Whether it says anything.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
            && !self.computed
            && self.directives.is_empty()
            && self.requires.is_empty()
            && self.classifiers.is_empty()
            && self.requires_python.is_none()
            && self.macros.is_empty()
            && self.limited_api.is_empty()
            && self.by_hand.is_empty()
            && self.installs.is_empty()
            && self.package.is_none()
            && self.project.is_none()
    }
}

/// What makes a module of its sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Maker {
    /// A compiler, from sources that define the module themselves: C, C++, Cython.
    Compiler,
    /// A compiler, with pybind11.
    Pybind11,
    /// A compiler, with nanobind; whether the module declares is decided here.
    Nanobind {
        /// `FREE_THREADED`; none when the arguments are computed.
        free_threaded: Option<bool>,
    },
    /// Cargo: maturin or setuptools-rust.
    Cargo,
    /// cffi writes the C.
    Cffi,
    /// mypyc writes the C.
    Mypyc,
    /// SWIG writes the C.
    Swig {
        /// `-nogil`
        nogil: bool,
    },
    /// f2py writes the C.
    F2py {
        /// `--freethreading-compatible`
        free_threaded: bool,
    },
}

/// A module that is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildModule {
    /// Its name, dotted as far as the file says; empty when the sources or the tool give it, or when it is computed.
    pub name: Box<str>,
    /// Where the name is written.
    pub span: Span,
    /// Its sources, as paths in the project. For Cargo the manifest.
    pub sources: Vec<Box<str>>,
    /// What makes it.
    pub maker: Maker,
    /// Whether it asks for the limited API.
    pub limited_api: bool,
}

/// A directive for the Cython compiler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildDirective {
    /// Its name.
    pub name: Box<str>,
    /// Its value, as Python writes it; empty when it is computed.
    pub value: Box<str>,
    /// The condition that it is set under, when that is not known to hold for a free-threaded build.
    pub condition: Option<Box<str>>,
    /// Where it is.
    pub span: Span,
}

/// A preprocessor macro that a build file defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildMacro {
    /// Its name.
    pub name: Box<str>,
    /// Its value, as written; empty when it has none, or when it is computed.
    pub value: Box<str>,
    /// Whether something decides if it is defined, other than the platform.
    pub conditional: bool,
    /// Where it is.
    pub span: Span,
}
