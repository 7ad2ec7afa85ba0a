//! What is read of Rust, and what is refused.

use gilaudit_model::Origin;
use gilaudit_model::source::Project;
use gilaudit_model::source::rust::RustDeclared;

use crate::{Limits, SourceText, read_project};

fn project(files: &[(&str, &str)]) -> Project {
    let source = |(path, text): &(&str, &str)| SourceText {
        origin: Origin::path(*path),
        path: (*path).to_owned(),
        text: (*text).to_owned(),
        report: true,
    };
    let (project, problems) = read_project(files.iter().map(source).collect(), &Limits::default());
    assert_eq!(problems, []);
    project
}

const MANIFEST: &str =
    "[package]\nname = \"spam\"\nversion = \"1.0.0\"\n[lib]\ncrate-type = [\"cdylib\"]\n[dependencies]\n";

#[test]
fn a_file_in_facts() {
    let text = "// über\nuse pyo3::prelude::*;\n/* a /* b */ c */\n/// doc\n#[pyfunction]\nfn f<'py>(py: Python<'py>, list: &Bound<'py, PyList>) {\n    let item = unsafe { ffi::PyList_GetItem(list.as_ptr(), 0) };\n    once.call_once(|| { X = 1; g(item); });\n}\n#[cfg(test)]\nmod tests { fn t() { h(); } }\n";
    let project = project(&[("lib.rs", text)]);
    let [file] = project.files.as_slice() else { panic!() };
    let comments: Vec<&str> = file.comments.iter().map(|span| file.text_of(*span)).collect();
    assert_eq!(comments, ["// über", "/* a /* b */ c */", "/// doc"]);
    let [facts] = project.rust.as_slice() else { panic!() };
    let [function] = facts.functions.as_slice() else { panic!("{:?}", facts.functions) };
    assert_eq!(&*function.name, "f");
    let calls: Vec<(&str, &str)> =
        function.calls.iter().map(|call| (&*call.name, file.text_of(call.name_span))).collect();
    assert_eq!(
        calls,
        [("PyList_GetItem", "PyList_GetItem"), ("as_ptr", "as_ptr"), ("call_once", "call_once"), ("g", "g")]
    );
    assert_eq!(function.calls[3].inside, [2]);
    assert_eq!(function.writes[0].inside, [2]);
    assert_eq!(file.text_of(function.writes[0].target), "X");
    let locals: Vec<&str> = function.locals.iter().map(|local| &*local.name).collect();
    assert_eq!(locals, ["py", "list", "item"]);
    assert!(function.locals[1].ty.mentions("PyList"));
}

#[test]
fn declarations() {
    let declared = |dependency: &str, code: &str| {
        let manifest = format!("{MANIFEST}{dependency}\n");
        let project = project(&[("Cargo.toml", &manifest), ("src/lib.rs", code)]);
        project.rust[0].modules.first().map(|module| (module.name.to_string(), module.declared))
    };
    let spam = |declared| Some(("spam".to_owned(), declared));
    let plain = "use pyo3::prelude::*;\n#[pymodule]\nfn spam(m: &Bound<'_, PyModule>) -> PyResult<()> { Ok(()) }\n";
    assert_eq!(declared("pyo3 = \"0.27\"", plain), spam(RustDeclared::Undeclared));
    assert_eq!(declared("pyo3 = { version = \"0.28\", features = [] }", plain), spam(RustDeclared::NotUsed));
    assert_eq!(declared("pyo3 = \">=0.25\"", plain), spam(RustDeclared::Unknown));
    let renamed = "use pyo3::prelude::*;\n#[pyo3::pymodule]\n#[pyo3(name = \"spam\", gil_used = false)]\nmod other { #[pymodule] mod inner {} }\n";
    assert_eq!(declared("pyo3 = \"0.25\"", renamed), spam(RustDeclared::NotUsed));
    let method = "use pyo3::prelude::*;\n#[pymodule]\nfn spam(m: &Bound<'_, PyModule>) -> PyResult<()> { m.gil_used(false)?; Ok(()) }\n";
    assert_eq!(declared("pyo3 = \"0.25\"", method), spam(RustDeclared::NotUsed));
    let raw = "use pyo3_ffi::*;\n#[no_mangle]\npub unsafe extern \"C\" fn PyInit_spam() -> *mut PyObject { PyModuleDef_Init(addr_of_mut!(DEF)) }\n";
    assert_eq!(declared("pyo3-ffi = \"0.28\"", raw), spam(RustDeclared::Undeclared));
    let slots = format!(
        "{raw}static SLOTS: [PyModuleDef_Slot; 1] = [PyModuleDef_Slot {{ slot: Py_mod_gil, value: Py_MOD_GIL_NOT_USED }}];\n"
    );
    assert_eq!(declared("pyo3-ffi = \"0.28\"", &slots), spam(RustDeclared::NotUsed));
    let wrapped =
        "use pyo3::prelude::*;\n#[pymodule]\nfn sub(m: &Bound<'_, PyModule>) {}\nfn f() { wrap_pymodule!(sub); }\n";
    assert_eq!(declared("pyo3 = \"0.25\"", wrapped), None);
}

