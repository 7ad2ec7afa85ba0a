//! What people see: typical runs at 80 and 160 columns, with and without colour, as files of `tests/terminal/` to look at.
//!
//! `UPDATE=1 cargo test` writes them anew. An escape character is shown as `␛`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{command, finish, folder, put, root, wheel};
use crate::decisions::fixture;

/// The places that the runs are about, below one folder: see `lay_out`.
const RUNS: [(&str, &str); 14] = [
    ("wheel_enables_gil", "check dist/ours-1.0-cp314-cp314t-manylinux_2_28_x86_64.whl"),
    ("wheel_runs_free", "check dist/free-1.0-cp314-cp314t-manylinux_2_28_x86_64.whl"),
    ("imports_of_a_script", "check site --entry app.py"),
    ("sources", "check src"),
    ("sources_and_what_is_known", "check src --baseline known.json"),
    ("refused_by_a_policy", "check dist --policy nogil"),
    ("wrong_abi_verbose", "check abi3_multi.abi3.so --verbose"),
    ("inputs_that_were_not_read", "check broken dist/nothing.whl"),
    ("nothing_recognised", "check empty"),
    ("an_environment_with_the_gil", "check env"),
    ("a_wheel_without_extensions", "check dist/pure-1.0-py3-none-any.whl"),
    ("a_policy_with_mistakes", "policy check ours.yaml"),
    (
        "difference",
        "diff dist/free-1.0-cp314-cp314t-manylinux_2_28_x86_64.whl dist/ours-1.0-cp314-cp314t-manylinux_2_28_x86_64.whl",
    ),
    ("imports_stay_free", "check free --import free"),
];

const BORROWED: &str = "\
#include <Python.h>

static PyObject *cache;

PyObject *
first(PyObject *self, PyObject *list)
{
\tPyObject *item = PyList_GetItem(list, 0);
\tif (item == NULL) {
\t\treturn NULL;
\t}
\tPy_INCREF(item);
\treturn item;
}

PyObject *
both(PyObject *self, PyObject *a, PyObject *b)
{
    Py_BEGIN_CRITICAL_SECTION(a);
    Py_BEGIN_CRITICAL_SECTION(b);
    PyList_Append(a, b);
    Py_END_CRITICAL_SECTION();
    Py_END_CRITICAL_SECTION();
    Py_RETURN_NONE;
}
";

fn lay_out(here: &Path) {
    let (used_name, used) = fixture("mp_used");
    let (plain_name, plain) = fixture("sp_plain");
    let (free_name, free) = fixture("mp_declared");
    let (abi3_name, abi3) = fixture("abi3_multi");
    let members = [(used_name.as_str(), used.as_slice()), (plain_name.as_str(), &plain), (free_name.as_str(), &free)];
    let dist = here.join("dist");
    wheel(&dist, "ours-1.0-cp314-cp314t-manylinux_2_28_x86_64.whl", &members);
    wheel(&dist, "free-1.0-cp314-cp314t-manylinux_2_28_x86_64.whl", &[(free_name.as_str(), &free)]);
    put(here, &format!("site/{used_name}"), &used);
    put(here, &format!("site/{plain_name}"), &plain);
    put(here, &format!("free/{free_name}"), &free);
    put(here, "free/free.py", "import mp_declared\n");
    put(here, "site/helper.py", "import mp_used\n");
    put(here, "app.py", "import os\n\nimport helper\n\ndef later():\n    import sp_plain\n");
    put(here, "src/pair.c", BORROWED);
    put(here, &abi3_name, abi3);
    put(here, "broken/text.so", "no module");
    put(
        here,
        "broken/cut-1.0-cp314-cp314t-manylinux_2_28_x86_64.whl",
        &fs::read(dist.join("ours-1.0-cp314-cp314t-manylinux_2_28_x86_64.whl")).unwrap()[..1_000],
    );
    fs::create_dir(here.join("empty")).unwrap();
    wheel(&dist, "pure-1.0-py3-none-any.whl", &[("pure.py", b"")]);
    let gil_only = "gil_layout.cpython-314-x86_64-linux-gnu.so";
    let bytes = fs::read(root().join("fixtures/binaries/gil_layout/elf-x86_64").join(gil_only)).unwrap();
    put(here, "env/pyvenv.cfg", "home = /usr/bin\nversion = 3.14.2\n");
    put(here, &format!("env/lib/python3.14/site-packages/{gil_only}"), bytes);
    put(
        here,
        "ours.yaml",
        "extends: nogill\ntargets: '>=3.14t'\nexeptions:\n- match: {module: a}\nrules:\n  enable-gil: loud\n",
    );
    finish(command(["check", "src", "--write-baseline", "known.json"]).current_dir(here)).exits(0);
    put(here, "src/pair.c", format!("{BORROWED}\n{}", BORROWED.replace("first", "second").replace("both", "pair")));
}

