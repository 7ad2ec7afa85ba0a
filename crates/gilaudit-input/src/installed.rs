//! What the RECORD files of installed distributions say about shared libraries.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use gilaudit_model::{Distribution, Stage, WheelTags};

use crate::bytes::Bytes;
use crate::collector::Collector;
use crate::dist_info::{self, Claim};
use crate::inventory::MemberKind;
use crate::names::{inside, shared_library};
use crate::problems::{notice, origin_of, slashed};
use crate::walk::Found;

/// The recorded files named like shared libraries, by path relative to the given folder.
#[derive(Debug, Default)]
pub(crate) struct Installed {
    distributions: Vec<(Option<Distribution>, Option<WheelTags>)>,
    files: BTreeMap<String, Recorded>,
}

#[derive(Debug)]
struct Recorded {
    distribution: usize,
    claim: Claim,
}

impl Installed {
    /// Reads the metadata of one distribution: RECORD first, the rest only if it has shared libraries.
    pub(crate) fn read(&mut self, collector: &mut Collector, root: &Path, folder: &Path, site: &Path) {
        let path = root.join(folder);
        let Some(text) = read(collector, &path.join("RECORD")) else { return };
        let record = dist_info::record(&text);
        let say = |collector: &mut Collector, file: &str, error: String| {
            collector.problem(notice(origin_of(&path.join(file)), Stage::Metadata, error));
        };
        if let Some(fault) = record.fault {
            say(collector, "RECORD", fault);
        }
        let direct = if record.direct { read(collector, &path.join("direct_url.json")) } else { None };
        if let Some(target) = direct.and_then(|text| dist_info::editable_folder(&text)) {
            let error = format!("installed in editable mode: its files are in {target}, which was not looked at");
            collector.problem(notice(origin_of(&path), Stage::Find, error));
        }
        let by_folder = || dist_info::distribution_of_folder(&folder.file_name()?.to_string_lossy());
        if record.libraries.is_empty() {
            // The name of its folder is enough to say that it is there.
            if let Some(distribution) = by_folder() {
                collector.installed(distribution);
            }
            return;
        }

        let distribution = read(collector, &path.join("METADATA"))
            .and_then(|text| dist_info::distribution(&text).map_err(|error| say(collector, "METADATA", error)).ok());
        let tags = read(collector, &path.join("WHEEL"))
            .and_then(|text| dist_info::wheel_tags(&text).map_err(|error| say(collector, "WHEEL", error)).ok())
            .flatten();
        let index = self.distributions.len();
        let distribution = distribution.or_else(by_folder);
        if let Some(distribution) = &distribution {
            collector.installed(distribution.clone());
        }
        self.distributions.push((distribution, tags));

        let site = slashed(site);
        for (file, claim) in record.libraries {
            // Scripts and data files are recorded as `../../../bin/x` all the time; only a shared library there is worth a word.
            let Some(file) = inside(&file) else {
                let error = format!(
                    "lists '{}', which is outside this folder and was not looked at",
                    crate::zip::quoted(&file)
                );
                say(collector, "RECORD", error);
                continue;
            };
            let file = if site.is_empty() { file.into_owned() } else { format!("{site}/{file}") };
            self.files.insert(file, Recorded { distribution: index, claim });
        }
    }

    /// Recorded files that the walk did not meet and that are there all the same, in a folder that was skipped or behind a
    /// symbolic link. The missing ones become problems.
    pub(crate) fn not_met(&self, collector: &mut Collector, root: &Path, met: &[Found]) -> Vec<Found> {
        let met: HashSet<String> = met.iter().map(|found| slashed(&found.path)).collect();
        let mut found = Vec::new();
        for path in self.files.keys().filter(|path| !met.contains(*path)) {
            let Some(kind) = shared_library(path.rsplit('/').next().unwrap_or_default()) else { continue };
            let full = root.join(path);
            if full.is_file() {
                found.push(Found { path: path.into(), kind, symlink: true });
            } else if kind == MemberKind::Candidate {
                let error = "RECORD lists this file, but it is not there";
                collector.problem_of(root, notice(origin_of(&full), Stage::Metadata, error));
            }
        }
        found
    }

    /// The distribution and tags of a file, and what RECORD says of it.
    pub(crate) fn of(&self, path: &str) -> (Option<Distribution>, Option<WheelTags>, Claim) {
        let Some(recorded) = self.files.get(path) else { return (None, None, Claim::default()) };
        let (distribution, tags) = self.distributions.get(recorded.distribution).cloned().unwrap_or_default();
        (distribution, tags, recorded.claim.clone())
    }
}

/// Reads a metadata file. That it does not exist is not worth a word: Debian's distributions have no RECORD.
fn read(collector: &mut Collector, path: &Path) -> Option<Bytes> {
    match Bytes::of_file(path, collector.limits().metadata_bytes) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.is_not_found() => None,
        Err(error) => {
            collector.problem(notice(origin_of(path), Stage::Metadata, error.to_string()));
            None
        }
    }
}
