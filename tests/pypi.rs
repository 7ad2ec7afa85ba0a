//! `pypi:NAME` with a pip that the tests make: what it is asked, what is said of what it takes, and what stays of it.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::{Ran, command, finish, folder, put, wheel_bytes};
use crate::decisions::fixture;

/// A folder with a `python3` in it that runs this shell script; its arguments are those that gilaudit gives Python.
fn python(folder: &Path, script: &str) -> PathBuf {
    let path = put(folder, "bin/python3", format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    folder.join("bin")
}

/// A pip whose index has `listed` and which takes the wheel `taken`.
fn pip(folder: &Path, listed: &[&str], taken: &str, members: &[(&str, &[u8])]) -> PathBuf {
    let wheel = put(folder, &format!("index/{taken}"), wheel_bytes(taken, members));
    let links: String =
        listed.iter().map(|file| format!("echo '  Found link https://index/p/{file}#sha256=0 (from u)'\n")).collect();
    // `--dest` is followed by the folder.
    let script = format!(
        "{links}while [ $# -gt 1 ]; do if [ \"$1\" = --dest ]; then cp '{}' \"$2\"; fi; shift; done",
        wheel.display()
    );
    python(folder, &script)
}

fn check(bin: &Path, temporary: &Path, what: &str) -> Ran {
    let path = format!("{}:/usr/bin:/bin", bin.display());
    fs::create_dir_all(temporary).unwrap();
    let mut command = command(["check", "--format", "json", "--python", "3.14t", what]);
    finish(command.env("PATH", path).env("TMPDIR", temporary))
}

fn errors(report: &Value) -> Vec<String> {
    let problems = report["problems"].as_array().unwrap().iter();
    problems.map(|problem| format!("{} {}", problem["unread"], problem["error"].as_str().unwrap())).collect()
}

#[test]
fn an_older_version_is_not_taken_silently() {
    let here = folder();
    let (name, bytes) = fixture("mp_declared");
    let members = [(name.as_str(), bytes.as_slice())];
    let old = "demo-1.0-cp314-cp314t-manylinux_2_17_x86_64.whl";
    let bin = pip(here.path(), &[old, "demo-1.1-cp39-abi3-win_amd64.whl", "demo-2.0rc1.tar.gz"], old, &members);
    let temporary = here.path().join("tmp");
    let report = check(&bin, &temporary, "pypi:demo").exits(2).json();
    assert_eq!(report["extensions"][0]["origin"][0], format!("pypi:demo==1.0/{old}"));
    let told = errors(&report).join("\n");
    assert!(
        told.contains("true pip took 1.0; the newest on the index is 1.1, which has nothing that 3.14t can install"),
        "{told}"
    );
    // Whoever asks for it gets it.
    let report = check(&bin, &temporary, "pypi:demo==1.0").exits(0).json();
    assert_eq!(errors(&report), [""; 0]);
    let bin = pip(here.path(), &[old, "demo-2.0rc1.tar.gz"], old, &members);
    assert_eq!(errors(&check(&bin, &temporary, "pypi:demo").exits(0).json()), [""; 0]);
    // What was downloaded is removed as soon as it is open.
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn pre_releases_and_placeholders() {
    let here = folder();
    let temporary = here.path().join("tmp");
    let early = "demo-2.0rc1-py3-none-any.whl";
    let bin = pip(here.path(), &[early, "demo-1.9.tar.gz"], early, &[]);
    let told = errors(&check(&bin, &temporary, "pypi:demo").exits(2).json()).join("\n");
    assert!(
        told.contains("pip took the pre-release 2.0rc1; the newest on the index is 1.9, of which pip would build"),
        "{told}"
    );
    let placeholder = "demo-0.0.0-py3-none-any.whl";
    let bin = pip(here.path(), &[placeholder], placeholder, &[]);
    let told = errors(&check(&bin, &temporary, "pypi:demo").exits(0).json()).join("\n");
    assert!(told.contains("false version 0.0.0 without any extension: a placeholder"), "{told}");
}

/// However gilaudit ends, a pip that it started is told, by the end of its standard input.
#[test]
fn a_pip_that_nobody_waits_for_is_told() {
    let here = folder();
    let bin = python(here.path(), &format!("touch '{0}/started'; cat; touch '{0}/told'", here.path().display()));
    let mut command = command(["check", "pypi:demo"]);
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let wait_for = |name: &str| {
        let until = Instant::now() + Duration::from_secs(60);
        while !here.path().join(name).exists() {
            assert!(Instant::now() < until, "{name}");
            sleep(Duration::from_millis(20));
        }
    };
    wait_for("started");
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("told");
}
