//! `gilaudit check` on source files and trees.

use std::fs;

use crate::common::{check_json, put, run, zip};

const CODE: &str = "#include <Python.h>\n\nPyObject *\nfirst(PyObject *self, PyObject *list)\n{\n    return Py_NewRef(PyList_GetItem(list, 0));COMMENT\n}\n";

fn check(code: &str, more: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("spam.c"), code).unwrap();
    let path = folder.path().to_str().unwrap();
    let ran = run([["check", path, "--no-progress"].as_slice(), more].concat());
    (ran.code, ran.stdout)
}

#[test]
fn a_finding_shows_its_line_and_fails_the_run() {
    let (code, out) = check(&CODE.replace("COMMENT", ""), &[]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("error[borrowed-list-item]") && out.contains("spam.c:6:") && out.contains("^^^^"), "{out}");
    assert!(out.contains("PyList_GetItemRef"), "{out}");
}

#[test]
fn a_comment_suppresses_and_an_unused_one_is_said() {
    let (code, out) =
        check(&CODE.replace("COMMENT", " /* gilaudit: allow[borrowed-list-item] the list is ours */"), &[]);
    assert_eq!(code, 0, "{out}");
    assert!(!out.contains("error["), "{out}");
    let text = CODE.replace("COMMENT", " /* gilaudit: allow[borrowed-list-item] the list is ours */");
    let (code, _) = check(&text, &["--no-suppressions"]);
    assert_eq!(code, 1);
    let (_, out) = check(
        "#include <Python.h>\n/* gilaudit: allow[borrowed-list-item] nothing here */\nint n(PyObject *x);\n",
        &[],
    );
    assert!(out.contains("suppresses nothing"), "{out}");
}

#[test]
fn what_is_not_to_be_reported_does_not_contradict_a_declaration() {
    let code = "#include <Python.h>\n\nstatic PyObject *cache;\n\nPyObject *\nlookup(PyObject *self, PyObject *key)\n{\n    \
                PyObject *value = PyDict_GetItemWithError(cache, key); COMMENT\n    Py_XINCREF(value);\n    return value;\n}\n\n\
                static PyMethodDef methods[] = {{\"lookup\", lookup, METH_O, NULL}, {NULL}};\n\
                static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};\n\
                static PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = \"spam\", .m_methods = methods, .m_slots = slots};\n\n\
                PyMODINIT_FUNC\nPyInit_spam(void)\n{\n    return PyModuleDef_Init(&module);\n}\n";
    let plain = code.replace("COMMENT", "");
    let allowed = code.replace("COMMENT", "/* gilaudit: allow[borrowed-dict-item] entries stay */");
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    fs::write(&policy, "extends: pep703\nrules: {borrowed-dict-item: off}\n").unwrap();
    let contradicted = |(_, out): (i32, String)| out.contains("declared-but-contradicted");
    assert!(contradicted(check(&plain, &[])));
    assert!(contradicted(check(&plain, &["--select", "declared-but-contradicted"])));
    assert!(contradicted(check(&allowed, &["--no-suppressions"])));
    assert!(!contradicted(check(&allowed, &[])));
    assert!(!contradicted(check(&plain, &["--ignore", "borrowed-dict-item"])));
    assert!(!contradicted(check(&plain, &["--policy", policy.to_str().unwrap()])));
}

#[test]
fn a_source_distribution_has_a_row_for_every_module_that_it_would_build() {
    let declares = "#include <Python.h>\n\nstatic PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};\n\
                    static PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = \"_fast\", .m_slots = slots};\n\n\
                    PyMODINIT_FUNC\nPyInit__fast(void)\n{\n    return PyModuleDef_Init(&module);\n}\n";
    let says_nothing = declares.replace("{Py_mod_gil, Py_MOD_GIL_NOT_USED}, ", "").replace("_fast", "_slow");
    let setup = "from setuptools import Extension, setup\n\nsetup(ext_modules=[Extension('pkg._fast', ['fast.c']), \
                 Extension('pkg._slow', ['slow.c'])])\n";
    let members: [(&str, &[u8]); 4] = [
        ("pkg-1.0/PKG-INFO", b"Metadata-Version: 2.4\nName: pkg\nVersion: 1.0\n"),
        ("pkg-1.0/setup.py", setup.as_bytes()),
        ("pkg-1.0/fast.c", declares.as_bytes()),
        ("pkg-1.0/slow.c", says_nothing.as_bytes()),
    ];
    let folder = tempfile::tempdir().unwrap();
    let sdist = put(folder.path(), "pkg-1.0.zip", zip(&members));
    let report = check_json("", &[&sdist]).exits(0).json();
    let rows: Vec<(&str, &str, &str)> = report["extensions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let text = |value: &'static str| row.pointer(value).unwrap().as_str().unwrap();
            (text("/module"), text("/format"), text("/declaration/status"))
        })
        .collect();
    assert_eq!(rows, [("pkg._fast", "source", "not-used"), ("pkg._slow", "source", "undeclared")]);
    assert_eq!(report["extensions"][0]["distribution"]["name"], "pkg");
    assert_eq!(report["environments"].as_array().unwrap().len(), 0, "nothing is built yet");
    let refused = check_json("--policy nogil", &[&sdist]).exits(1).json();
    assert_eq!(refused["extensions"][1]["decision"]["action"], "refuse");
}

