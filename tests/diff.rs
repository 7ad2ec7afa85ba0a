//! `gilaudit diff`: wheels, folders and saved reports.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{Ran, command, finish, folder, put, wheel};
use crate::decisions::fixture;

fn diff(words: &str, old: &Path, new: &Path) -> Ran {
    finish(command(["diff"]).args(words.split_whitespace()).args([old, new]))
}

/// A wheel of this version with the fixture's module in it.
fn with(folder: &Path, version: &str, case: &str) -> PathBuf {
    let (name, bytes) = fixture(case);
    let file_name = format!("ours-{version}-cp314-cp314t-manylinux_2_28_x86_64.whl");
    wheel(folder, &file_name, &[(name.as_str(), bytes.as_slice())])
}

#[test]
fn a_module_that_is_the_same_in_two_versions_is_no_difference() {
    let here = folder();
    let (old, new) = (with(here.path(), "1.0", "mp_declared"), with(here.path(), "2.0", "mp_declared"));
    let out = diff("", &old, &new).exits(0).stdout;
    assert_eq!(out, "0 declarations lost, 0 gained; 0 findings new, 0 gone; 1 module and 0 findings\n  unchanged\n");
}

/// Two states of a project: one module less, and a mistake more.
fn two_folders() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let here = folder();
    let (name, declared) = fixture("sp_setgil1");
    let (other, plain) = fixture("sp_plain");
    put(here.path(), &format!("a/{name}"), declared);
    put(here.path(), &format!("a/{other}"), &plain);
    put(here.path(), &format!("b/{other}"), &plain);
    put(here.path(), "a/x.c", SAFE);
    put(here.path(), "b/x.c", BORROWED);
    let (a, b) = (here.path().join("a"), here.path().join("b"));
    (here, a, b)
}

const SAFE: &str = "#include <Python.h>\n";
const BORROWED: &str = "\
#include <Python.h>
PyObject *first(PyObject *self, PyObject *list)
{
    PyObject *item = PyList_GetItem(list, 0);
    Py_XINCREF(item);
    return item;
}
";

#[test]
fn modules_and_findings_that_come_and_go() {
    let (_here, a, b) = two_folders();
    let there = diff("", &a, &b).exits(0).stdout;
    for part in ["modules gone: 1", "sp_setgil1 on elf-x86_64", "findings new: 1", "borrowed-list-item", "x.c:4: "] {
        assert!(there.contains(part), "{part}\n{there}");
    }
    let back: Value = serde_json::from_str(&diff("--format json", &b, &a).exits(0).stdout).unwrap();
    assert_eq!(back["schema"], "gilaudit-diff/1");
    crate::contract::fits("diff-v1.schema.json", &back);
    assert_eq!(back["findings"]["gone"][0]["rule"], "borrowed-list-item");
    assert_eq!(
        (&back["modules"]["added"][0]["module"], &back["modules"]["unchanged"]),
        (&"sp_setgil1".into(), &1.into())
    );
}

#[test]
fn a_lost_declaration_fails() {
    let here = folder();
    let (name, declared) = fixture("mp_declared");
    let file = put(here.path(), &name, declared);
    let saved = here.path().join("old.json");
    finish(command(["check", "--format", "json", "--output"]).arg(&saved).arg(&file)).exits(0);
    let text = std::fs::read_to_string(&saved).unwrap();
    // What the same module would say without its slot.
    let lost = put(
        here.path(),
        "new.json",
        text.replace("\"not-used\"", "\"undeclared\"").replace("\"runs-free\"", "\"enables-gil\""),
    );
    let out = diff("", &saved, &lost).exits(1).stdout;
    assert!(
        out.contains("declarations lost: 1") && out.contains("not-used, runs-free → undeclared, enables-gil"),
        "{out}"
    );
    let out = diff("", &lost, &file).exits(0).stdout;
    assert!(out.contains("declarations gained: 1"), "{out}");
}

#[test]
fn what_cannot_be_compared_is_an_error() {
    let here = folder();
    let (name, declared) = fixture("mp_declared");
    let file = put(here.path(), &name, declared);
    let other = put(here.path(), "other.json", "{}");
    assert!(diff("", &other, &file).exits(2).stderr.contains("not a report of gilaudit"));
    assert!(diff("", &here.path().join("missing.json"), &file).exits(2).stderr.contains("missing.json"));
    assert!(diff("", &file, &here.path().join("missing.whl")).exits(2).stdout.contains("not read: 1"));
    std::fs::create_dir(here.path().join("empty")).unwrap();
    assert!(diff("", &file, &here.path().join("empty")).exits(2).stderr.contains("nothing auditable"));
}

#[test]
fn a_saved_report_sets_the_target() {
    let here = folder();
    let (name, declared) = fixture("mp_declared");
    let file = put(here.path(), &name, declared);
    let saved = here.path().join("old.json");
    finish(command(["check", "--python", "3.15t", "--format", "json", "--output"]).arg(&saved).arg(&file)).exits(0);
    let same = diff("", &saved, &file).exits(0).stdout;
    assert!(!same.contains("note") && same.contains("1 module and"), "{same}");
    let other = diff("--python 3.14t", &saved, &file).exits(0).stdout;
    assert!(other.contains("the old report is about 3.15t"), "{other}");
}
