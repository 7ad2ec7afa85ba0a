//! What is read of Rust, and what is refused.

use gilaudit_model::source::Project;
use gilaudit_model::source::rust::RustDeclared;
use gilaudit_model::{Origin, Version};

use crate::{Limits, SourceText, read_project};

fn project(files: &[(&str, &str)]) -> Project {
    let source = |(path, text): &(&str, &str)| SourceText {
        origin: Origin::path(*path),
        path: (*path).to_owned(),
        text: (*text).to_owned(),
        report: true,
        unread: None,
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
        project.rust[0].modules.first().map(|module| (module.name.to_string(), module.declared(Version::V3_14).0))
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
    let of = |project: &Project| {
        (project.rust[0].modules[0].declared(Version::V3_14).0, project.rust[0].modules[0].framework_version)
    };
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

#[test]
fn a_slot_counts_for_the_versions_it_is_compiled_for() {
    let code = "use pyo3_ffi::*;\npub unsafe extern \"C\" fn PyInit_spam() -> *mut PyModuleDef {\n    let slots = [\n        #[cfg(all(Py_3_13, not(Py_3_14)))]\n        PyModuleDef_Slot { slot: Py_mod_gil, value: Py_MOD_GIL_USED },\n        #[cfg(all(not(Py_GIL_DISABLED), Py_3_14))]\n        PyModuleDef_Slot { slot: Py_mod_gil, value: Py_MOD_GIL_USED },\n        #[cfg(all(Py_GIL_DISABLED, Py_3_14))]\n        PyModuleDef_Slot { slot: Py_mod_gil, value: Py_MOD_GIL_NOT_USED },\n    ];\n}\n";
    let declared = |code: &str| {
        let project = project(&[("src/lib.rs", code)]);
        Version::ALL.map(|version| project.rust[0].modules[0].declared(version).0)
    };
    assert_eq!(declared(code), [RustDeclared::Used, RustDeclared::NotUsed, RustDeclared::NotUsed]);
    let block = "use pyo3_ffi::*;\nfn PyInit_spam() { #[cfg(Py_3_15)] { PyUnstable_Module_SetGIL(m, Py_MOD_GIL_NOT_USED); } }\n";
    assert_eq!(declared(block), [RustDeclared::Undeclared, RustDeclared::Undeclared, RustDeclared::NotUsed]);
}

#[test]
fn a_file_is_part_of_what_declares_it() {
    let read = |files: &[(&str, &str)]| {
        let project = project(files);
        project.rust.iter().map(|facts| project.file(facts.file).path.clone()).collect::<Vec<_>>()
    };
    let code = "use pyo3::ffi;\n";
    // One that every declaration leaves out, and what it declares itself; in a folder, by a path, and in a module of the file.
    let root = "#[cfg(not(Py_GIL_DISABLED))]\nmod a;\nmod b;\n#[cfg(PyPy)]\n#[path = \"other/c.rs\"]\npub mod d;\nmod e { #[cfg(test)] mod f; }\n";
    let files = [
        ("src/lib.rs", root),
        ("src/a/mod.rs", "use pyo3::ffi;\nmod inner;\n"),
        ("src/a/inner.rs", code),
        ("src/b.rs", "use pyo3::ffi;\n#[cfg(not(CPython))]\nmod g;\nmod h;\n"),
        ("src/b/g.rs", code),
        ("src/b/h.rs", code),
        ("src/e/f.rs", code),
        ("src/other/c.rs", code),
    ];
    assert_eq!(read(&files), ["src/b.rs", "src/b/h.rs", "src/lib.rs"]);
    // Two declarations, one of which holds.
    let twice = "#[cfg(Py_GIL_DISABLED)]\nmod a;\n#[cfg(not(Py_GIL_DISABLED))]\nmod a;\n";
    assert_eq!(read(&[("lib.rs", twice), ("a.rs", code)]), ["a.rs", "lib.rs"]);
    // Files that declare each other, and a file that says it of itself.
    assert_eq!(
        read(&[("a.rs", "use pyo3::ffi;\nmod b;"), ("a/b.rs", "use pyo3::ffi;\n#[path = \"../a.rs\"]\nmod a;")]).len(),
        2
    );
    let inner = project(&[("a.rs", "#![cfg(not(Py_GIL_DISABLED))]\nuse pyo3::ffi;\nfn f() {}\n")]);
    assert!(inner.rust[0].functions.is_empty());
}

#[test]
fn vendored_crates_are_left_out() {
    let paths = |files: &[(&str, &str)]| project(files).files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    let code = "use pyo3::ffi;\n";
    let config = "[source.crates-io]\nreplace-with = \"x\"\n[source.x]\ndirectory = \"third/party\"\n";
    let marked =
        [("lib.rs", code), ("vendor/a/.cargo-checksum.json", "{}"), ("vendor/a/src/b.rs", code), ("vendor/b.rs", code)];
    assert_eq!(paths(&marked), ["lib.rs", "vendor/b.rs"]);
    let configured = [
        ("p/.cargo/config.toml", config),
        ("p/src/lib.rs", code),
        ("p/third/party/a/b.c", ""),
        ("third/party/a/c.c", ""),
    ];
    assert_eq!(paths(&configured), ["p/.cargo/config.toml", "p/src/lib.rs", "third/party/a/c.c"]);
    // A crate of a registry that is looked at itself, a path out of the project, and what is no configuration of Cargo.
    assert_eq!(paths(&[(".cargo-checksum.json", "{}"), ("lib.rs", code)]).len(), 2);
    let outside = config.replace("third/party", "../../p");
    assert_eq!(paths(&[("p/.cargo/config.toml", &outside), ("p/lib.rs", code)]).len(), 2);
    assert_eq!(paths(&[("p/config.toml", config), ("p/third/party/b.rs", code)]).len(), 2);
}
