//! Crates that Cargo vendored: dependencies as a registry has them, which are no code of the project that carries them.
//!
//! `cargo vendor` writes a `.cargo-checksum.json` into the folder of each crate, and the folder of all of them is the `directory` of a
//! source in `.cargo/config.toml`. Either is enough, since archives of sources often leave files out whose names begin with a dot.

use std::collections::HashSet;

use toml::de::{DeTable, DeValue};

use super::cargo::{folder, get, joined, table, text};
use crate::SourceText;

/// The largest file that is read.
const LARGEST: usize = 1 << 20;

/// The folders of vendored crates. The project's own root is not one, also when a crate from a registry is what is looked at.
pub(crate) fn folders(files: &[SourceText]) -> HashSet<String> {
    let mut out = HashSet::new();
    for file in files {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let outer = folder(&file.path);
        match name {
            ".cargo-checksum.json" => {
                out.insert(outer.to_owned());
            }
            "config.toml" if file.text.len() <= LARGEST => {
                if let Some(root) = outer.strip_suffix(".cargo").filter(|it| it.is_empty() || it.ends_with('/')) {
                    out.extend(directories(&file.text).iter().filter_map(|path| joined(root, path)));
                }
            }
            _ => {}
        }
    }
    out.remove("");
    out
}

/// Whether a path is in one of these folders.
pub(crate) fn is_in(path: &str, folders: &HashSet<String>) -> bool {
    let mut around = folder(path);
    while !around.is_empty() {
        if folders.contains(around) {
            return true;
        }
        around = folder(around);
    }
    false
}

/// The `directory` of each `[source.NAME]`.
fn directories(config: &str) -> Vec<String> {
    let Ok(config) = DeTable::parse(config) else { return Vec::new() };
    let Some(sources) = table(config.get_ref(), "source") else { return Vec::new() };
    let names = sources.keys().map(|name| name.get_ref().as_ref());
    let tables = names.filter_map(|name| get(sources, name).and_then(DeValue::as_table));
    tables.filter_map(|source| text(source, "directory")).map(str::to_owned).collect()
}