#[test]
fn the_lock_file_and_the_workspace_decide() {
    let plain = "use pyo3::prelude::*;\n#[pymodule]\nfn spam(m: &Bound<'_, PyModule>) -> PyResult<()> { Ok(()) }\n";
    let lock = "version = 4\n[[package]]\nname = \"pyo3\"\nversion = \"0.22.6\"\n[[package]]\nname = \"pyo3\"\nversion = \"0.28.1\"\n[[package]]\nname = \"spam\"\nversion = \"1.0.0\"\ndependencies = [\"pyo3 0.28.1\"]\n";
    let member = format!("{MANIFEST}pyo3.workspace = true\n");
    let root = "[workspace]\nmembers = [\"spam\"]\n[workspace.dependencies]\npyo3 = \"0.25\"\n";
    let files = [("Cargo.toml", root), ("spam/Cargo.toml", &*member), ("spam/src/lib.rs", plain)];
    let of = |project: &Project| (project.rust[0].modules[0].declared, project.rust[0].modules[0].framework_version);
    assert_eq!(of(&project(&files)), (RustDeclared::Undeclared, Some((0, 25, 0))));
    let mut files = files.to_vec();
    files.push(("Cargo.lock", lock));
    assert_eq!(of(&project(&files)), (RustDeclared::NotUsed, Some((0, 28, 1))));
}

#[test]
fn hostile_nesting_is_refused_or_survived() {
    let deep = |open: &str, close: &str, times: usize| {
        format!("use pyo3::ffi;\nfn f() {{ let x = {}0{}; }}\n", open.repeat(times), close.repeat(times))
    };
    let many = 10_000;
    let hostile = [
        deep("(", ")", many),
        deep("!", "", many),
        deep("{", "}", many),
        deep("- &", "", many),
        deep("if a {} else ", "{}", many),
        deep("|a, b| ", "", many),
        deep("a::<u8, a::<", ">>()", many),
        deep("f.", "", many),
        deep("x = ", "", many),
        deep("1 + ", "", many),
        deep("match ", " {}", many),
        deep("return ", "", many),
        deep("x as ", "", many),
        format!("use pyo3::ffi;\ntype T = {}u8{};\n", "A<u8, ".repeat(many), ">".repeat(many)),
        format!("use pyo3::ffi;\n#[cfg({}a{})]\nfn f() {{}}\n", "not(".repeat(many), ")".repeat(many)),
        "use pyo3::ffi;\nfn f( {".to_owned(),
    ];
    for text in &hostile {
        let project = project(&[("lib.rs", text)]);
        assert_eq!(project.files[0].unparsed as usize, text.len(), "{}", &text[..text.len().min(60)]);
    }
    // Just below the limits: parsed on the large stack.
    for text in [
        deep("!", "", 7_900),
        deep("(", ")", 150),
        deep("{", "}", 150),
        deep("1 + ", "", 3_900),
        deep("|a, b| ", "", 3_900),
    ] {
        let project = project(&[("lib.rs", &text)]);
        assert_eq!(project.rust.len(), 1, "{}", &text[..text.len().min(60)]);
    }
}

#[test]
fn long_is_not_deep() {
    let rows = "    (1, 2, f(3)),\n".repeat(20_000);
    let arms = "        1 => { g() }\n        2 => g(),\n".repeat(5_000);
    let text = format!("use pyo3::ffi;\nstatic X: [T; 3] = [\n{rows}];\nfn f() {{\n    match x {{\n{arms}    }}\n}}\n");
    assert_eq!(project(&[("lib.rs", &text)]).rust.len(), 1);
}
