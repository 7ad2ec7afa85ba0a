//! A wheel: which of its members are worth reading, and what its metadata says.

use std::collections::HashMap;
use std::path::Path;

use gilaudit_model::{Distribution, Origin, Stage, WheelTags};

use crate::bytes::Bytes;
use crate::collector::Collector;
use crate::dist_info;
use crate::inventory::{Artifact, ArtifactKind, Handle, Member, MemberKind};
use crate::names::{inside, installed_path, module_name, shared_library};
use crate::problems::{not_read, notice, unread};
use crate::wheel_name::{WheelName, same_name, same_tags, same_version};
use crate::zip::{Archive, Directory, Entry, Misplaced};

/// Lists a wheel on disk.
pub(crate) fn collect(collector: &mut Collector, path: &Path, origin: Origin, explicit: bool) {
    let artifact = Artifact {
        origin: origin.clone(),
        kind: ArtifactKind::Wheel,
        explicit,
        distribution: None,
        tags: None,
        python: None,
    };
    // A wheel may well be larger than one member may: what it holds has limits of its own.
    let opened = match Bytes::of_file(path, u64::MAX) {
        Ok(bytes) => Archive::open(bytes).map_err(|fault| unread(origin.clone(), fault.stage, fault.error)),
        Err(error) => Err(not_read(origin.clone(), &error)),
    };
    match opened {
        Ok(archive) => list(collector, archive, artifact),
        Err(problem) => {
            let name = WheelName::parse(origin.file_name());
            let (distribution, tags) = name.map(|name| (name.distribution, name.tags)).unzip();
            collector.artifact(Artifact { distribution, tags, ..artifact });
            collector.problem(problem);
        }
    }
}

/// Lists an open archive as a wheel.
pub(crate) fn list(collector: &mut Collector, archive: Archive, artifact: Artifact) {
    let origin = artifact.origin.clone();
    let directory = archive.directory(collector.limits());
    report_directory(collector, &archive, &directory, &origin);
    let entries = sound_entries(collector, &archive, directory.entries, &origin);
    let metadata = Metadata::read(collector, &archive, &entries, &origin);

    let artifact = Artifact { distribution: metadata.distribution.clone(), tags: metadata.tags.clone(), ..artifact };
    let artifact = collector.artifact(artifact);
    let archive = collector.archive(archive);
    let mut budget = collector.limits().archive_bytes;
    for (path, entry) in entries {
        let Some(kind) = library_kind(&path) else { continue };
        let origin = origin.member(entry.name.as_str());
        let Some(rest) = budget.checked_sub(entry.size) else {
            let error = format!(
                "the archive's members are over the limit of {} bytes together",
                collector.limits().archive_bytes
            );
            let problem = if kind == MemberKind::Candidate { unread } else { notice };
            collector.problem(problem(origin, Stage::Limits, error));
            continue;
        };
        budget = rest;
        collector.member(Member {
            origin,
            kind,
            explicit: false,
            module: module_name(installed_path(&path)),
            distribution: metadata.distribution.clone(),
            tags: metadata.tags.clone(),
            record_sha256: metadata.record.libraries.get(&path).cloned().flatten(),
            artifact,
            handle: Handle::Entry { archive, entry },
        });
    }
}

fn library_kind(path: &str) -> Option<MemberKind> {
    shared_library(path.rsplit('/').next().unwrap_or_default())
}

/// Says what is wrong with the directory as a whole.
fn report_directory(collector: &mut Collector, archive: &Archive, directory: &Directory, origin: &Origin) {
    if let Some(fault) = &directory.cut {
        collector.problem(unread(origin.clone(), fault.stage, fault.error.as_str()));
    }
    if let Some(declared) = directory.miscounted {
        let error = format!("the archive says it has {declared} entries, which is not the number it has");
        collector.problem(notice(origin.clone(), Stage::Archive, error));
    }
    for misplaced in archive.misplaced(&directory.entries) {
        match misplaced {
            Misplaced::Shared(first, second) => {
                let error = format!("'{}' and '{}' share data", first.escape_debug(), second.escape_debug());
                collector.problem(notice(origin.clone(), Stage::Archive, error));
            }
            Misplaced::Unlisted(name) => {
                let matters = library_kind(&name.replace('\\', "/")) == Some(MemberKind::Candidate);
                let error =
                    "a local entry that the central directory does not list: installers disagree about this member";
                let at = origin.member(name.escape_debug().to_string());
                collector.problem(if matters { unread } else { notice }(at, Stage::Archive, error));
            }
        }
    }
}

