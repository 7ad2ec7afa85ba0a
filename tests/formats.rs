//! The formats for other programs, and what is known from run to run, on real inputs.

use std::path::Path;

use serde_json::Value;

use crate::common::{command, finish, folder, put, root};
use crate::decisions::fixture;

const BORROWED: &str = "\
#include <Python.h>

static PyObject *first(PyObject *self, PyObject *list)
{
    PyObject *item = PyList_GetItem(list, 0);
    Py_XINCREF(item);
    return item;
}
";

const UNDECLARED: &str = "
static PyMethodDef methods[] = {{\"first\", first, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = \"x\", .m_methods = methods};
PyMODINIT_FUNC PyInit_x(void) { return PyModule_Create(&module); }
";

/// A folder with a module that turns the GIL on, a file that is no module, and a source file with a finding.
fn project() -> tempfile::TempDir {
    let here = folder();
    let (name, used) = fixture("mp_used");
    put(here.path(), &format!("built/{name}"), used);
    put(here.path(), "src/x.c", BORROWED);
    here
}

#[track_caller]
fn check(here: &Path, words: &str, code: i32) -> String {
    let words = words.split_whitespace();
    finish(command(["check", "."]).args(words).current_dir(here)).exits(code).stdout
}

#[test]
fn every_format_has_every_finding() {
    let here = project();
    put(here.path(), "built/text.so", "no module");
    for format in ["text", "json", "jsonl", "sarif", "github", "markdown", "html", "junit"] {
        let out = check(here.path(), &format!("--format {format}"), 2);
        for part in ["borrowed-list-item", "enables-gil", "mp_used", "src/x.c", "text.so"] {
            assert!(out.contains(part), "{format} does not say {part}:\n{out}");
        }
        assert!(!out.contains('\u{1b}'), "{format} has colours");
    }
}

#[test]
fn sarif_of_real_runs_fits_the_official_schema() {
    let schema = std::fs::read_to_string(root().join("tests/data/sarif-schema-2.1.0.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let here = project();
    put(here.path(), "built/text.so", "no module");
    put(here.path(), "bad.yaml", "exeptions: []\n");
    for (words, code) in [
        ("", 2),
        ("--policy nogil", 2),
        ("--policy bad.yaml", 2),
        ("--write-baseline known.json", 2),
        ("--select wrong-abi", 2),
    ] {
        let log: Value = serde_json::from_str(&check(here.path(), &format!("--format sarif {words}"), code)).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&log).map(|error| format!("{words}: {error} at {}", error.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new());
        for result in log["runs"][0]["results"].as_array().unwrap() {
            let rule = result["ruleIndex"].as_u64().unwrap() as usize;
            assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
            let location = &result["locations"][0]["physicalLocation"]["artifactLocation"];
            let index = location["index"].as_u64().unwrap() as usize;
            assert_eq!(log["runs"][0]["artifacts"][index]["location"]["uri"], location["uri"]);
        }
    }
}

/// Every rule's fixtures, whatever language they are in, and a binary.
#[test]
fn sarif_of_every_rule_fits_the_official_schema() {
    let schema = std::fs::read_to_string(root().join("tests/data/sarif-schema-2.1.0.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let here = folder();
    let (name, used) = fixture("mp_used");
    let binary = put(here.path(), &name, used);
    let words = "check fixtures/rules --format sarif --min-severity note --min-confidence low".split_whitespace();
    let log = finish(command(words).arg(binary).current_dir(root())).exits(1).stdout;
    let log: Value = serde_json::from_str(&log).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&log).map(|error| format!("{error} at {}", error.instance_path())).collect();
    assert_eq!(errors, Vec::<String>::new());
    let results = log["runs"][0]["results"].as_array().unwrap();
    let files: Vec<&str> = results
        .iter()
        .map(|result| result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap())
        .collect();
    for suffix in [".c", ".cpp", ".pyx", ".rs", ".py", "Cargo.toml", "pyproject.toml", "CMakeLists.txt", ".so"] {
        assert!(files.iter().any(|file| file.ends_with(suffix)), "no result in a {suffix} file");
    }
    // Two results in one place are two findings: their fingerprints differ.
    let mut prints: Vec<(&str, &str)> = results
        .iter()
        .zip(files)
        .map(|(result, file)| (file, result["partialFingerprints"]["gilaudit/v1"].as_str().unwrap()))
        .collect();
    let all = prints.len();
    prints.sort_unstable();
    prints.dedup();
    assert_eq!(prints.len(), all);
}

#[test]
fn a_baseline_fails_for_news_only() {
    let here = project();
    check(here.path(), "", 1);
    check(here.path(), "--write-baseline known.json", 0);
    check(here.path(), "--baseline known.json", 0);
    // Lines that move are no news.
    put(here.path(), "src/x.c", format!("/* a comment */\n\n{}", BORROWED.replace("    PyObject", "\tPyObject")));
    let out = check(here.path(), "--baseline known.json --fail-on warning", 0);
    assert!(!out.contains("error[") && out.contains("2 known"), "{out}");
    // The same mistake once more is.
    put(here.path(), "src/x.c", format!("{BORROWED}{}", BORROWED.replace("first", "second")));
    let out = check(here.path(), "--baseline known.json", 1);
    assert!(out.contains("in second") && !out.contains("in first"), "{out}");
    // What is repaired is said to be stale, and fails nothing.
    put(
        here.path(),
        "src/x.c",
        BORROWED.replace("PyList_GetItem", "PyList_GetItemRef").replace("    Py_XINCREF(item);\n", ""),
    );
    let out = check(here.path(), "--baseline known.json", 0);
    assert!(out.contains("1 entry of known.json not found any more"), "{out}");
    let report: Value = serde_json::from_str(&check(here.path(), "--baseline known.json --format json", 0)).unwrap();
    assert_eq!(report["baseline"]["stale"][0]["rule"], "borrowed-list-item");
    assert_eq!(report["findings"][0]["baseline"], "known");
}

#[test]
fn a_checkout_elsewhere_is_no_news() {
    let (one, two) = (project(), project());
    check(one.path(), "--write-baseline known.json", 0);
    std::fs::copy(one.path().join("known.json"), two.path().join("known.json")).unwrap();
    let here = two.path().canonicalize().unwrap();
    finish(command(["check", "--baseline", "known.json"]).arg(&here).current_dir(&here)).exits(0);
    let out = finish(command(["check", "--format", "github"]).arg(&here).current_dir(&here)).exits(1).stdout;
    assert!(out.contains(",file=src/x.c,"), "{out}");
}

#[test]
fn what_is_left_to_do_fails_nothing_and_says_so() {
    let here = folder();
    put(here.path(), "x.c", format!("{BORROWED}{UNDECLARED}"));
    let text = check(here.path(), "", 0);
    assert!(text.contains("what is left to do before the module can declare"), "{text}");
    assert!(!check(here.path(), "--format github", 0).contains("::error"));
    assert!(check(here.path(), "--format junit", 0).contains("failures=\"0\""));
}

#[test]
fn a_baseline_knows_refusals_too() {
    let here = project();
    check(here.path(), "--policy nogil --write-baseline known.json", 0);
    check(here.path(), "--policy nogil --baseline known.json", 0);
    let (name, undeclared) = fixture("sp_plain");
    put(here.path(), &format!("built/{name}"), undeclared);
    check(here.path(), "--policy nogil --baseline known.json", 1);
}

#[test]
fn a_baseline_that_cannot_be_read_is_an_error() {
    let here = project();
    put(here.path(), "other.json", "{}");
    for file in ["missing.json", "other.json", "src/x.c"] {
        let ran = finish(command(["check", ".", "--baseline", file]).current_dir(here.path())).exits(2);
        assert!(
            ran.stderr.contains(&format!("baseline {file}: ")) && ran.stderr.contains("--write-baseline"),
            "{}",
            ran.stderr
        );
    }
}