fn shown(run: &mut Command) -> String {
    let ran = finish(run);
    let mut text = ran.stdout;
    if !ran.stderr.is_empty() {
        text.push_str(&format!("--- standard error\n{}", ran.stderr));
    }
    text.push_str(&format!("--- exit code {}\n", ran.code));
    text.replace('\u{1b}', "␛")
}

#[test]
fn typical_runs_look_as_they_should() {
    let here = folder();
    lay_out(here.path());
    fs::create_dir_all(root().join("tests/terminal")).unwrap();
    for (name, words) in RUNS {
        let mut all = format!("$ gilaudit {words}\n");
        for (columns, colour) in [("80", "never"), ("160", "never"), ("80", "always"), ("160", "always")] {
            let mut run = command(words.split_whitespace());
            run.args(["--color", colour]).env("COLUMNS", columns).current_dir(here.path());
            all.push_str(&format!("\n=== {columns} columns, colour {colour}\n{}", shown(&mut run)));
        }
        let path = root().join(format!("tests/terminal/{name}.txt"));
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &all).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(all, kept, "{name}: run UPDATE=1 cargo test and review the difference");
        // Only words that cannot be broken and lines of source are longer than the terminal.
        let plain = all.split("\n=== ").nth(1).unwrap();
        let long: Vec<&str> =
            plain.lines().filter(|line| line.chars().count() > 80 && line.trim().contains(' ')).collect();
        let has_long_word = |line: &&str| line.split_whitespace().any(|word| word.chars().count() > 40);
        assert!(long.iter().all(has_long_word), "{name}: {long:#?}");
    }
}

#[test]
fn links_only_where_they_are_wanted() {
    let here = folder();
    put(here.path(), "src/pair.c", BORROWED);
    let linked = |words: &[&str], force: Option<&str>| {
        let mut run = command(["check", "src"]);
        run.args(words).current_dir(here.path());
        if let Some(value) = force {
            run.env("FORCE_HYPERLINK", value);
        }
        let out = finish(&mut run).exits(1).stdout;
        (out.contains("\u{1b}]8;;file:///"), out.contains("borrowed_list_item.md\u{1b}\\borrowed-list-item\u{1b}]8;;"))
    };
    assert_eq!(linked(&["--color", "always"], None), (false, false));
    assert_eq!(linked(&["--color", "always"], Some("1")), (true, true));
    // What strips colours strips links, too.
    assert_eq!(linked(&["--color", "never"], Some("1")), (false, false));
}

/// Names come from strangers: none of them may reach a terminal as an order, or a log as a line of its own.
#[test]
fn names_give_the_terminal_no_orders() {
    let here = folder();
    let (name, used) = fixture("mp_used");
    let hostile = format!("a\u{1b}]0;owned\u{7}\u{1b}[2J\n::error::x/{name}");
    wheel(
        here.path(),
        "ours-1.0-cp314-cp314t-manylinux_2_28_x86_64.whl",
        &[(&hostile, &used), ("b\u{1b}[2J.so", b"no")],
    );
    for words in
        ["", "--verbose", "--import-all", "--policy nogil", "--format github", "--format markdown", "--format junit"]
    {
        let mut run = command(["check", ".", "--color", "always"]);
        let out = finish(run.args(words.split_whitespace()).current_dir(here.path())).stdout;
        assert!(out.contains("mp_used"), "{words}: {out}");
        for order in ["\u{1b}]0", "\u{7}", "\u{1b}[2J", "\n::error::x"] {
            assert!(!out.contains(order), "{words}: {order:?} in {out:?}");
        }
    }
}