/// The entries that every installer agrees about, by the path they are installed from; each of the others becomes a problem.
fn sound_entries(
    collector: &mut Collector,
    archive: &Archive,
    entries: Vec<Entry>,
    origin: &Origin,
) -> Vec<(String, Entry)> {
    let mut sound: Vec<(String, Entry)> = Vec::with_capacity(entries.len());
    let mut times: HashMap<String, usize> = HashMap::with_capacity(entries.len());
    for entry in entries {
        let at = || origin.member(entry.name.escape_debug().to_string());
        let matters = library_kind(&entry.name.replace('\\', "/")) == Some(MemberKind::Candidate);
        let path = if entry.name.contains(['\\', '\0']) { None } else { inside(&entry.name) };
        let Some(path) = path else {
            let error = "a name that leaves the folder it is installed to, or that systems read differently";
            collector.problem(if matters { unread } else { notice }(at(), Stage::Archive, error));
            continue;
        };
        let path = path.into_owned();
        if let Some(local) = archive.other_name(&entry) {
            let matters = matters || library_kind(&local) == Some(MemberKind::Candidate);
            let error =
                format!("its local header calls it '{}': installers disagree about this member", local.escape_debug());
            collector.problem(if matters { unread } else { notice }(at(), Stage::Archive, error));
            continue;
        }
        let count = times.entry(path.clone()).or_default();
        *count = count.saturating_add(1);
        sound.push((path, entry));
    }
    let mut told: HashMap<String, ()> = HashMap::new();
    sound.retain(|(path, entry)| {
        let count = times.get(path).copied().unwrap_or(1);
        if count > 1 && told.insert(path.clone(), ()).is_none() {
            let matters = library_kind(path) == Some(MemberKind::Candidate);
            let error = format!("{count} members of this name: installers disagree which one wins");
            let at = origin.member(entry.name.as_str());
            collector.problem(if matters { unread } else { notice }(at, Stage::Archive, error));
        }
        count == 1
    });
    sound
}

/// What the `.dist-info` folder of a wheel and its file name say.
#[derive(Debug, Default)]
struct Metadata {
    distribution: Option<Distribution>,
    tags: Option<WheelTags>,
    record: dist_info::Record,
}

impl Metadata {
    fn read(collector: &mut Collector, archive: &Archive, entries: &[(String, Entry)], origin: &Origin) -> Self {
        let name = WheelName::parse(origin.file_name());
        if name.is_none() && origin.file_name().ends_with(".whl") {
            let error = "the file name is not that of a wheel: NAME-VERSION-PYTHON-ABI-PLATFORM.whl";
            collector.problem(notice(origin.clone(), Stage::Metadata, error));
        }
        let folder = dist_info_folder(collector, entries, name.as_ref(), origin);
        let mut text = |file: &str| {
            let path = format!("{}/{file}", folder.as_deref()?);
            let Some((_, entry)) = entries.iter().find(|(entry, _)| *entry == path) else {
                collector.problem(notice(origin.clone(), Stage::Metadata, format!("no {path} in it")));
                return None;
            };
            let mut limits = collector.limits().clone();
            limits.member_bytes = limits.member_bytes.min(limits.metadata_bytes);
            match archive.read(entry, &limits) {
                Ok(bytes) => Some(bytes),
                Err(fault) => {
                    collector.problem(notice(origin.member(path), fault.stage, fault.error));
                    None
                }
            }
        };
        let (metadata, wheel, record) = (text("METADATA"), text("WHEEL"), text("RECORD"));
        let folder = folder.unwrap_or_default();
        let mut understood = |file: &str, error: String| {
            let at = origin.member(format!("{folder}/{file}"));
            collector.problem(notice(at, Stage::Metadata, error));
        };

        let distribution = metadata
            .and_then(|text| dist_info::distribution(&text).map_err(|error| understood("METADATA", error)).ok());
        let tags = wheel
            .and_then(|text| dist_info::wheel_tags(&text).map_err(|error| understood("WHEEL", error)).ok().flatten());
        let record = record.map(|text| dist_info::record(&text)).unwrap_or_default();
        if let Some(fault) = &record.fault {
            understood("RECORD", fault.clone());
        }
        let mut all = Self { distribution, tags, record };
        all.compare_names(collector, name, origin);
        all.compare_record(collector, entries, &folder, origin);
        all
    }

