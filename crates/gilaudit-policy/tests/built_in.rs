//! The built-in policies.

use crate::common::{self, BUILT_IN};

#[test]
fn every_built_in_policy_is_sound() {
    for (name, text) in BUILT_IN {
        let (policy, diagnostics) = common::parse(name, text);
        assert_eq!(common::shown(&diagnostics), "");
        let policy = policy.unwrap();
        assert_eq!(policy.name(), name);
        assert!(policy.description().is_some(), "{name}");
        assert!(text.starts_with("# "), "{name} begins with a comment on what it is for");
    }
}

#[test]
fn the_folder_holds_just_these() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies");
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".yaml").map(str::to_owned))
        .collect();
    found.sort();
    let mut known = BUILT_IN.map(|(name, _)| name);
    known.sort_unstable();
    assert_eq!(found, known);
}