#[test]
fn a_frozen_container_is_not_reported() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    fs::write(&policy, "extends: pep703\nfrozen: [\"li*\"]\n").unwrap();
    let (code, out) = check(&CODE.replace("COMMENT", ""), &["--policy", policy.to_str().unwrap()]);
    assert_eq!(code, 0, "{out}");
}

#[test]
fn hostile_text_is_survived() {
    let deep =
        format!("#include <Python.h>\nint f(void) {{ return {}1{}; }}\n", "(".repeat(20_000), ")".repeat(20_000));
    let unclosed = "#include <Python.h>\n#if 1\n#define A(x) A(x) A(x)\nvoid f(void) { A(A(A(1))) /* \"";
    for code in [deep.as_str(), unclosed, "#include <Python.h>\n\u{0}{{{{((((#else #endif '"] {
        let (code, out) = check(code, &[]);
        assert!(matches!(code, 0 | 2), "{code:?} {out}");
    }
}

#[test]
fn sources_that_were_not_judged_are_not_clean() {
    let code = CODE.replace("COMMENT", "") + "PyMODINIT_FUNC PyInit_spam(void) { return PyModuleDef_Init(&def); }\n";
    let wide: Vec<u8> = code.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let long = format!("{code}/*{}*/", "0".repeat(9_000_000)).into_bytes();
    let broken = code.replacen('\n', "\nint a[] = { ( ;\n", 1).into_bytes();
    for (text, stage, why) in
        [(long, "limits", "8388608"), (broken, "parse", "% of it could be parsed"), (wide, "parse", "UTF-16")]
    {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "spam.c", &text);
        put(folder.path(), "tests/eggs.c", &text);
        let report = check_json("--no-progress", &[folder.path()]).exits(2).json();
        let problems: Vec<_> = report["problems"].as_array().unwrap().iter().collect();
        let unread: Vec<_> = problems.iter().filter(|it| it["unread"] == true).collect();
        assert_eq!((problems.len(), unread.len()), (2, 1), "{problems:#?}");
        assert_eq!(unread[0]["stage"], stage);
        assert!(unread[0]["error"].as_str().unwrap().contains(why), "{problems:#?}");
        let modules = report["extensions"].as_array().unwrap();
        assert_eq!(modules.len(), 1, "{modules:#?}");
        assert_eq!(modules[0]["declaration"]["status"], "unknown", "{modules:#?}");
        assert!(modules[0]["declaration"]["reason"].as_str().unwrap().contains("was not judged"), "{modules:#?}");
    }
}

#[test]
fn the_report_is_the_same_for_any_number_of_jobs() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..40 {
        let code = CODE.replace("COMMENT", "").replace("first", &format!("first{number}"));
        put(folder.path(), &format!("spam{number}.c"), code.as_bytes());
        let python = format!(
            "import threading\nx = 0\ndef f{number}():\n    global x\n    x += 1\nthreading.Thread(target=f{number}).start()\n"
        );
        put(folder.path(), &format!("eggs{number}.py"), python.as_bytes());
        put(
            folder.path(),
            &format!("ham{number}.pyx"),
            b"cdef class C:\n    cdef int n\n    def f(self):\n        self.n += 1\n",
        );
    }
    let report = |jobs: &str| {
        let path = folder.path().to_str().unwrap();
        run(["check", path, "--no-progress", "--format", "json", "--min-confidence", "low", "--jobs", jobs].to_vec())
            .stdout
    };
    let one = report("1");
    assert!(one.contains("borrowed-list-item") && one.contains("global-augassign") && one.contains("ham0.pyx"));
    assert_eq!(one, report("2"));
    assert_eq!(one, report("7"));
}