    /// Takes from the file name what the metadata does not say, and says where the two disagree.
    fn compare_names(&mut self, collector: &mut Collector, name: Option<WheelName>, origin: &Origin) {
        let Some(name) = name else { return };
        let mut disagree = |what: &str, inner: &str, outer: &str| {
            let error = format!("{what} is '{inner}' by its metadata but '{outer}' by its file name");
            collector.problem(notice(origin.clone(), Stage::Metadata, error));
        };
        match &self.distribution {
            None => self.distribution = Some(name.distribution),
            Some(inner) => {
                if !same_name(&inner.name, &name.distribution.name) {
                    disagree("the distribution's name", &inner.name, &name.distribution.name);
                }
                if !same_version(&inner.version, &name.distribution.version) {
                    disagree("the version", &inner.version, &name.distribution.version);
                }
            }
        }
        match &self.tags {
            None => self.tags = Some(name.tags),
            Some(inner) if same_tags(inner, &name.tags) => {}
            Some(inner) => {
                let text = |tags: &WheelTags| {
                    format!("{}-{}-{}", tags.python.join("."), tags.abi.join("."), tags.platform.join("."))
                };
                disagree("the tag", &text(inner), &text(&name.tags));
            }
        }
    }

    /// Says which extensions are in RECORD or in the archive but not in both.
    fn compare_record(&self, collector: &mut Collector, entries: &[(String, Entry)], folder: &str, origin: &Origin) {
        if self.record.libraries.is_empty() {
            return;
        }
        let candidate = |path: &str| library_kind(path) == Some(MemberKind::Candidate);
        let present: HashMap<&str, ()> = entries.iter().map(|(path, _)| (path.as_str(), ())).collect();
        let mut missing: Vec<&String> = self
            .record
            .libraries
            .keys()
            .filter(|path| candidate(path) && !present.contains_key(path.as_str()))
            .collect();
        missing.sort();
        for path in missing {
            let error = format!("{folder}/RECORD lists it, but the archive does not have it");
            collector.problem(notice(origin.member(path.as_str()), Stage::Metadata, error));
        }
        for (path, entry) in entries {
            if candidate(path) && !self.record.libraries.contains_key(path) {
                let error = format!("{folder}/RECORD does not list it");
                collector.problem(notice(origin.member(entry.name.as_str()), Stage::Metadata, error));
            }
        }
    }
}

/// The top-level `.dist-info` folder: the one that the file name announces, if there are several.
fn dist_info_folder(
    collector: &mut Collector,
    entries: &[(String, Entry)],
    name: Option<&WheelName>,
    origin: &Origin,
) -> Option<String> {
    let mut folders: Vec<&str> = entries
        .iter()
        .filter_map(|(path, _)| path.split_once('/').map(|(folder, _)| folder))
        .filter(|folder| folder.ends_with(".dist-info"))
        .collect();
    folders.sort_unstable();
    folders.dedup();
    let problem = match folders.as_slice() {
        [] => Some("no .dist-info folder in it: not a wheel".to_owned()),
        [_] => None,
        several => Some(format!("several .dist-info folders: {}", several.join(", "))),
    };
    if let Some(error) = problem {
        collector.problem(notice(origin.clone(), Stage::Metadata, error));
    }
    let announced = |folder: &&&str| {
        let inner = dist_info::distribution_of_folder(folder);
        name.zip(inner).is_some_and(|(name, inner)| same_name(&name.distribution.name, &inner.name))
    };
    folders.iter().find(announced).or(folders.first()).map(|folder| (*folder).to_owned())
}
