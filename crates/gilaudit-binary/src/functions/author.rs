//! Who wrote a function: the author of the module, a tool that writes modules, or a library of a language.
//!
//! Symbols say it. Without them, what a tool has written into a module cannot be told from what the author has: it is unknown there,
//! and nothing is held against anybody.

use gilaudit_model::Framework;
use gilaudit_model::flow::MadeBy;

use super::Found;

/// Prefixes of the names of author's code in what Cython writes: wrappers, bodies, functions, properties, generators.
/// Cython 0.29 to 3.2, `Cython/Compiler/Naming.py`.
const CYTHON_AUTHOR: [&str; 6] =
    ["__pyx_pw_", "__pyx_pf_", "__pyx_f_", "__pyx_getprop_", "__pyx_setprop_", "__pyx_gb_"];

/// Who wrote a function of a module that `framework` made. `generated` says that it belongs to a type of the framework's own.
pub(super) fn of(found: &Found, framework: Option<Framework>, generated: bool) -> MadeBy {
    if let Some(symbol) = &found.symbol {
        return by_symbol(symbol, framework);
    }
    match framework {
        _ if generated => MadeBy::Generator(framework.unwrap_or(Framework::Cython)),
        None => MadeBy::Author,
        // What Python sees of such a module is the author's, but for the types of the tool itself.
        Some(Framework::Cython) if !found.names.is_empty() => MadeBy::Author,
        Some(_) => MadeBy::Unknown,
    }
}

fn by_symbol(symbol: &str, framework: Option<Framework>) -> MadeBy {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| symbol.starts_with(prefix));
    if starts(&["__Pyx", "__pyx"]) {
        let own =
            starts(&CYTHON_AUTHOR) && !symbol.contains("View_dot_MemoryView") && !symbol.contains("View.MemoryView");
        return if own { MadeBy::Author } else { MadeBy::Generator(Framework::Cython) };
    }
    // Types of Cython's shared module, and its reimplementation of a part of CPython.
    if framework == Some(Framework::Cython) && starts(&["__Cython", "_pyx", "PyInit_", "__PYX"]) {
        return MadeBy::Generator(Framework::Cython);
    }
    if framework == Some(Framework::Mypyc) {
        let own = starts(&["CPyDef_", "CPyPy_"]);
        let of_tool = starts(&["CPy", "_CPy", "CPyStatic"]);
        return if of_tool && !own { MadeBy::Generator(Framework::Mypyc) } else { MadeBy::Author };
    }
    if starts(&["SWIG_", "Swig", "swig_", "_Swig"]) {
        return MadeBy::Generator(Framework::Swig);
    }
    if framework == Some(Framework::F2py) && starts(&["F2Py", "f2py_", "fortran_", "array_from_pyobj", "PyFortran"]) {
        return MadeBy::Generator(Framework::F2py);
    }
    if framework == Some(Framework::Cffi) && starts(&["_cffi_"]) && !starts(&["_cffi_f_", "_cffi_d_"]) {
        return MadeBy::Generator(Framework::Cffi);
    }
    if symbol.contains("8pybind11") {
        return MadeBy::Generator(Framework::Pybind11);
    }
    if symbol.contains("8nanobind") || framework == Some(Framework::Nanobind) && starts(&["nb_"]) {
        return MadeBy::Generator(Framework::Nanobind);
    }
    if symbol.contains("5boost6python") {
        return MadeBy::Generator(Framework::BoostPython);
    }
    if framework == Some(Framework::PyO3) || starts(&["_R"]) {
        return MadeBy::Library("Rust");
    }
    if starts(&[
        "_ZNSt",
        "_ZNKSt",
        "_ZSt",
        "_ZN9__gnu_cxx",
        "_ZNK9__gnu_cxx",
        "__cxa_",
        "_ZNVSt",
        "_ZTh",
        "_Unwind_",
        "__gxx_",
    ]) {
        return MadeBy::Library("C++");
    }
    MadeBy::Author
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_of_a_tool_is_not_its_users() {
        assert_eq!(by_symbol("__Pyx_GetItemInt_Fast", Some(Framework::Cython)), MadeBy::Generator(Framework::Cython));
        assert_eq!(by_symbol("__pyx_pw_3mod_1f", Some(Framework::Cython)), MadeBy::Author);
        assert_eq!(by_symbol("CPyList_GetItem", Some(Framework::Mypyc)), MadeBy::Generator(Framework::Mypyc));
        assert_eq!(by_symbol("CPyDef_mod___f", Some(Framework::Mypyc)), MadeBy::Author);
        assert_eq!(by_symbol("_ZN8pybind116module3defE", None), MadeBy::Generator(Framework::Pybind11));
        assert_eq!(by_symbol("_ZNSt6vectorIiE9push_backEv", None), MadeBy::Library("C++"));
        assert_eq!(by_symbol("method_expand", None), MadeBy::Author);
        let mangled = "_ZL30__Pyx_CyFunction_get_annotationsP7_objectPv";
        assert_eq!(
            by_symbol(&super::super::spoken(mangled), Some(Framework::Cython)),
            MadeBy::Generator(Framework::Cython)
        );
    }
}
