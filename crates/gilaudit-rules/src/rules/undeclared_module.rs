//! Flags a module that does not declare whether it needs the GIL.

use gilaudit_model::{Confidence, Finding, Severity};

use crate::engine::analysis::Analysis;
use crate::engine::declarations::Declared;
use crate::engine::{generators, rust};
use crate::{Check, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "undeclared-module",
    summary: "a module that does not declare whether it needs the GIL",
    severity: Severity::Warning,
    confidence: Confidence::High,
    readiness: false,
    since: "0.1.0",
    doc: include_str!("undeclared_module.md"),
    checks: &[Check::Project(check), Check::Build(generated)],
};

fn check(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for module in analysis.modules {
        if module.declared != Declared::Nothing
            || analysis.is_test(module.file)
            || !analysis.project.file(module.file).report
            || generators::is_cffi(analysis.project.file(module.file))
            // That is another finding: the declaration would not help.
            || module.framework == "pyo3" && rust::is_too_old(analysis, module.file)
        {
            continue;
        }
        let message = format!(
            "'{}' does not declare that it runs without the GIL: importing it turns the GIL on for the whole process",
            module.name
        );
        let mut finding = analysis.finding(rule, module.file, module.span, message);
        finding.module = Some(module.name.clone());
        finding.help = Some(match module.framework {
            "pybind11" => "after an audit: PYBIND11_MODULE(name, m, py::mod_gil_not_used()) (pybind11 2.13)".to_owned(),
            "pyo3" => "after an audit: #[pymodule(gil_used = false)] (PyO3 0.23; from 0.28 on it is the default)".to_owned(),
            "rust" => "after an audit: PyModuleDef_Slot { slot: Py_mod_gil, value: Py_MOD_GIL_NOT_USED } in the module's slots (new in Python 3.13)".to_owned(),
            "nanobind" => "after an audit: nanobind_add_module(name FREE_THREADED ...) in CMake".to_owned(),
            // No release of Boost.Python up to 1.90 has a way of its own, and its modules are single-phase: the call counts.
            "boost-python" => "after an audit, also of Boost.Python itself, whose registries have no locks up to 1.90: \
                               PyUnstable_Module_SetGIL(boost::python::scope().ptr(), Py_MOD_GIL_NOT_USED) in the module's body, under #ifdef Py_GIL_DISABLED"
                .to_owned(),
            "cython" => "after an audit: '# cython: freethreading_compatible=True' at the top of the file, or the directive for all modules in the build: \
                         cythonize(compiler_directives={'freethreading_compatible': True}), '-X freethreading_compatible=True' (Cython 3.1)"
                .to_owned(),
            _ => "after an audit: {Py_mod_gil, Py_MOD_GIL_NOT_USED} in the module's slots, or PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED) for single-phase initialisation (both new in Python 3.13)".to_owned(),
        });
        out.push(finding);
    }
}

/// Modules whose C a tool writes that is not told to declare.
fn generated(analysis: &Analysis<'_>, rule: &Rule, out: &mut Vec<Finding>) {
    for module in generators::undeclared(analysis.project) {
        let message = format!(
            "'{}' does not declare that it runs without the GIL, so importing it turns the GIL on for the whole process: {}",
            module.name, module.why
        );
        let mut finding = analysis.finding(rule, module.file, module.span, message);
        finding.module = Some(module.name);
        finding.help = Some(module.help.to_owned());
        out.push(finding);
    }
}
