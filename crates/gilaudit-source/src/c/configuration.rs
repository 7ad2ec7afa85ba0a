//! The configurations of the preprocessor that sources are read in.

/// What is taken for true where a condition cannot be evaluated. In all of them: a release of free-threaded CPython 3.14, no PyPy, no
/// limited API, no debug build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Configuration {
    /// Macros that are not known are defined and true.
    A,
    /// Macros that are not known are not defined.
    B,
    /// As A, on Windows.
    Windows,
}

impl Configuration {
    /// What is known of a macro before any file is read: its value, or that it is not defined. `None` when nothing is known.
    pub(crate) fn builtin(self, name: &str, cpp: bool) -> Option<Option<i64>> {
        let windows = self == Self::Windows;
        Some(match name {
            "Py_GIL_DISABLED" | "Py_PYTHON_H" | "__STDC__" | "NDEBUG" | "__STDC_HOSTED__" => Some(1),
            // A final release: guards ask for betas of 3.14, too.
            "PY_VERSION_HEX" => Some(0x030E_07F0),
            "PY_MAJOR_VERSION" => Some(3),
            "PY_MINOR_VERSION" => Some(14),
            "PY_MICRO_VERSION" => Some(7),
            // 3.14 Include/pyport.h: always defined.
            "WITH_THREAD" => Some(1),
            // 3.14 Include/moduleobject.h
            "Py_mod_gil" => Some(4),
            "Py_MOD_GIL_NOT_USED" => Some(1),
            "Py_MOD_GIL_USED" => Some(0),
            "Py_mod_multiple_interpreters" => Some(3),
            "PY_RELEASE_LEVEL" => Some(0xF),
            // include/pybind11/detail/common.h of 3.0.0, the first to be tested with free-threaded builds of 3.14.
            "PYBIND11_VERSION_HEX" => Some(0x0300_00F0),
            "PYBIND11_VERSION_MAJOR" => Some(3),
            "PYBIND11_VERSION_MINOR" => Some(0),
            "__STDC_VERSION__" if !cpp => Some(201_710),
            "__cplusplus" => cpp.then_some(201_703),
            "_WIN32" | "MS_WINDOWS" | "WIN32" | "_MSC_VER" | "MS_WIN32" | "_WIN64" | "MS_WIN64" => {
                windows.then_some(if name == "_MSC_VER" { 1940 } else { 1 })
            }
            "PYPY_VERSION"
            | "PYPY_VERSION_NUM"
            | "Py_LIMITED_API"
            | "Py_DEBUG"
            | "Py_REF_DEBUG"
            | "Py_TRACE_REFS"
            | "GRAALVM_PYTHON"
            | "IS_PYPY"
            | "__CYGWIN__"
            | "CYTHON_COMPILING_IN_PYPY" => None,
            _ => return None,
        })
    }

    /// What an unknown macro is taken for.
    pub(crate) fn unknown(self) -> bool {
        self != Self::B
    }
}
