//! `gilaudit check` on source files and trees.

use std::fs;

use crate::common::run;

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
