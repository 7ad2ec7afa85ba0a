//! The frameworks that make extension modules: how each declares, what its authors should write, and what evidence it leaves.
//!
//! This is all that gilaudit knows of a framework by its name. What a module declares is never taken from here: it is read.

use std::fmt;

use crate::Init;

/// What makes an extension module, other than C by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Framework {
    /// mypyc, which compiles typed Python.
    Mypyc,
    /// cffi in API mode.
    Cffi,
    /// Cython.
    Cython,
    /// PyO3, for Rust.
    PyO3,
    /// nanobind, for C++.
    Nanobind,
    /// pybind11, for C++.
    Pybind11,
    /// SWIG.
    Swig,
    /// f2py, for Fortran.
    F2py,
    /// Boost.Python, for C++.
    BoostPython,
}

/// The framework that made a module, and its version where that shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MadeBy {
    /// The framework.
    pub framework: Framework,
    /// The version, or the range that the shape allows: `3.2.8`.
    pub version: Option<String>,
}

impl From<Framework> for MadeBy {
    fn from(framework: Framework) -> Self {
        Self { framework, version: None }
    }
}

/// A distribution whose version decides whether a framework declares by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// The distribution that a build requires.
    pub distribution: &'static str,
    /// The first version that declares, major and minor.
    pub first: [u64; 2],
}

impl Framework {
    /// All of them, in the order in which they are asked: a module may use one framework and embed another's runtime.
    pub const ALL: [Self; 9] = [
        Self::Mypyc,
        Self::Cffi,
        Self::Cython,
        Self::PyO3,
        Self::Nanobind,
        Self::Pybind11,
        Self::Swig,
        Self::F2py,
        Self::BoostPython,
    ];

    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mypyc => "mypyc",
            Self::Cffi => "cffi",
            Self::Cython => "cython",
            Self::PyO3 => "pyo3",
            Self::Nanobind => "nanobind",
            Self::Pybind11 => "pybind11",
            Self::Swig => "swig",
            Self::F2py => "f2py",
            Self::BoostPython => "boost-python",
        }
    }

    /// The name as its makers write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Mypyc => "mypyc",
            Self::Cffi => "cffi",
            Self::Cython => "Cython",
            Self::PyO3 => "PyO3",
            Self::Nanobind => "nanobind",
            Self::Pybind11 => "pybind11",
            Self::Swig => "SWIG",
            Self::F2py => "f2py",
            Self::BoostPython => "Boost.Python",
        }
    }

    /// Texts in the data of a compiled module of which each is in no module that another tool made.
    pub fn marks(self) -> &'static [&'static str] {
        match self {
            // The modules of one build share a file whose name ends so, which their shims import.
            Self::Mypyc => &["__mypyc"],
            // Modules in API mode hand their initialisation to `_cffi_backend` under this name.
            Self::Cffi => &["_init_cffi_1_0_external_module"],
            // cython/cython 0.29 to 3.3, Cython/Utility/CommonStructures.c and TypeConversion.c: error texts and the shared ABI module.
            Self::Cython => &["_cython_3_", "_cython_0_", "Shared Cython type", "cython_runtime", "__pyx_capi__"],
            // Panic messages hold the paths of its source files, with the version as published.
            Self::PyO3 => {
                &["/pyo3-0.", "\\pyo3-0.", "/pyo3-1.", "\\pyo3-1.", "pyo3_runtime.PanicException", "pyo3_runtime"]
            }
            // Its runtime names itself in error texts and in the names of its C++ types.
            Self::Nanobind => &["Critical nanobind error", "N8nanobind", "__nb_internals_v", "nanobind.backend"],
            // pybind/pybind11 2.x and 3.x, include/pybind11/detail/internals.h: modules of compatible versions share internals under a key
            // that all of them hold. The number in the key is that of the internals' layout, not a version of pybind11.
            Self::Pybind11 => {
                &["__pybind11_internals_v", "__pybind11_module_local", "pybind11_builtins", "pybind11_static_property"]
            }
            // swig/swig 2 to 4, Lib/python/pyrun.swg: modules share their type table under a name.
            Self::Swig => &["swig_runtime_data", "SwigPyObject"],
            // Every module says in its documentation text which version generated it.
            Self::F2py => &["auto-generated with f2py (version:"],
            // C++ types of its namespace.
            Self::BoostPython => &["N5boost6python", "Boost.Python."],
        }
    }

    /// What stands in front of the version in a text that begins with a mark, and what separates its numbers; for those whose marks show it.
    pub fn version_after(self) -> Option<(&'static [&'static str], u8)> {
        match self {
            Self::Cython => Some((&["_cython_"], b'_')),
            Self::PyO3 => Some((&["/pyo3-", "\\pyo3-"], b'.')),
            Self::F2py => Some((&["auto-generated with f2py (version:"], b'.')),
            _ => None,
        }
    }

    /// The macro that defines a module in C++.
    pub fn module_macro(self) -> Option<&'static str> {
        match self {
            Self::Pybind11 => Some("PYBIND11_MODULE"),
            Self::Nanobind => Some("NB_MODULE"),
            Self::BoostPython => Some("BOOST_PYTHON_MODULE"),
            _ => None,
        }
    }

    /// The distribution whose version decides, for those that declare for every module from some version on.
    pub fn declares_since(self) -> Option<Since> {
        match self {
            // cffi 2.0 declares in `_cffi_backend`, which initialises the modules that it makes.
            Self::Cffi => Some(Since { distribution: "cffi", first: [2, 0] }),
            // `mypyc/codegen/emitmodule.py` writes the slot since 1.17.
            Self::Mypyc => Some(Since { distribution: "mypy", first: [1, 17] }),
            _ => None,
        }
    }

    /// Whether a slot that declares support, in a module of this version, is there whether or not its author looked at thread safety.
    ///
    /// python/mypy v1.17.0 and later, `mypyc/codegen/emitmodule.py`: always, on free-threaded builds. `PyO3/pyo3` v0.28.0,
    /// `CHANGELOG.md`: by default, opting out is possible.
    pub fn slot_is_unasked(self, version: Option<&str>) -> bool {
        let minor = || version?.strip_prefix("0.")?.split('.').next()?.parse::<u32>().ok();
        match self {
            Self::Mypyc => true,
            Self::PyO3 => minor().is_some_and(|minor| minor >= 28),
            _ => false,
        }
    }
}

