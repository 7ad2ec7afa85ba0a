//! Real wheels: what the command says about them is what interpreters did when they imported them.
//!
//! The wheels are downloaded by pip, each pinned by version and checked by hash, and kept below the build folder. Without network
//! or pip these tests say loudly that they did nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::common::{check_json, skipped};

/// A wheel by its file name and hash.
struct Pinned {
    file: &'static str,
    sha256: &'static str,
}

const MARKUPSAFE: Pinned = Pinned {
    file: "markupsafe-3.0.4-cp314-cp314t-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl",
    sha256: "b4a635a0487774f841cb1fb62e907e7195cc95bc761e053184b8acc3ceb20733",
};
const LXML: Pinned = Pinned {
    file: "lxml-6.1.3-cp314-cp314t-manylinux_2_26_x86_64.manylinux_2_28_x86_64.whl",
    sha256: "8db38ff3fb7aee7d6a82ae4da2eef1178656fe1216841fbd24870062a9d60473",
};
const NUMPY: Pinned = Pinned {
    file: "numpy-2.5.5-cp314-cp314t-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
    sha256: "479e43c183049ec1a820eeb36549e493924f56b3e893a1d5865d0fff12abad47",
};
const SAFETENSORS: Pinned = Pinned {
    file: "safetensors-0.8.0-cp310-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    sha256: "fd6f3f93c9a0a7cc2788ee63fb763353d4bd2e89b0751bc78fcf7dda00bea774",
};
const CFFI: Pinned = Pinned {
    file: "cffi-2.1.1-cp314-cp314t-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    sha256: "51b31d1c98274844cfd7838ce00bfc27c7423a4dc00fc0772fc3331c2cc90676",
};
const ARGON2: Pinned = Pinned {
    file: "argon2_cffi_bindings-26.2.0-cp314-cp314t-manylinux_2_26_x86_64.manylinux_2_28_x86_64.whl",
    sha256: "78c3f90627e34b45064f23ee4f76f629e100c92aadc64fca946bd87199297ca2",
};

/// The wheel on disk, downloaded if need be; `None`, with a message, when it cannot be had.
fn get(pinned: &Pinned) -> Option<PathBuf> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wheels");
    fs::create_dir_all(&cache).unwrap();
    let path = cache.join(pinned.file);
    if !is_it(&path, pinned) {
        let folder = tempfile::tempdir_in(&cache).unwrap();
        let downloaded = folder.path().join(pinned.file);
        let ran = download(pinned, folder.path());
        if !is_it(&downloaded, pinned) {
            skipped(&format!("{} could not be downloaded: {ran}", pinned.file));
            return None;
        }
        fs::rename(&downloaded, &path).unwrap();
    }
    Some(path)
}

fn is_it(path: &Path, pinned: &Pinned) -> bool {
    let Ok(bytes) = fs::read(path) else { return false };
    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, pinned.sha256, "{} is another file than it was", pinned.file);
    true
}

fn download(pinned: &Pinned, folder: &Path) -> String {
    let parts: Vec<&str> = pinned.file.trim_end_matches(".whl").split('-').collect();
    let [name, version, _, abi, platforms] = parts.as_slice() else { panic!("{}", pinned.file) };
    let mut command = Command::new("python3");
    command.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
    ]);
    command.args(["--implementation", "cp", "--python-version", "3.14", "--abi", abi, "--dest"]).arg(folder);
    for platform in platforms.split('.') {
        command.args(["--platform", platform]);
    }
    command.arg(format!("{name}=={version}"));
    match command.output() {
        Ok(output) => String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or("pip says nothing").to_owned(),
        Err(error) => format!("python3: {error}"),
    }
}

/// How many extensions of a report have this declaration and this outcome.
fn count(report: &Value, status: &str, outcome: &str) -> usize {
    let is_it = |it: &&Value| it["declaration"]["status"] == status && it["decision"]["outcome"] == outcome;
    report["extensions"].as_array().unwrap().iter().filter(is_it).count()
}

#[test]
fn markupsafe_runs_free() {
    let Some(wheel) = get(&MARKUPSAFE) else { return };
    let report = check_json("", &[&wheel]).exits(0).json();
    assert_eq!(count(&report, "not-used", "runs-free"), 1, "{report:#}");
    assert_eq!(report["environments"][0]["gil"], "off");
    assert_eq!(report["extensions"][0]["module"], "markupsafe._speedups");
}

#[test]
fn lxml_enables_the_gil_and_numpy_does_not() {
    let (Some(lxml), Some(numpy)) = (get(&LXML), get(&NUMPY)) else { return };
    let report = check_json("", &[&lxml, &numpy]).exits(0).json();
    assert_eq!(count(&report, "used", "enables-gil") + count(&report, "undeclared", "enables-gil"), 7, "{report:#}");
    assert_eq!(count(&report, "not-used", "runs-free"), 19, "{report:#}");
    let by = report["environments"][0]["enabled_by"].as_array().unwrap();
    assert!(by.iter().all(|module| module.as_str().unwrap().starts_with("lxml.")) && by.len() == 7);
    check_json("--policy nogil", &[&lxml, &numpy]).exits(1);
    check_json("--fail-on warning", &[&numpy]).exits(0);
}

#[test]
fn an_abi3_wheel_is_found_and_does_not_load() {
    let Some(wheel) = get(&SAFETENSORS) else { return };
    let report = check_json("", &[&wheel]).exits(1).json();
    assert_eq!(report["summary"]["outcomes"]["cannot-import"], 1);
    assert_eq!(report["findings"][0]["rule"], "wrong-abi");
    // A GIL build loads it.
    check_json("--python 3.14", &[&wheel]).exits(0);
}

#[test]
fn bindings_of_cffi_declare_what_its_backend_does() {
    let (Some(cffi), Some(argon2)) = (get(&CFFI), get(&ARGON2)) else { return };
    let alone = check_json("", &[&argon2]).exits(0).json();
    assert_eq!(count(&alone, "not-used", "runs-free"), 1, "{alone:#}");
    assert!(alone["extensions"][0]["declaration"]["assumption"].as_str().unwrap().contains("cffi 2.0 or later"));
    let both = check_json("", &[&cffi, &argon2]).exits(0).json();
    assert_eq!(count(&both, "not-used", "runs-free"), 2, "{both:#}");
}
