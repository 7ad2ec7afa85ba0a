//! What was read of the wheels of indexes, kept for the next run: facts only, so that no policy is in it.
//!
//! An entry is named by where the wheel was read: its address, the SHA-256 that the index claims, its size, and the interpreter. The claim
//! alone is no key: what one index claims must not stand for a file of another. Facts of an older gilaudit are never used: the folder is
//! named by a digest of what gilaudit says of all its fixtures, which a test keeps true.
//!
//! An entry is written beside its place and renamed, so that any number of processes may read and write at once.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use gilaudit_index::{File, shown};
use gilaudit_model::Target;
use serde::{Deserialize, Serialize};

use super::WheelFacts;

/// The folder of this format, in the cache's folder.
const FORMAT: &str = "index-v1";
/// The digest of what is said of the fixtures.
const EPOCH: &str = include_str!("../../fixtures/facts.sha256");

/// The cache, or none.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: Option<PathBuf>,
}

/// An entry as it is written.
#[derive(Serialize, Deserialize)]
struct Entry {
    /// What it is an entry of, whole: names of files are digests.
    of: String,
    facts: WheelFacts,
}

impl Cache {
    /// In this folder, or in the user's folder for such things.
    pub(crate) fn new(folder: Option<&Path>) -> Self {
        let own = || Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("gilaudit"));
        Self { folder: folder.map(Path::to_owned).or_else(own).map(|folder| folder.join(FORMAT)) }
    }

    pub(crate) fn none() -> Self {
        Self { folder: None }
    }

    /// The folder with everything in it.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    fn of(file: &File, target: &Target) -> String {
        let (claimed, size) = (file.claimed_sha256.as_deref().unwrap_or("-"), file.size.unwrap_or(0));
        format!("{} {claimed} {size} {target}", shown(&file.url))
    }

    fn path(&self, of: &str) -> Option<PathBuf> {
        let name = gilaudit_input::sha256_hex(of.as_bytes());
        let epoch = EPOCH.trim().get(..16)?;
        Some(self.folder.as_ref()?.join(epoch).join(name.get(..2)?).join(format!("{name}.json")))
    }

    pub(crate) fn get(&self, file: &File, target: &Target) -> Option<WheelFacts> {
        let of = Self::of(file, target);
        let text = gilaudit_input::read_text(&self.path(&of)?).ok()?;
        let entry: Entry = serde_json::from_str(&text).ok()?;
        (entry.of == of).then_some(entry.facts)
    }

    /// Keeps what was read. A cache that cannot be written is none.
    pub(crate) fn put(&self, file: &File, target: &Target, facts: &WheelFacts) {
        let write = || -> Option<()> {
            let of = Self::of(file, target);
            let path = self.path(&of)?;
            let folder = path.parent()?;
            fs::create_dir_all(folder).ok()?;
            let text = serde_json::to_vec(&Entry { of, facts: facts.clone() }).ok()?;
            let mut beside = tempfile::NamedTempFile::new_in(folder).ok()?;
            beside.write_all(&text).ok()?;
            beside.persist(&path).ok()?;
            Some(())
        };
        let _ = write();
    }

    /// The entries, and their bytes.
    pub(crate) fn size(&self) -> (usize, u64) {
        let mut all = (0, 0);
        self.each(&mut |path| {
            all.0 += 1;
            all.1 += path.metadata().map_or(0, |metadata| metadata.len());
        });
        all
    }

    /// Removes all entries; gives how many there were. Nothing else in the folder is touched.
    pub(crate) fn clear(&self) -> usize {
        let mut gone = 0;
        self.each(&mut |path| gone += usize::from(fs::remove_file(path).is_ok()));
        if let Some(folder) = &self.folder {
            for epoch in folders(folder) {
                folders(&epoch).iter().for_each(|part| drop(fs::remove_dir(part)));
                let _ = fs::remove_dir(epoch);
            }
            let _ = fs::remove_dir(folder);
        }
        gone
    }

    fn each(&self, work: &mut dyn FnMut(&Path)) {
        let Some(folder) = &self.folder else { return };
        for part in folders(folder).iter().flat_map(|epoch| folders(epoch)) {
            let files = fs::read_dir(part).into_iter().flatten().flatten().map(|entry| entry.path());
            files.filter(|path| is_entry(path)).for_each(|path| work(&path));
        }
    }
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}

fn is_entry(path: &Path) -> bool {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    path.extension().is_some_and(|it| it == "json") && stem.len() == 64 && stem.bytes().all(|it| it.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use gilaudit_index::{Kind, Url};

    use super::*;

    fn file(url: &str) -> File {
        let url = Url::parse(url).unwrap();
        File {
            name: "x-1-py3-none-any.whl".into(),
            index: url.clone(),
            url,
            kind: Kind::Wheel,
            version: "1".parse().unwrap(),
            claimed_sha256: Some("ab".repeat(32)),
            size: Some(5),
            uploaded: None,
            requires_python: None,
            yanked: None,
        }
    }

    #[test]
    fn entries_are_of_one_address_and_one_interpreter() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(Some(folder.path()));
        let (here, target) = (file("https://u:secret@a.example/x.whl"), "3.14t".parse().unwrap());
        let facts = WheelFacts { layout_checked: true, ..WheelFacts::default() };
        assert_eq!(cache.get(&here, &target), None);
        cache.put(&here, &target, &facts);
        assert_eq!(cache.get(&here, &target), Some(facts.clone()));
        // The same claim of another index, and another interpreter.
        assert_eq!(cache.get(&file("https://b.example/x.whl"), &target), None);
        assert_eq!(cache.get(&here, &"3.13t".parse().unwrap()), None);
        assert_eq!(cache.size().0, 1);
        let mut text = String::new();
        cache.each(&mut |path| text = fs::read_to_string(path).unwrap());
        assert!(!text.contains("secret"), "{text}");
        // Damage is no entry.
        cache.each(&mut |path| fs::write(path, "{").unwrap());
        assert_eq!(cache.get(&here, &target), None);
        fs::write(folder.path().join("mine.json"), "x").unwrap();
        assert_eq!((cache.clear(), cache.size().0), (1, 0));
        assert!(folder.path().join("mine.json").is_file());
        Cache::none().put(&here, &target, &facts);
        assert_eq!(Cache::none().get(&here, &target), None);
    }
}
