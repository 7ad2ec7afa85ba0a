//! The policy that nobody named: found, or exit 2 with the reason. It is never left out in silence, and never reaches out of its project.

use std::fs;
use std::path::Path;

use crate::common::{Ran, command, finish, folder, put};

/// A project in `here` and a folder in it, with an extension that 'nogil' refuses and 'pep703' lets through.
fn project(here: &Path) -> std::path::PathBuf {
    let (name, bytes) = crate::decisions::fixture("mp_undeclared");
    put(&here.join("src"), &name, bytes);
    here.join("src")
}

fn check(inside: &Path) -> Ran {
    finish(command(["check", "."]).current_dir(inside))
}

#[test]
fn every_pyproject_is_applied_or_said() {
    let ours = "[tool.gilaudit]\nextends = 'nogil'\n";
    let cases: [(&str, Vec<u8>, i32, &str); 19] = [
        ("without", b"[project]\nname = 'x'\n".to_vec(), 0, ""),
        ("empty", Vec::new(), 0, ""),
        ("plain", ours.into(), 1, ""),
        ("with a byte order mark", ["\u{feff}".as_bytes(), ours.as_bytes()].concat(), 1, ""),
        ("with carriage returns", ours.replace('\n', "\r\n").into(), 1, ""),
        ("by a key with an escape", b"[tool.\"gil\\u0061udit\"]\nextends = 'nogil'\n".to_vec(), 1, ""),
        ("in one line", b"tool = {gilaudit = {extends = 'nogil'}}\n".to_vec(), 1, ""),
        ("not UTF-8", [b"# caf\xe9\n", ours.as_bytes()].concat(), 2, "pyproject.toml"),
        ("UTF-16", ours.encode_utf16().flat_map(u16::to_le_bytes).collect(), 2, "pyproject.toml"),
        ("not TOML", format!("{ours}[project\n").into(), 2, "not TOML"),
        ("twice", format!("{ours}{ours}").into(), 2, "duplicate key"),
        ("no table", b"[tool]\ngilaudit = 'nogil'\n".to_vec(), 2, "must be a table"),
        ("a list", ours.replace("[tool.gilaudit]", "[[tool.gilaudit]]").into(), 2, "must be a table"),
        ("in a list", format!("[[tool]]\n{ours}").into(), 2, "'tool' must be a table"),
        ("another word", ours.replace("tool.", "tools.").into(), 2, "[tools.gilaudit] is nothing"),
        ("at the top", ours.replace("tool.", "").into(), 2, "'gilaudit' is nothing"),
        ("a hyphen", ours.replace("gilaudit", "gil-audit").into(), 2, "[tool.gil-audit] is nothing"),
        ("misspelt", ours.replace("gilaudit", "Giladuit").into(), 2, "[tool.Giladuit] is nothing"),
        ("one key misspelt", ours.replace("extends", "extend").into(), 2, "did you mean 'extends'?"),
    ];
    for (case, text, code, said) in cases {
        let here = folder();
        let inside = project(here.path());
        put(here.path(), "pyproject.toml", text);
        for folder in [here.path(), &inside] {
            let ran = check(folder);
            assert_eq!(ran.code, code, "{case}: {}{}", ran.stdout, ran.stderr);
            assert!(ran.stderr.contains(said), "{case}: {}", ran.stderr);
        }
    }
}

#[test]
fn other_tools_have_their_tables() {
    let here = folder();
    let text = "[tool.pip-audit]\na = 1\n[tool.hatch.envs.gilaudit]\nb = 2\n[dependency-groups]\ngilaudit = []\n[project.scripts]\ngilaudit = 'x:y'\n";
    put(here.path(), "pyproject.toml", text);
    let inside = project(here.path());
    check(&inside).exits(0);
}

/// An inner project without a policy does not hide the outer one's.
#[test]
fn the_nearest_with_a_policy_counts() {
    let here = folder();
    let inside = project(here.path());
    put(here.path(), "pyproject.toml", "[tool.gilaudit]\nextends = 'nogil'\n");
    put(&inside, "pyproject.toml", "[project]\nname = 'x'\n");
    check(&inside).exits(1);
    put(&inside, "pyproject.toml", "[tool.gilaudit]\nextends = 'pep703'\n");
    check(&inside).exits(0);
}

#[test]
fn what_is_no_file_is_no_missing_file() {
    let here = folder();
    let inside = project(here.path());
    let file = here.path().join("pyproject.toml");
    fs::create_dir(&file).unwrap();
    for words in [&["check", "."][..], &["check", ".", "--format", "json"]] {
        let ran = finish(command(words).current_dir(&inside)).exits(2);
        assert!(ran.stderr.contains("pyproject.toml") && ran.stderr.contains("--policy"), "{}", ran.stderr);
        assert_eq!(ran.stdout.is_empty(), words.len() == 2, "programs read a report at every exit code");
    }
    finish(command(["check", ".", "--policy", "pep703"]).current_dir(&inside)).exits(0);
}

