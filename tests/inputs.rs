//! Inputs that are broken, odd or empty: each is said, none ends the audit of the others.

use std::path::Path;

use serde_json::Value;

use crate::common::{check_json, command, finish, folder, put, run, wheel, wheel_bytes, zip};
use crate::decisions::fixture;

/// The problems as `origin: error`, of those that left something unread.
fn unread(report: &Value) -> Vec<String> {
    let problems = report["problems"].as_array().unwrap().iter();
    let shown = |problem: &Value| {
        let origin: Vec<&str> =
            problem["origin"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
        format!("{}: {}", origin.join("!"), problem["error"].as_str().unwrap())
    };
    problems.filter(|problem| problem["unread"] == true).map(shown).collect()
}

fn modules(report: &Value) -> Vec<&str> {
    report["extensions"].as_array().unwrap().iter().map(|it| it["module"].as_str().unwrap()).collect()
}

#[test]
fn a_pure_python_wheel_is_recognised() {
    let here = folder();
    let pure = wheel(here.path(), "pure-1.0-py3-none-any.whl", &[("pure.py", b"")]);
    let report = check_json("", &[&pure]).exits(0).json();
    assert_eq!((&report["summary"]["artifacts"], &report["summary"]["extensions"]), (&1.into(), &0.into()));
    assert_eq!(report["environments"], Value::Array(vec![]));
    let text = run([Path::new("check"), &pure]).exits(0).stdout;
    assert!(text.contains("0 extensions in 1 artifact"), "{text}");
}

#[test]
fn a_folder_without_anything_auditable_exits_3() {
    let here = folder();
    put(here.path(), "docs/readme.txt", "nothing");
    let text = run([Path::new("check"), here.path()]).exits(3).stdout;
    assert!(text.contains("Nothing auditable was recognised"), "{text}");
}

#[test]
fn a_missing_file_is_said() {
    let here = folder();
    let report = check_json("", &[&here.path().join("nowhere.whl")]).exits(2).json();
    assert_eq!(unread(&report).len(), 1);
    assert!(unread(&report)[0].contains("nowhere.whl"));
}

#[test]
fn an_empty_file_and_a_text_file_named_like_extensions_are_not_read() {
    let here = folder();
    put(here.path(), "empty.so", "");
    put(here.path(), "script.so", "INPUT(-lc)\n");
    let report = check_json("", &[here.path()]).exits(2).json();
    assert_eq!(unread(&report).len(), 2, "{report:#}");
    for name in ["empty.so", "script.so"] {
        assert_eq!(unread(&check_json("", &[&here.path().join(name)]).exits(2).json()).len(), 1, "{name}");
    }
}

#[test]
fn a_text_file_that_is_named_is_a_problem() {
    let here = folder();
    let text = put(here.path(), "notes.txt", "not a binary");
    assert_eq!(unread(&check_json("", &[&text]).exits(2).json()).len(), 1);
}

#[test]
fn a_truncated_wheel_is_not_read() {
    let here = folder();
    let (name, good) = fixture("mp_declared");
    let file_name = "cut-1.0-cp314-cp314t-manylinux_2_28_x86_64.whl";
    let whole = wheel_bytes(file_name, &[(&name, &good)]);
    for length in [0, 30, whole.len() / 2, whole.len() - 1] {
        let cut = put(here.path(), file_name, &whole[..length]);
        let report = check_json("", &[&cut]).exits(2).json();
        assert!(!unread(&report).is_empty(), "{length} bytes of {}", whole.len());
    }
}

#[test]
fn something_that_is_no_zip_is_no_wheel() {
    let here = folder();
    let text = put(here.path(), "text-1.0-py3-none-any.whl", "not a zip archive");
    assert_eq!(unread(&check_json("", &[&text]).exits(2).json()).len(), 1);
    let odd = put(here.path(), "odd.whl", zip(&[("x.py", b"")]));
    // Whatever is thought of a wheel without a wheel's name or metadata, it is not silence.
    assert!(!check_json("", &[&odd]).json()["problems"].as_array().unwrap().is_empty());
}

#[test]
fn a_corrupt_file_does_not_hide_the_good_ones_beside_it() {
    let here = folder();
    let (name, good) = fixture("mp_declared");
    let (other, second) = fixture("mp_used");
    put(here.path(), &name, &good);
    put(here.path(), &other, &second);
    put(here.path(), "corrupt.so", &good[..good.len() / 3]);
    let report = check_json("", &[here.path()]).exits(2).json();
    assert_eq!(modules(&report), ["mp_declared", "mp_used"]);
    assert_eq!(unread(&report).len(), 1, "{report:#}");
    assert!(unread(&report)[0].contains("corrupt.so"));
}

#[test]
fn duplicate_members_of_a_wheel_are_said() {
    let here = folder();
    let (name, declared) = fixture("mp_declared");
    let (_, used) = fixture("mp_used");
    let twice = [(name.as_str(), declared.as_slice()), (name.as_str(), used.as_slice())];
    let path = wheel(here.path(), "twice-1.0-cp314-cp314t-manylinux_2_28_x86_64.whl", &twice);
    let report = check_json("", &[&path]).json();
    let problems = report["problems"].to_string();
    assert!(problems.contains(&name), "{report:#}");
}

#[test]
fn the_same_result_for_any_number_of_jobs() {
    let here = folder();
    for case in ["mp_declared", "mp_used", "mp_undeclared", "plain_library", "mp_slot87"] {
        let (name, bytes) = fixture(case);
        put(here.path(), &name, &bytes);
        put(here.path(), &format!("again/{name}"), &bytes);
    }
    put(here.path(), "broken.so", "text");
    let first = check_json("--jobs 1", &[here.path()]).stdout;
    assert!(first.contains("mp_used"));
    for jobs in ["1", "2", "8"] {
        assert_eq!(check_json(&format!("--jobs {jobs}"), &[here.path()]).stdout, first);
    }
    let text = |jobs: &str| run(["check", "--jobs", jobs, here.path().to_str().unwrap()]).stdout;
    assert_eq!(text("1"), text("8"));
}

#[test]
fn a_shared_library_is_listed_and_not_judged() {
    let here = folder();
    let (name, bytes) = fixture("plain_library");
    put(here.path(), &name, &bytes);
    put(here.path(), "libx.so.1", &bytes);
    let report = check_json("", &[here.path()]).exits(0).json();
    assert_eq!(report["summary"]["libraries"], 2, "{report:#}");
    assert_eq!(modules(&report), Vec::<&str>::new());
}

/// A virtual environment with one loose extension, and the Python it says it has.
fn environment(folder: &Path, version: &str, library: &str) {
    put(folder, "pyvenv.cfg", format!("home = /usr/bin\nversion = {version}\n"));
    let (name, bytes) = fixture("mp_declared");
    put(folder, &format!("lib/{library}/site-packages/{name}"), bytes);
}

#[test]
fn an_environment_is_audited_for_its_own_interpreter() {
    let here = folder();
    environment(here.path(), "3.13.5", "python3.13t");
    // None of its modules is for that interpreter, so that the answer would be about nothing.
    let report = check_json("", &[here.path()]).exits(2).json();
    assert!(unread(&report)[0].contains("no module of this environment is for 3.13t: wrong environment?"));
    assert_eq!(report["target"]["python"], "3.13t");
    assert_eq!(report["target"]["from"], here.path().to_str().unwrap());
    assert_eq!(report["summary"]["outcomes"]["cannot-import"], 1, "{report:#}");
    let other = check_json("--python 3.14t", &[here.path()]).exits(0).json();
    assert_eq!((&other["target"]["python"], &other["target"]["from"]), (&"3.14t".into(), &"--python".into()));
    assert_eq!(other["summary"]["outcomes"]["runs-free"], 1);
}

#[test]
fn without_a_path_the_active_environment_is_audited() {
    let here = folder();
    environment(here.path(), "3.14.2", "python3.14t");
    let ran = finish(command(["check"]).env("VIRTUAL_ENV", here.path())).exits(0);
    assert!(ran.stdout.contains("The GIL stays off") && ran.stdout.contains("1 extension"), "{}", ran.stdout);
}

#[test]
fn an_environment_of_a_gil_build_cannot_turn_the_gil_off() {
    let here = folder();
    environment(here.path(), "3.14.2", "python3.14");
    let report = check_json("--gil 0", &[here.path()]).exits(2).json();
    assert!(unread(&report)[0].contains("Disabling the GIL is not supported"));
}

/// A report that goes where an input is would destroy it.
#[test]
fn what_is_audited_is_not_written_over() {
    let here = folder();
    let (name, bytes) = fixture("mp_declared");
    let file = put(here.path(), &name, &bytes);
    let source = put(here.path(), "a.c", "int a;");
    let report = here.path().join("report.json");
    for (given, output) in [(here.path(), &file), (&file, &file), (here.path(), &source)] {
        for option in ["--output", "--write-baseline"] {
            let mut command = command(["check", "--format", "json", option]);
            let ran = finish(command.arg(output).arg(given)).exits(2);
            assert!(ran.stderr.contains("is not written over"), "{}", ran.stderr);
            assert_eq!(ran.json()["problems"].as_array().unwrap().len(), 1);
            assert_eq!(std::fs::read(&file).unwrap(), bytes);
            assert_eq!(std::fs::read(&source).unwrap(), b"int a;");
        }
    }
    let mut command = command(["check", "--format", "json", "--output"]);
    finish(command.arg(&report).arg(here.path())).exits(0);
    assert!(report.is_file());
}

/// Nothing that is named or found is waited for, and nothing is read without end.
#[cfg(unix)]
#[test]
fn pipes_and_devices_end_at_once() {
    let here = folder();
    let pipe = |name: &str| {
        let path = put(here.path(), name, "");
        std::fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    };
    let (name, bytes) = fixture("mp_declared");
    let file = put(here.path(), &format!("good/{name}"), &bytes);
    let policy = pipe("policy.yaml");
    let saved = pipe("saved.json");
    let endless = here.path().join("endless.json");
    std::os::unix::fs::symlink("/dev/zero", &endless).unwrap();
    for path in [&policy, &saved, &endless] {
        for option in ["--policy", "--baseline"] {
            let ran = finish(command(["check", option]).arg(path).arg(&file)).exits(2);
            assert!(ran.stderr.contains("not a regular file"), "{}", ran.stderr);
        }
    }
    for path in [&saved, &endless] {
        let ran = finish(command(["diff"]).arg(path).arg(&file)).exits(2);
        assert!(ran.stderr.contains("not a regular file"), "{}", ran.stderr);
    }
    for part in ["RECORD", "METADATA", "WHEEL", "direct_url.json"] {
        let site = format!("site-{part}");
        put(here.path(), &format!("{site}/{name}"), &bytes);
        let info = [
            ("RECORD", format!("{name},,\nx-1.dist-info/direct_url.json,,\n")),
            ("METADATA", "Name: x\nVersion: 1\n".to_owned()),
            ("WHEEL", "Tag: cp314-cp314t-any\n".to_owned()),
        ];
        for (file, text) in info {
            put(here.path(), &format!("{site}/x-1.dist-info/{file}"), text);
        }
        let path = format!("{site}/x-1.dist-info/{part}");
        let _ = std::fs::remove_file(here.path().join(&path));
        pipe(&path);
        let report = check_json("", &[&here.path().join(&site)]).exits(0).json();
        let told = report["problems"].to_string();
        assert!(told.contains(part) && told.contains("not a regular file"), "{part}: {told}");
    }
    for name in ["odd/pipe.so", "odd/a.c", "odd/x-1-py3-none-any.whl"] {
        pipe(name);
    }
    let report = check_json("", &[&here.path().join("odd")]).exits(3).json();
    assert_eq!(report["problems"].as_array().unwrap().len(), 3, "{report:#}");
    for odd in [&policy, Path::new("/dev/zero"), Path::new("/dev/tty")] {
        check_json("", &[odd]).exits(2);
    }
}
