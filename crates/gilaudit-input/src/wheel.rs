//! A wheel: which of its members are worth reading, and what its metadata says.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use gilaudit_model::{Distribution, Origin, Problem, Stage, WheelTags};

use crate::collector::Collector;
use crate::dist_info;
use crate::inventory::{Artifact, ArtifactKind, Handle, Member, MemberKind};
use crate::names::{Destination, destination, inside, module_name, shared_library};
use crate::nested;
use crate::open::ReadError;
use crate::problems::{not_read, notice, unread};
use crate::record;
use crate::wheel_name::{WheelName, same_name, same_tags, same_version};
use crate::zip::{Archive, Directory, Entry, Misplaced, Source, quoted};

/// Lists a wheel on disk.
pub(crate) fn collect(collector: &mut Collector, path: &Path, origin: Origin, explicit: bool) {
    let artifact = artifact(origin, explicit);
    open(collector, Source::file(path), artifact);
}

/// A wheel of which nothing is known yet.
pub(crate) fn artifact(origin: Origin, explicit: bool) -> Artifact {
    Artifact { origin, kind: ArtifactKind::Wheel, explicit, distribution: None, tags: None, python: None }
}

/// Lists what may be opened as a wheel, and gives how many of its members are named like extensions.
pub(crate) fn open(collector: &mut Collector, source: Result<Source, ReadError>, artifact: Artifact) -> usize {
    let origin = artifact.origin.clone();
    let opened = source.map_err(|error| not_read(origin.clone(), &error)).and_then(|source| {
        let archive = Archive::new(source);
        let directory = archive.directory(collector.limits(), matters);
        directory
            .map(|directory| (archive, directory))
            .map_err(|fault| unread(origin.clone(), fault.stage, fault.error))
    });
    match opened {
        Ok((archive, directory)) => list(collector, archive, directory, artifact, 0),
        Err(problem) => {
            cannot_be_opened(collector, problem, artifact);
            0
        }
    }
}

/// Lists a wheel that cannot be opened by what its name says.
pub(crate) fn cannot_be_opened(collector: &mut Collector, problem: Problem, artifact: Artifact) {
    let name = WheelName::parse(artifact.origin.file_name());
    let (distribution, tags) = name.map(|name| (name.distribution, name.tags)).unzip();
    collector.artifact(Artifact { distribution, tags, ..artifact });
    collector.problem(problem);
}

/// Lists an open archive as a wheel, or as a bag of other things when nothing in it says that it is one. `depth` is in how many other
/// archives it is. Gives how many of its members are named like extensions.
pub(crate) fn list(
    collector: &mut Collector,
    archive: Archive,
    directory: Directory,
    artifact: Artifact,
    depth: usize,
) -> usize {
    let origin = artifact.origin.clone();
    report_directory(collector, &directory, &origin);
    let is_wheel = origin.file_name().to_ascii_lowercase().ends_with(".whl")
        || directory.entries.iter().any(|entry| is_installable(&entry.name));
    let entries = sound_entries(collector, directory.entries, &origin);
    let metadata = if is_wheel { Metadata::read(collector, &archive, &entries, &origin) } else { Metadata::default() };

    let kind = if is_wheel { artifact.kind } else { ArtifactKind::Folder };
    let (distribution, tags) = (metadata.distribution.clone(), metadata.tags.clone());
    let artifact = collector.artifact(Artifact { kind, distribution, tags, ..artifact });
    let archive = Arc::new(archive);
    let index = collector.archive(Arc::clone(&archive));
    let mut budget = collector.limits().archive_bytes;
    let mut candidates: usize = 0;
    for (path, entry) in installed(collector, entries, metadata.tags.as_ref(), &origin) {
        let Some(kind) = library_kind(&path) else {
            nested::look(collector, &archive, &entry, &origin, !is_wheel, depth);
            continue;
        };
        let kind = if archive.is_remote() && !is_in_package(&path) { MemberKind::Library } else { kind };
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
        candidates = candidates.saturating_add(usize::from(kind == MemberKind::Candidate));
        let claim = metadata.record.libraries.get(&path).cloned().unwrap_or_default();
        collector.member(Member {
            origin,
            kind,
            explicit: false,
            module: module_name(destination(&path).path.trim_start_matches('/')),
            distribution: metadata.distribution.clone(),
            tags: metadata.tags.clone(),
            record_sha256: claim.sha256,
            // The size was compared with the directory's.
            record_size: None,
            artifact,
            handle: Handle::Entry { archive: index, entry },
        });
    }
    candidates
}

