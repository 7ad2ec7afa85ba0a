//! What CPython does and what the policies say, row by row, through the command and on real (small) extensions.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::common::{check_json, folder, put, root};

/// Name and bytes of a fixture as built for 3.14t with gcc; of one that is built for no version, its only file.
pub(crate) fn fixture(case: &str) -> (String, Vec<u8>) {
    fixture_for(case, "314t")
}

/// Name and bytes of a fixture as built for the version with this tag.
pub(crate) fn fixture_for(case: &str, tag: &str) -> (String, Vec<u8>) {
    let folder = root().join("fixtures/binaries").join(case).join("elf-x86_64");
    let all = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let names: Vec<String> = all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let tagged = names.iter().find(|name| name.starts_with(&format!("{case}.cpython-{tag}-")));
    let name = tagged
        .or(names.first().filter(|_| names.len() == 1))
        .unwrap_or_else(|| panic!("{case}: no {tag} in {names:?}"));
    (name.clone(), fs::read(folder.join(name)).unwrap())
}

/// The only extension of the report on this file under these options.
fn only(words: &str, path: &Path) -> Value {
    let report = check_json(words, &[path]).json();
    let extensions = report["extensions"].as_array().unwrap();
    assert_eq!(extensions.len(), 1, "{words} {}\n{report:#}", path.display());
    extensions[0].clone()
}

/// `status outcome` of a fixture under a target, with its file renamed if asked.
fn row(case: &str, tag: &str, python: &str, gil: &str) -> String {
    let here = folder();
    let (name, bytes) = fixture_for(case, tag);
    let path = put(here.path(), &name, bytes);
    let extension = only(&format!("--python {python} --gil {gil}"), &path);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    format!("{} {}", text(&extension["declaration"]["status"]), text(&extension["decision"]["outcome"]))
}

/// The four declarations, each by a fixture.
const DECLARATIONS: [(&str, &str); 4] = [
    ("mp_declared", "not-used"),
    ("mp_used", "used"),
    ("mp_undeclared", "undeclared"),
    ("environment_gated", "unknown"),
];

#[test]
fn free_threaded_builds() {
    let outcomes = [
        ("default", ["runs-free", "enables-gil", "enables-gil", "undetermined"]),
        ("0", ["runs-free", "runs-free-forced", "runs-free-forced", "undetermined"]),
        ("1", ["runs-with-gil"; 4]),
    ];
    for version in ["3.13", "3.14", "3.15"] {
        let tag = format!("{}t", version.replace('.', ""));
        for (gil, expected) in outcomes {
            for ((case, status), outcome) in DECLARATIONS.iter().zip(expected) {
                let row = row(case, &tag, &format!("{version}t"), gil);
                assert_eq!(row, format!("{status} {outcome}"), "{case} {version}t gil={gil}");
            }
        }
    }
}

#[test]
fn gil_builds() {
    for version in ["3.13", "3.14", "3.15"] {
        let tag = version.replace('.', "");
        for gil in ["default", "1"] {
            assert!(row("gil_layout", &tag, version, gil).ends_with(" runs-with-gil"), "{version} {gil}");
            assert!(row("gil_layout_undeclared", &tag, version, gil).ends_with(" runs-with-gil"), "{version} {gil}");
        }
    }
}

#[test]
fn what_cannot_be_imported_cannot_under_any_setting() {
    let here = folder();
    for gil in ["default", "0", "1"] {
        // Not a suffix that 3.14t searches.
        assert!(row("mp_declared", "313t", "3.14t", gil).ends_with(" cannot-import"));
        // Found by .abi3.so, and then of the wrong ABI.
        assert!(row("abi3_multi", "", "3.14t", gil).ends_with(" cannot-import"));
        // Slot 87 is a slot of 3.15.
        assert!(row("mp_slot87", "314t", "3.14t", gil).ends_with(" cannot-import"));
    }
    // Free-threaded code under a name that a GIL build searches.
    let plain = put(here.path(), "mp_declared.so", fixture("mp_declared").1);
    assert_eq!(only("--python 3.14", &plain)["decision"]["outcome"], "cannot-import");
    assert_eq!(only("--python 3.14t", &plain)["decision"]["outcome"], "runs-free");
}

