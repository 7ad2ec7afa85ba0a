//! What a person is told who made a mistake, or whose question has no answer in what was given; completions and manual pages.

use crate::common::{command, finish, folder, put, run, wheel};
use crate::decisions::fixture;

#[test]
fn misspelt_paths_are_suggested() {
    let here = folder();
    let (name, bytes) = fixture("mp_declared");
    let file = "ours-1.0-cp314-cp314t-manylinux_2_28_x86_64.whl";
    wheel(here.path(), &format!("dist/{file}"), &[(&name, &bytes)]);
    put(here.path(), "policy.yaml", "extends: nogil\n");
    put(here.path(), "app.py", "import os\n");
    let told = |words: &[&str]| {
        let ran = finish(command(words).current_dir(here.path())).exits(2);
        // Words stand on one line each, wherever the report breaks its own.
        format!("{} {}", ran.stdout, ran.stderr).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert!(
        told(&["check", "dist/ours-1.0-cp314-cp314-manylinux_2_28_x86_64.whl"])
            .contains(&format!("did you mean 'dist/{file}'?"))
    );
    assert!(told(&["check", "dst"]).contains("did you mean 'dist'?"));
    assert!(told(&["check", "numpy"]).contains("a distribution is named 'pypi:numpy'"));
    assert!(told(&["check", "dist", "--policy", "polciy.yaml"]).contains("did you mean 'policy.yaml'?"));
    assert!(told(&["policy", "check", "policy.yml"]).contains("did you mean 'policy.yaml'?"));
    assert!(told(&["check", "dist", "--baseline", "polic.yaml"]).contains("did you mean 'policy.yaml'?"));
    assert!(told(&["check", "dist", "--entry", "ap.py"]).contains("did you mean './app.py'?"));
    assert!(!told(&["check", "missing.whl"]).contains("did you mean"));
}

#[test]
fn misspelt_words_are_suggested() {
    for (words, meant) in [
        (["check", "--select", "borowed-list-item"], "'borrowed-list-item'"),
        (["check", "--policy", "nogli"], "'nogil'"),
        (["check", "--format", "srif"], "'sarif'"),
        (["explain", "--colour", "x"], "'--color'"),
        (["policy", "shwo", "x"], "'show'"),
        (["man", "policy", "inti"], "'init'"),
    ] {
        let told = run(words).exits(2).stderr;
        assert!(told.contains(meant), "{words:?}: {told}");
    }
}

#[test]
fn a_question_without_an_answer_says_what_was_looked_for() {
    let here = folder();
    std::fs::create_dir(here.path().join("empty")).unwrap();
    let (other, bytes) = fixture("plain_library");
    wheel(here.path(), "ours-1.0-py3-none-any.whl", &[("ours.py", b""), (&other, &bytes)]);
    let (gil_only, bytes) = fixture_of_gil_build();
    put(here.path(), "env/pyvenv.cfg", "home = /usr/bin\nversion = 3.14.2\n");
    put(here.path(), &format!("env/lib/python3.14/site-packages/{gil_only}"), &bytes);
    let told = |words: &str, code: i32| {
        let out = finish(command(["check"]).args(words.split_whitespace()).current_dir(here.path())).exits(code).stdout;
        out.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let empty = told("empty", 3);
    assert!(
        empty.starts_with("Nothing auditable was recognised")
            && empty.contains("looked for wheels")
            && empty.contains("try a wheel")
    );
    let wheel = told("ours-1.0-py3-none-any.whl", 0);
    assert!(wheel.contains("looked for files named .so") && wheel.contains("1 other library has none"), "{wheel}");
    let environment = told("env", 0);
    assert!(environment.contains("3.14 always has it") && environment.contains("--python 3.14t"), "{environment}");
    let other_build = told("env --python 3.14t", 2);
    assert!(
        other_build.contains("cannot import gil_layout") && other_build.contains("is for 3.14t: wrong environment?"),
        "{other_build}"
    );
    let site = told("env/lib/python3.14/site-packages --python 3.14t", 0);
    assert!(site.contains("cannot import gil_layout") && site.contains("pypi:NAME finds it"), "{site}");
}

/// A module for the build with the GIL.
fn fixture_of_gil_build() -> (String, Vec<u8>) {
    let name = "gil_layout.cpython-314-x86_64-linux-gnu.so";
    let path = crate::common::root().join("fixtures/binaries/gil_layout/elf-x86_64").join(name);
    (name.to_owned(), std::fs::read(path).unwrap())
}

#[test]
fn completions_and_manual_pages() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(["completions", shell]).exits(0).stdout;
        assert!(script.contains("gilaudit") && script.contains("write-baseline"), "{shell}");
    }
    let page = run(["man"]).exits(0).stdout;
    assert!(page.contains(".TH gilaudit 1") && page.contains("check"), "{page}");
    let page = run(["man", "policy", "init"]).exits(0).stdout;
    assert!(page.contains(".SH SYNOPSIS") && page.contains("init"), "{page}");
    assert!(run(["man", "check"]).exits(0).stdout.contains("baseline"));
}