/// Whether Python finds a file by the packages that it is in: a folder with a dot in its name, as auditwheel and delvewheel make them for
/// the libraries that they put in, is none. Such a file is fetched from a server only when something needs it.
fn is_in_package(path: &str) -> bool {
    let place = destination(path).path;
    place.trim_start_matches('/').rsplit_once('/').is_none_or(|(folder, _)| !folder.contains('.'))
}

/// Whether an entry of this name is looked at in any case: what is named like an extension, what says what the wheel is, and archives.
pub(crate) fn matters(name: &str) -> bool {
    let is_metadata = |file: &str| {
        matches!(file, "METADATA" | "WHEEL" | "RECORD") && is_installable(name) && name.matches('/').count() == 1
    };
    (is_candidate(name) && is_in_package(name))
        || name.rsplit('/').next().is_some_and(is_metadata)
        || nested::is_package(name)
}

/// Whether a member of this name says that the archive is one that is installed: a wheel, or an egg.
fn is_installable(name: &str) -> bool {
    name.split_once('/').is_some_and(|(folder, _)| folder.ends_with(".dist-info") || folder == "EGG-INFO")
}

fn library_kind(path: &str) -> Option<MemberKind> {
    shared_library(path.rsplit('/').next().unwrap_or_default())
}

/// Whether a spelling of a name, `\\` read as `/`, is that of an extension.
fn is_candidate(name: &str) -> bool {
    let until_nul = name.split('\0').next().unwrap_or_default();
    let is = |name: &str| library_kind(name) == Some(MemberKind::Candidate);
    [name, until_nul].iter().any(|name| is(name) || is(&name.replace('\\', "/")))
}

/// A problem that leaves an extension unread, or one that does not.
fn problem_if(matters: bool) -> fn(Origin, Stage, String) -> Problem {
    if matters { unread } else { notice }
}

/// Says what is wrong with the directory as a whole.
fn report_directory(collector: &mut Collector, directory: &Directory, origin: &Origin) {
    if let Some(fault) = &directory.cut {
        collector.problem(unread(origin.clone(), fault.stage, fault.error.as_str()));
    }
    if let Some(declared) = directory.miscounted {
        let error = format!("the archive says it has {declared} entries, which is not the number it has");
        collector.problem(notice(origin.clone(), Stage::Archive, error));
    }
    if directory.prepended > 0 {
        let error = format!("{} bytes are in front of the archive", directory.prepended);
        collector.problem(notice(origin.clone(), Stage::Archive, error));
    }
    if directory.layout_unchecked {
        let error = "layout not checked: only what matters was fetched, so what only a local header names, and libraries beside the packages, were not looked at";
        collector.problem(notice(origin.clone(), Stage::Archive, error));
    }
    for misplaced in &directory.misplaced {
        match misplaced {
            Misplaced::Shared(first, second) => {
                let error = format!("'{first}' and '{second}' share data");
                collector.problem(notice(origin.clone(), Stage::Archive, error));
            }
            Misplaced::Unlisted(name) => {
                let error =
                    "a local entry that the central directory does not list: installers disagree about this member";
                let at = origin.member(quoted(name));
                collector.problem(problem_if(is_candidate(name))(at, Stage::Archive, error.to_owned()));
            }
        }
    }
}

