//! Usage errors, exit codes, what goes to which stream.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use crate::common::{check_json, command, finish, folder, put, root, run, wheel};

#[test]
fn help_and_version_are_no_errors() {
    assert!(run(["--help"]).exits(0).stdout.contains("gilaudit"));
    assert!(run(["check", "--help"]).exits(0).stdout.contains("Exit codes"));
    assert_eq!(run(["--version"]).exits(0).stdout, format!("gilaudit {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn usage_errors_exit_2_and_suggest() {
    assert!(run(["chekc"]).exits(2).stderr.contains("'check'"));
    assert!(run(["check", "--formt", "json"]).exits(2).stderr.contains("'--format'"));
    assert!(run(["check", "--format", "jason"]).exits(2).stderr.contains("json"));
    assert!(run(["check", "--python", "3.12t"]).exits(2).stderr.contains("known are 3.13, 3.13t"));
    assert!(run(["check", "--gil", "off"]).exits(2).stderr.contains("CPython accepts 0 and 1"));
    assert!(run(["check", "--quiet", "--verbose"]).exits(2).stdout.is_empty());
    assert!(run(["check", "--select", "enable-gil"]).exits(2).stderr.contains("did you mean 'enables-gil'?"));
    assert!(run(["check", "--policy", "no-gil", "."]).exits(2).stderr.contains("did you mean 'nogil'?"));
    assert!(run(["check", "pypi:-r"]).exits(2).stderr.contains("not the name of a distribution"));
    assert!(run(["explain", "wrong-api"]).exits(2).stderr.contains("did you mean 'wrong-abi'?"));
    assert!(run(["policy", "show", "pep730"]).exits(2).stderr.contains("did you mean 'pep703'?"));
}

#[test]
fn a_gil_build_cannot_turn_the_gil_off() {
    let ran = run(["check", "--python", "3.14", "--gil", "0", "."]).exits(2);
    assert!(ran.stderr.contains("Disabling the GIL is not supported by this build"));
    assert!(ran.stderr.contains("hint: --python 3.14t"));
}

#[test]
fn json_comes_with_every_exit_code() {
    let here = folder();
    let pure = wheel(here.path(), "pure-1.0-py3-none-any.whl", &[("pure.py", b"")]);
    let empty = here.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for (code, words, path) in [
        (0, "", pure.as_path()),
        (3, "", &empty),
        (2, "", &here.path().join("missing.whl")),
        (2, "--select nonsense", &pure),
        (2, "--policy nonsense", &pure),
        (2, "--python 3.14 --gil 0", &pure),
    ] {
        let report = check_json(words, &[path]).exits(code).json();
        assert_eq!(report["schema"], "gilaudit-report/1", "{words}");
        let problems = report["problems"].as_array().unwrap();
        assert_eq!(problems.iter().any(|problem| problem["unread"] == true), code == 2, "{words}: {problems:?}");
    }
}

#[test]
fn a_policy_in_pyproject_toml() {
    let here = folder();
    let project = "[project]\nname = 'x'\n";
    let file = put(here.path(), "pyproject.toml", project);
    let inner = here.path().join("src");
    put(&inner, "a.py", "");
    let policy_of = |folder: &Path| {
        let ran = finish(command(["check", "--format", "json", "."]).current_dir(folder)).exits(0).json();
        ran["policy"]["name"].as_str().unwrap().to_owned()
    };
    assert_eq!(policy_of(here.path()), "pep703");
    let path = file.to_str().unwrap();
    assert!(run(["policy", "check", path]).exits(2).stderr.contains("no table [tool.gilaudit]"));

    put(here.path(), "pyproject.toml", format!("{project}[tool.gilaudit]\nextends = 'nogil'\nfail-on = 'note'\n"));
    assert_eq!(policy_of(here.path()), "pyproject.toml");
    assert_eq!(policy_of(&inner), path);
    run(["policy", "check", path]).exits(0);
    let resolved = run(["policy", "show", path, "--resolved"]).exits(0).stdout;
    assert!(resolved.contains("fail-on: note") && resolved.contains("undeclared"), "{resolved}");
    // What is audited has no say.
    let asked = finish(command(["check", "--format", "json", here.path().to_str().unwrap()]).current_dir("/")).json();
    assert_eq!(asked["policy"]["name"], "pep703");

    put(here.path(), "pyproject.toml", format!("{project}[tool.gilaudit]\nextends = 'nogill'\nexeptions = []\n"));
    let ran = finish(command(["check", "."]).current_dir(&inner)).exits(2);
    assert!(ran.stderr.contains("pyproject.toml:4") && ran.stderr.contains("pyproject.toml:5"), "{}", ran.stderr);
}

#[test]
fn a_policy_file_with_mistakes_shows_all_of_them_with_places() {
    let here = folder();
    let policy = put(here.path(), "ours.yaml", "extends: pep704\nexeptions: []\n");
    let path = policy.to_str().unwrap();
    let ran = run(["check", "--policy", path, "."]).exits(2);
    assert!(ran.stdout.is_empty());
    assert!(ran.stderr.contains(&format!("{path}:1:")) && ran.stderr.contains(&format!("{path}:2:")), "{}", ran.stderr);
    let report = check_json(&format!("--policy {path}"), &[root()]).exits(2).json();
    assert_eq!(report["policy"]["diagnostics"].as_array().unwrap().len(), 2);
}

#[test]
fn data_goes_to_stdout_and_notes_to_stderr() {
    let here = folder();
    let pure = wheel(here.path(), "pure-1.0-py3-none-any.whl", &[("pure.py", b"")]);
    let ran = finish(command(["check"]).arg(&pure).env("PYTHON_GIL", "0").env("PYTHONGIL", "0")).exits(0);
    assert!(ran.stderr.contains("PYTHON_GIL=0 of this environment is not taken over"));
    assert!(ran.stderr.contains("CPython ignores it: the variable is PYTHON_GIL"));
    assert!(!ran.stdout.contains("PYTHON_GIL"));
    let quiet = finish(command(["check", "--quiet"]).arg(&pure).env("PYTHON_GIL", "0")).exits(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn colours_only_where_wanted() {
    let here = folder();
    let pure = wheel(here.path(), "pure-1.0-py3-none-any.whl", &[("pure.py", b"")]);
    let coloured = |words: &[&str], name: &str| {
        finish(command(["check"]).args(words).arg(&pure).env(name, "1")).exits(0).stdout.contains('\u{1b}')
    };
    assert!(!coloured(&[], "UNRELATED"));
    assert!(coloured(&["--color", "always"], "UNRELATED"));
    assert!(!coloured(&["--color", "never"], "CLICOLOR_FORCE"));
    assert!(!coloured(&[], "NO_COLOR"));
}

#[test]
fn output_goes_to_a_file_when_asked() {
    let here = folder();
    let pure = wheel(here.path(), "pure-1.0-py3-none-any.whl", &[("pure.py", b"")]);
    let file = here.path().join("report.json");
    let ran = finish(command(["check", "--format", "json", "--output"]).arg(&file).arg(&pure)).exits(0);
    assert!(ran.stdout.is_empty());
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text, check_json("", &[&pure]).stdout);
    let missing = here.path().join("missing/report.json");
    assert!(finish(command(["check", "--output"]).arg(&missing).arg(&pure)).exits(2).stderr.contains("report.json"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = command(["explain", "enables-gil"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn rules_and_policies_are_listed_and_shown() {
    let rules = run(["rules"]).exits(0).stdout;
    assert!(rules.contains("enables-gil") && rules.contains("wrong-abi"));
    for line in rules.lines() {
        let id = line.split_whitespace().next().unwrap();
        assert!(run(["explain", id]).exits(0).stdout.starts_with(&format!("# {id}\n")));
    }
    let policies = run(["policy", "list"]).exits(0).stdout;
    assert!(policies.starts_with("pep703"));
    for line in policies.lines() {
        let name = line.split_whitespace().next().unwrap();
        let file = std::fs::read_to_string(root().join(format!("policies/{name}.yaml"))).unwrap();
        assert_eq!(run(["policy", "show", name]).exits(0).stdout, file);
    }
}
