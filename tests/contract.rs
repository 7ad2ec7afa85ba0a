//! The fields of `gilaudit-report/1` that other programs read: all of them, always, and with the words that are agreed on.

use serde_json::Value;

use crate::common::{check_json, folder, put, root, wheel};
use crate::decisions::fixture;

/// The keys of an object, sorted.
fn keys(value: &Value) -> String {
    let object = value.as_object().unwrap_or_else(|| panic!("not an object: {value}"));
    let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys.join(" ")
}

/// A report with an extension, a library, a finding and a problem in it.
fn full() -> Value {
    let here = folder();
    let (name, used) = fixture("mp_used");
    let (library, plain) = fixture("plain_library");
    let members =
        [(name.as_str(), used.as_slice()), (library.as_str(), plain.as_slice()), ("text.so", b"text".as_slice())];
    let path = wheel(here.path(), "ours-1.0-cp314-cp314t-manylinux_2_28_x86_64.whl", &members);
    check_json("", &[&path]).exits(2).json()
}

fn top(report: &Value) {
    let all = "baseline environments extensions findings imports libraries policy problems schema summary target tool verdict";
    assert_eq!(keys(report), all);
    assert_eq!(keys(&report["tool"]), "name version");
    assert_eq!(keys(&report["verdict"]), "contradicted gil sentences");
    assert_eq!(keys(&report["target"]), "from gil platform python");
    assert_eq!(keys(&report["policy"]), "diagnostics name");
    let summary = &report["summary"];
    assert_eq!(
        keys(summary),
        "artifacts declarations extensions findings libraries not_judged outcomes problems sources"
    );
    assert_eq!(keys(&summary["declarations"]), "not-used undeclared unknown used");
    let outcomes = "cannot-import enables-gil runs-free runs-free-forced runs-with-gil undetermined";
    assert_eq!(keys(&summary["outcomes"]), outcomes);
    assert_eq!(keys(&summary["findings"]), "error note warning");
}

#[test]
fn every_field_of_every_record() {
    let report = full();
    top(&report);
    let extension = &report["extensions"][0];
    let all = "abi arch decision declaration distribution format framework init module origin record_sha256 sha256";
    assert_eq!(keys(extension), all);
    assert_eq!(keys(&extension["distribution"]), "name version");
    assert_eq!(keys(&extension["abi"]), "built_for tag");
    let declaration =
        "assumption contradicted_by declared_by_tool delegated_to evidence mechanism reason reason_code status";
    assert_eq!(keys(&extension["declaration"]), declaration);
    assert_eq!(keys(&extension["declaration"]["evidence"][0]), "at what");
    assert_eq!(keys(&extension["decision"]), "action because exception failure_code outcome policy_at warning");
    assert_eq!(keys(&report["libraries"][0]), "origin why");
    let finding = "address baseline column confidence end_column end_line fingerprint function help line message module origin place \
                   python_name readiness related rule section seen_in severity suppressed symbol";
    assert_eq!(keys(&report["findings"][0]), finding);
    assert_eq!(keys(&report["problems"][0]), "error origin stage unread");
    assert_eq!(keys(&report["environments"][0]), "contradicted enabled_by gil platform");
}

#[test]
fn the_words_of_an_extension() {
    let report = full();
    let extension = &report["extensions"][0];
    assert_eq!(extension["module"], "mp_used");
    assert_eq!(extension["origin"].as_array().unwrap().len(), 2);
    assert_eq!(extension["origin"][1], "mp_used.cpython-314t-x86_64-linux-gnu.so");
    assert_eq!(extension["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(extension["distribution"]["name"], "ours");
    assert_eq!((&extension["format"], &extension["arch"]), (&"elf".into(), &"x86_64".into()));
    assert_eq!((&extension["abi"]["tag"], &extension["abi"]["built_for"]), (&"cp314t".into(), &"free-threaded".into()));
    assert_eq!(extension["init"], "multi-phase");
    let declaration = &extension["declaration"];
    assert_eq!((&declaration["status"], &declaration["mechanism"]), (&"used".into(), &"slot".into()));
    assert_eq!(declaration["evidence"][0]["what"], "Py_mod_gil = Py_MOD_GIL_USED");
    assert!(declaration["evidence"][0]["at"].as_str().unwrap().starts_with("section ."));
    assert_eq!(extension["decision"]["outcome"], "enables-gil");
    assert!(!extension["decision"]["because"].as_array().unwrap().is_empty());
    assert_eq!(report["environments"][0]["platform"], "linux-x86_64");
    assert_eq!(report["libraries"][0]["why"], "no init function");
}

#[test]
fn hashes_of_folders_only_when_asked_for() {
    let here = folder();
    let (name, used) = fixture("mp_used");
    put(here.path(), &name, used);
    assert_eq!(check_json("", &[here.path()]).json()["extensions"][0]["sha256"], Value::Null);
    assert!(check_json("--hash", &[here.path()]).json()["extensions"][0]["sha256"].is_string());
}

#[test]
fn every_field_is_there_when_nothing_was_audited() {
    let here = folder();
    top(&check_json("", &[here.path()]).exits(3).json());
    top(&check_json("--policy nonsense", &[here.path()]).exits(2).json());
}

/// Fails with every place at which `json` does not fit a schema of `docs/`.
#[track_caller]
pub(crate) fn fits(schema: &str, json: &Value) {
    let text = std::fs::read_to_string(root().join("docs").join(schema)).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(json).map(|error| format!("{error} at {}", error.instance_path())).collect();
    assert_eq!(errors, Vec::<String>::new(), "{schema}");
}

#[test]
fn reports_fit_the_schema() {
    let here = folder();
    fits("report-v1.schema.json", &full());
    fits("report-v1.schema.json", &check_json("", &[here.path()]).exits(3).json());
    fits("report-v1.schema.json", &check_json("--policy nonsense", &[here.path()]).exits(2).json());
    let sources = root().join("fixtures/rules/borrowed-list-item");
    fits("report-v1.schema.json", &check_json("", &[&sources]).exits(1).json());
    let known = here.path().join("known.json");
    let words = format!("--write-baseline {}", known.display());
    fits("report-v1.schema.json", &check_json(&words, &[&sources]).exits(0).json());
    let (name, used) = fixture("mp_used");
    let module = put(here.path(), &name, used);
    fits("report-v1.schema.json", &check_json("--import-all", &[&module]).exits(0).json());
    let mut wrong = full();
    wrong["extensions"][0]["declaration"]["status"] = "perhaps".into();
    let schema = std::fs::read_to_string(root().join("docs/report-v1.schema.json")).unwrap();
    assert!(!jsonschema::is_valid(&serde_json::from_str(&schema).unwrap(), &wrong));
}