/// The entries that have a place to be installed to, by that path in the archive. What installers may read in another way is said.
fn sound_entries(collector: &mut Collector, entries: Vec<Entry>, origin: &Origin) -> Vec<(String, Entry)> {
    let mut sound: Vec<(String, Entry)> = Vec::with_capacity(entries.len());
    for entry in entries {
        let at = || origin.member(quoted(&entry.name));
        let matters = is_candidate(&entry.name) || entry.other_names.iter().any(|name| is_candidate(name));
        if !entry.other_names.is_empty() {
            let others: Vec<String> =
                entry.other_names.iter().take(3).map(|name| format!("'{}'", quoted(name))).collect();
            let error = format!("also called {}: installers disagree about this member", others.join(", "));
            collector.problem(problem_if(matters)(at(), Stage::Archive, error));
        }
        if let Some(what) = entry.disagreement {
            let error = format!("local header and central directory disagree about {what}");
            collector.problem(problem_if(matters)(at(), Stage::Archive, error));
        }
        if entry.name.ends_with('/') {
            continue;
        }
        let path = if entry.name.contains('\\') { None } else { inside(&entry.name) };
        match path.map(std::borrow::Cow::into_owned).filter(|path| !path.is_empty()) {
            Some(path) => sound.push((path, entry)),
            None => {
                let error = "a name that leaves the folder it is installed to, or that systems read differently";
                collector.problem(problem_if(matters)(at(), Stage::Archive, error.to_owned()));
            }
        }
    }
    sound
}

/// The entries that are there once pip has installed all of them: of those that go to one place, the last one, as pip does it. It asks
/// for an entry by its name, and `zipfile` then takes the last of that name.
fn installed(
    collector: &mut Collector,
    entries: Vec<(String, Entry)>,
    tags: Option<&WheelTags>,
    origin: &Origin,
) -> Vec<(String, Entry)> {
    let mut places: HashMap<Destination, Vec<usize>> = HashMap::with_capacity(entries.len());
    for (index, (path, _)) in entries.iter().enumerate() {
        let key = Destination { late: false, ..destination(path) };
        places.entry(key).or_default().push(index);
    }
    let mut winners: Vec<Option<bool>> = vec![Some(false); entries.len()];
    for indices in places.into_values().filter(|indices| indices.len() > 1) {
        let late = |index: &usize| entries.get(*index).is_some_and(|(path, _)| destination(path).late);
        let winner = indices.iter().copied().max_by_key(|index| (late(index), *index));
        for index in indices {
            if let Some(place) = winners.get_mut(index) {
                *place = (Some(index) == winner).then_some(true);
            }
        }
    }
    let mut kept = Vec::with_capacity(entries.len());
    for ((path, entry), winner) in entries.into_iter().zip(winners) {
        match winner {
            None => continue,
            Some(true) => {
                let error = "several members are installed at this place: this one wins with pip, another with others";
                let at = origin.member(quoted(&entry.name));
                collector.problem(problem_if(is_candidate(&path))(at, Stage::Archive, error.to_owned()));
            }
            Some(false) => {}
        }
        kept.push((path, entry));
    }
    let ignores_case = |tag: &String| tag.starts_with("macosx") || tag.starts_with("win") || tag == "any";
    if tags.is_none_or(|tags| tags.platform.iter().any(ignores_case)) {
        report_case(collector, &kept, origin);
    }
    kept
}

/// Says which extensions are one file where systems do not tell capitals from small letters.
fn report_case(collector: &mut Collector, entries: &[(String, Entry)], origin: &Origin) {
    let mut by_lower: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (path, _) in entries.iter().filter(|(path, _)| is_candidate(path)) {
        by_lower.entry(destination(path).path.to_lowercase()).or_default().push(path);
    }
    for paths in by_lower.into_values().filter(|paths| paths.len() > 1) {
        let error = "differs from another member only in capitals: macOS and Windows install one of them";
        for path in paths {
            collector.problem(unread(origin.member(quoted(path)), Stage::Archive, error));
        }
    }
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
            match archive.read(entry, &limits, &collector.unlimited()) {
                Ok(bytes) => Some(bytes),
                Err(fault) => {
                    collector.problem(notice(origin.member(path), fault.stage, fault.error));
                    None
                }
            }
        };
        let (metadata, wheel, record) = (text("METADATA"), text("WHEEL"), text("RECORD"));
        collector.requirements(metadata.as_ref().map(|text| dist_info::requirements(text)).unwrap_or_default());
        let folder = folder.unwrap_or_default();
        let rows = record.as_ref().map(|text| record::rows(text, collector.limits().archive_members));
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
        if let Some(rows) = rows {
            record::compare(collector, &rows, entries, &folder, origin);
        }
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
        [first, ..] => {
            Some(format!("{} .dist-info folders, '{}' first: pip refuses such a wheel", folders.len(), quoted(first)))
        }
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