#[cfg(unix)]
#[test]
fn links_and_pipes() {
    use std::os::unix::fs::symlink;
    let here = folder();
    let inside = project(here.path());
    let file = here.path().join("pyproject.toml");
    let elsewhere = folder();
    let secret = put(elsewhere.path(), "secret.toml", "token = 'hunter2\n");

    symlink("nowhere", &file).unwrap();
    assert!(check(&inside).exits(2).stderr.contains("cannot be followed"));
    fs::remove_file(&file).unwrap();

    symlink(&secret, &file).unwrap();
    let ran = check(&inside).exits(2);
    assert!(ran.stderr.contains("outside of its folder") && !ran.stderr.contains("hunter2"), "{}", ran.stderr);
    fs::remove_file(&file).unwrap();

    put(&here.path().join("settings"), "ours.toml", "[tool.gilaudit]\nextends = 'nogil'\n");
    symlink("settings/ours.toml", &file).unwrap();
    check(&inside).exits(1);
    fs::remove_file(&file).unwrap();

    assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
    assert!(check(&inside).exits(2).stderr.contains("not a regular file"));
}

/// `extends` is seen from the file that says it, wherever the command is run.
#[test]
fn extends_is_relative_to_its_file() {
    let here = folder();
    let inside = project(here.path());
    put(here.path(), "pyproject.toml", "[tool.gilaudit]\nextends = 'ci/base.yaml'\n");
    put(&here.path().join("ci"), "base.yaml", "extends: ./strict.yaml\n");
    put(&here.path().join("ci"), "strict.yaml", "extends: nogil\n");
    // What lies in the current folder under the same names is not meant.
    put(&inside.join("ci"), "base.yaml", "extends: pep703\n");
    put(&inside, "strict.yaml", "extends: pep703\n");
    put(&inside, "nogil", "extends: pep703\n");
    for folder in [here.path(), &inside] {
        check(folder).exits(1);
    }
    put(here.path(), "pyproject.toml", "[tool.gilaudit]\nextends = 'mine'\n");
    put(&inside, "mine", "extends: pep703\n");
    assert!(check(&inside).exits(2).stderr.contains("unknown policy 'mine'"));
}

#[test]
fn extends_stays_in_its_project() {
    let outer = folder();
    let here = outer.path().join("project");
    let inside = project(&here);
    let secret = "PASSWORD=hunter2\nextends: nogil\n";
    let path = put(outer.path(), "outside.yaml", secret);
    put(&here, "inside.yaml", secret);
    put(&here.join("ci"), "up.yaml", "extends: ../../outside.yaml\n");
    put(&here.join("ci"), "side.yaml", "extends: ../fine.yaml\n");
    put(&here, "fine.yaml", "extends: nogil\n");
    #[cfg(unix)]
    std::os::unix::fs::symlink(outer.path(), here.join("link")).unwrap();
    let absolute = path.to_str().unwrap().replace('\\', "/");
    let cases = [
        ("../outside.yaml", 2, "outside of the project"),
        ("ci/../../outside.yaml", 2, "outside of the project"),
        (&*absolute, 2, "outside of the project"),
        ("link/outside.yaml", 2, "outside of the project"),
        ("ci/up.yaml", 2, "something is wrong with the policy"),
        ("inside.yaml", 2, "something is wrong with the policy"),
        ("missing.yaml", 2, "cannot read the policy"),
        ("ci/side.yaml", 1, ""),
    ];
    for (extends, code, said) in cases {
        if cfg!(not(unix)) && extends.starts_with("link") {
            continue;
        }
        put(&here, "pyproject.toml", format!("[tool.gilaudit]\nextends = '{extends}'\n"));
        for folder in [&here, &inside] {
            for format in ["text", "json"] {
                let ran = finish(command(["check", ".", "--format", format]).current_dir(folder));
                let all = format!("{}{}", ran.stdout, ran.stderr);
                assert_eq!(ran.code, code, "{extends}: {all}");
                assert!(all.contains(said), "{extends}: {all}");
                assert!(!all.contains("hunter2"), "{extends}: {all}");
            }
        }
    }
    // Who names the policy may name any other in it, and hears all about it.
    put(&here, "named.yaml", "extends: ../outside.yaml\n");
    let ran = finish(command(["check", ".", "--policy", "../named.yaml"]).current_dir(&inside)).exits(2);
    assert!(ran.stderr.contains("outside.yaml:2:"), "{}", ran.stderr);
}