impl fmt::Display for Framework {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How authors say that a compiled module runs without the GIL, in the terms of what made it.
pub fn advice(made_by: Option<&MadeBy>, init: Init) -> String {
    let Some(MadeBy { framework, version }) = made_by else { return by_hand(init).to_owned() };
    let advice = match framework {
        Framework::Cython => "compile with Cython's directive freethreading_compatible=True (Cython >= 3.1)",
        Framework::Pybind11 => "write PYBIND11_MODULE(name, m, py::mod_gil_not_used()) (pybind11 >= 2.13)",
        Framework::Nanobind => "add FREE_THREADED to nanobind_add_module (nanobind >= 2.2)",
        Framework::PyO3 => {
            "write #[pymodule(gil_used = false)] (PyO3 0.23 to 0.27; from 0.28 on it is the default, and gil_used = true must go)"
        }
        Framework::Swig => "run SWIG with -nogil (SWIG >= 4.4)",
        Framework::F2py => "run f2py with --freethreading-compatible (NumPy >= 2.1)",
        Framework::Cffi => "use cffi >= 2.0",
        Framework::Mypyc => {
            let seen = version.as_ref().map_or_else(String::new, |version| format!(" (this is {version})"));
            return format!("compile with mypyc >= 1.17, which declares it for every module{seen}");
        }
        Framework::BoostPython => {
            "call PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED) in the init function, as Boost.Python has no switch for it"
        }
    };
    advice.to_owned()
}

/// The same for a module that no framework made.
fn by_hand(init: Init) -> &'static str {
    match init {
        Init::SinglePhase => {
            "call PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED) before the init function returns"
        }
        _ => "add the slot {Py_mod_gil, Py_MOD_GIL_NOT_USED}",
    }
}

/// What authors write in their sources or build files, with all the places where it can stand.
pub fn advice_in_sources(framework: Framework) -> &'static str {
    match framework {
        Framework::Pybind11 => "PYBIND11_MODULE(name, m, py::mod_gil_not_used()) (pybind11 2.13)",
        Framework::PyO3 => "#[pymodule(gil_used = false)] (PyO3 0.23; from 0.28 on it is the default)",
        Framework::Nanobind => "nanobind_add_module(name FREE_THREADED ...) in CMake",
        // No release of Boost.Python up to 1.90 has a way of its own, and its modules are single-phase: the call counts.
        Framework::BoostPython => {
            "PyUnstable_Module_SetGIL(boost::python::scope().ptr(), Py_MOD_GIL_NOT_USED) in the module's body, under #ifdef \
             Py_GIL_DISABLED"
        }
        Framework::Cython => {
            "'# cython: freethreading_compatible=True' at the top of the file, or the directive for all modules in the build: \
             cythonize(compiler_directives={'freethreading_compatible': True}), '-X freethreading_compatible=True' (Cython 3.1)"
        }
        Framework::Swig => {
            "swig_opts=['-nogil'] of setuptools, '-nogil' among CMake's SWIG_COMPILE_OPTIONS (SWIG 4.4); with an older SWIG \
             PyUnstable_Module_SetGIL(m, Py_MOD_GIL_NOT_USED) in the interface's %init, under #ifdef Py_GIL_DISABLED"
        }
        Framework::F2py => "f2py --freethreading-compatible (NumPy 2.1)",
        Framework::Cffi => "require cffi>=2.0, which declares for the modules that it makes",
        Framework::Mypyc => "require mypy>=1.17, which declares for the modules that it makes",
    }
}

/// The same for modules by hand, in C and C++.
pub const ADVICE_IN_C: &str = "{Py_mod_gil, Py_MOD_GIL_NOT_USED} in the module's slots, or PyUnstable_Module_SetGIL(module, \
     Py_MOD_GIL_NOT_USED) for single-phase initialisation (both new in Python 3.13)";

/// The same in Rust.
pub const ADVICE_IN_RUST: &str =
    "PyModuleDef_Slot { slot: Py_mod_gil, value: Py_MOD_GIL_NOT_USED } in the module's slots (new in Python 3.13)";