#[test]
fn a_name_that_is_not_searched_is_no_finding_and_one_that_does_not_load_is() {
    let here = folder();
    let (name, bytes) = fixture_for("mp_declared", "313t");
    let report = check_json("", &[&put(here.path(), &name, bytes)]).exits(0).json();
    assert_eq!(report["findings"], Value::Array(vec![]));
    assert!(report["extensions"][0]["decision"].to_string().contains("does not search for"), "{report:#}");
    let (name, bytes) = fixture("abi3_multi");
    let report = check_json("", &[&put(here.path(), &name, bytes)]).exits(1).json();
    assert_eq!(report["findings"][0]["rule"], "wrong-abi");
}

#[test]
fn cpythons_own_warning() {
    let here = folder();
    let (name, bytes) = fixture("mp_used");
    let report = check_json("", &[&put(here.path(), &name, bytes)]).exits(0).json();
    let warning = "The global interpreter lock (GIL) has been enabled to load module 'mp_used', which has not declared that it \
                   can run safely without the GIL. To override this behavior and keep the GIL disabled (at your own risk), run \
                   with PYTHON_GIL=0 or -Xgil=0.";
    assert_eq!(report["extensions"][0]["decision"]["warning"], warning);
    assert_eq!(report["environments"][0]["gil"], "on");
    assert_eq!(report["environments"][0]["enabled_by"][0], "mp_used");
}

#[test]
fn policies_say_what_they_are_for() {
    let here = folder();
    let actions = [
        ("pep703", ["follow", "follow", "follow", "warn"]),
        ("gil", ["gil-on"; 4]),
        ("nogil", ["follow", "refuse", "refuse", "refuse"]),
        ("unsafe-nogil", ["allow", "warn", "warn", "warn"]),
        ("serialize", ["shared", "exclusive", "exclusive", "exclusive"]),
        ("audited", ["follow", "refuse", "refuse", "refuse"]),
    ];
    for (policy, expected) in actions {
        for ((case, _), action) in DECLARATIONS.iter().zip(expected) {
            let (name, bytes) = fixture(case);
            let path = put(here.path(), &name, bytes);
            let words = format!("--policy {policy}");
            assert_eq!(only(&words, &path)["decision"]["action"], action, "{case} under {policy}");
            let code = check_json(&words, &[&path]).code;
            assert_eq!(code, i32::from(action == "refuse"), "{case} under {policy}");
        }
    }
}

#[test]
fn severities_and_thresholds() {
    let here = folder();
    let (name, bytes) = fixture("mp_used");
    let path = put(here.path(), &name, bytes);
    check_json("", &[&path]).exits(0);
    check_json("--fail-on warning", &[&path]).exits(1);
    check_json("--fail-on note", &[&path]).exits(1);
    check_json("--fail-on warning --ignore enables-gil", &[&path]).exits(0);
    check_json("--fail-on warning --select wrong-abi", &[&path]).exits(0);
    assert_eq!(check_json("--min-severity error", &[&path]).exits(0).json()["findings"], Value::Array(vec![]));
    let policy = put(here.path(), "ours.yaml", "extends: pep703\nrules:\n  enables-gil: error\n");
    check_json(&format!("--policy {}", policy.display()), &[&path]).exits(1);
}

#[test]
fn a_delegated_declaration_is_that_of_the_other_file() {
    let folder = root().join("fixtures/binaries/cffi_like/elf-x86_64");
    let report = check_json("", &[&folder]).json();
    let extensions = report["extensions"].as_array().unwrap();
    let bindings = extensions.iter().find(|it| it["module"] == "cffi_like" && it["abi"]["tag"] == "cp314t").unwrap();
    assert_eq!(bindings["declaration"]["status"], "not-used", "{bindings:#}");
    assert!(bindings["declaration"]["delegated_to"].as_str().unwrap().contains("_cffi_backend"));
}

#[test]
fn an_init_function_in_a_needed_library_is_followed() {
    for case in ["hook_in_needed", "init_in_needed"] {
        let folder = root().join("fixtures/binaries").join(case).join("elf-x86_64");
        let report = check_json("", &[&folder]).json();
        let extensions = report["extensions"].as_array().unwrap();
        let module = extensions.iter().find(|it| it["module"] == case && it["abi"]["tag"] == "cp314t").unwrap();
        assert_eq!(module["declaration"]["status"], "not-used", "{module:#}");
        assert!(module["declaration"]["delegated_to"].as_str().unwrap().contains(case));
    }
}

/// Fixtures about which the command says something else than the interpreter did, and why that is so.
const KNOWN: &[(&str, &str)] = &[
    (
        "exec_fails",
        "exec slots run after the GIL is settled: an import that fails in one has the outcome of its declaration",
    ),
    ("create_fails", "create slots are not evaluated"),
    ("needed_missing", "whether a needed library is on the machine is not in the file"),
    ("symbol_missing", "whether a library on the machine has a symbol is not in the file"),
    ("create_not_module", "FIXME: a create slot that returns no module turns the GIL on"),
    ("me_inner", "FIXME: slots that nest"),
    ("mypyc_like", "FIXME: SetGIL on another module"),
];

/// Every fixture that an interpreter finds, under the interpreter that it was built for: our outcome is what that one did.
#[test]
fn what_real_interpreters_did() {
    let truth = fs::read_to_string(root().join("fixtures/binaries/truth.tsv")).unwrap();
    let (mut right, mut unknown, mut wrong, mut used) = (0, Vec::new(), Vec::new(), Vec::<String>::new());
    for python in ["3.13t", "3.14t", "3.15t"] {
        let report = check_json(&format!("--python {python}"), &[&root().join("fixtures/binaries")]).json();
        let tag = format!(".cpython-{}-", python.replace('.', ""));
        for line in truth.lines().skip(1) {
            let columns: Vec<&str> = line.split('\t').collect();
            let [case, file, of, result, ..] = columns.as_slice() else { panic!("{line}") };
            if *of != python || !file.contains(&tag) {
                continue;
            }
            let ends = format!("fixtures/binaries/{case}/{file}");
            let known = KNOWN.iter().any(|(part, _)| case.contains(part));
            let is_it = |it: &&Value| it["origin"][0].as_str().unwrap().ends_with(&ends);
            let Some(extension) = report["extensions"].as_array().unwrap().iter().find(is_it) else {
                // A file without an init function is a library, and an import of it fails; one that is cut off is a problem.
                let is_problem = report["problems"].to_string().contains(&ends);
                if !result.starts_with("cannot-load") && *result != "not-found" && !is_problem {
                    let list = if known { &mut used } else { &mut wrong };
                    list.push(format!("{line}: not an extension"));
                }
                continue;
            };
            let outcome = extension["decision"]["outcome"].as_str().unwrap();
            match (*result, outcome) {
                (_, "undetermined") => unknown.push(line),
                ("gil-free", "runs-free") | ("gil-required", "enables-gil") => right += 1,
                (failed, "cannot-import") if failed.starts_with("cannot-load") || failed.starts_with("crash") => {
                    right += 1
                }
                _ if known => used.push((*case).to_owned()),
                _ => wrong.push(format!("{line}: {outcome}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} right, {} unknown, wrong:\n{}", right, unknown.len(), wrong.join("\n"));
    let stale: Vec<&str> =
        KNOWN.iter().map(|(part, _)| *part).filter(|part| !used.iter().any(|case| case.contains(part))).collect();
    assert!(
        stale.is_empty(),
        "no longer answered otherwise than by the interpreter, so remove them from KNOWN: {stale:?}"
    );
    assert!(right > 100, "{right} right, unknown:\n{}", unknown.join("\n"));
}
