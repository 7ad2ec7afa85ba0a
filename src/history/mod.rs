//! What the releases of a distribution do on an interpreter, by their wheels on an index.
//!
//! `online.rs` is the index as the user has it configured, `release.rs` reads one wheel, `cache.rs` keeps what was read. No release is
//! guessed from its neighbours: support can be lost, too.

pub(crate) mod cache;
pub(crate) mod online;
pub(crate) mod pinned;
pub(crate) mod release;
pub(crate) mod upgrade;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use gilaudit_index::{File, Kind, Listing, Version};
use gilaudit_input::{Fit, fit};
use gilaudit_model::Target;
use serde::{Deserialize, Serialize};

use online::Online;

/// What the wheel of a release does on the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// All modules declare that they run without the GIL.
    Declares,
    /// There are no extension modules in it.
    Pure,
    /// Some modules keep the GIL off, and some turn it on.
    Mixed,
    /// Every module turns the GIL on.
    EnablesGil,
    /// None turns the GIL on, but of some it could not be told.
    Undetermined,
    /// None of its modules can be imported.
    CannotImport,
    /// There are wheels for the stable ABI only, which a free-threaded interpreter does not load.
    Abi3Only,
    /// There is no wheel for the target.
    NoWheel,
    /// Its wheel could not be read.
    Unreadable,
}

impl Verdict {
    pub(crate) const ALL: [Self; 9] = [
        Self::Declares,
        Self::Pure,
        Self::Mixed,
        Self::EnablesGil,
        Self::Undetermined,
        Self::CannotImport,
        Self::Abi3Only,
        Self::NoWheel,
        Self::Unreadable,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Declares => "declares",
            Self::Pure => "pure",
            Self::Mixed => "mixed",
            Self::EnablesGil => "enables-gil",
            Self::Undetermined => "undetermined",
            Self::CannotImport => "cannot-import",
            Self::Abi3Only => "abi3-only",
            Self::NoWheel => "no-wheel",
            Self::Unreadable => "unreadable",
        }
    }

    /// Whether all of it runs without the GIL for sure.
    pub(crate) fn is_free(self) -> bool {
        matches!(self, Self::Declares | Self::Pure)
    }

    /// Whether there is a wheel, and it was read.
    fn was_read(self) -> bool {
        !matches!(self, Self::Abi3Only | Self::NoWheel | Self::Unreadable)
    }
}

/// A module of a wheel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Module {
    pub(crate) name: String,
    /// The member.
    pub(crate) path: String,
    /// Of the member's own bytes.
    pub(crate) sha256: Option<String>,
    pub(crate) declaration: String,
    pub(crate) outcome: String,
    pub(crate) because: String,
}

/// What was read of one wheel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WheelFacts {
    pub(crate) modules: Vec<Module>,
    /// What could not be read.
    pub(crate) unread: Vec<String>,
    /// Whether the file was read as a whole, so that nothing can hide between its members.
    pub(crate) layout_checked: bool,
    /// The SHA-256 of the file, when it was read as a whole.
    pub(crate) sha256: Option<String>,
    /// What it needs: the `Requires-Dist` lines.
    pub(crate) requires: Vec<String>,
}

/// What reading a wheel cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) requests: usize,
    pub(crate) bytes: u64,
    /// It was in the cache.
    pub(crate) cached: bool,
}

/// A release with what its wheel does.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    pub(crate) version: Version,
    pub(crate) uploaded: Option<String>,
    pub(crate) yanked: Option<String>,
    pub(crate) verdict: Verdict,
    /// The wheel that was read, or that would have been.
    pub(crate) wheel: Option<File>,
    pub(crate) facts: WheelFacts,
    pub(crate) cost: Cost,
    /// Why there is no verdict about modules.
    pub(crate) why: Option<String>,
}

/// The releases of one distribution.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) name: String,
    pub(crate) target: Target,
    pub(crate) platform: String,
    /// The oldest first.
    pub(crate) releases: Vec<Release>,
    /// Releases that were not asked about: pre-releases without `--pre`, older ones, those beyond `--limit`.
    pub(crate) left_out: usize,
    pub(crate) problems: Vec<String>,
}

impl History {
    /// The first release that has a wheel for the target.
    pub(crate) fn first_wheel(&self) -> Option<&Release> {
        self.releases.iter().find(|release| release.verdict.was_read() && release.verdict != Verdict::Pure)
    }

    /// The first release all of whose modules declare.
    pub(crate) fn first_declares(&self) -> Option<&Release> {
        self.releases.iter().find(|release| release.verdict == Verdict::Declares)
    }

    /// Releases that do worse than one that came before them.
    pub(crate) fn regressions(&self) -> Vec<(&Release, &Release)> {
        let mut lost = Vec::new();
        let mut good: Option<&Release> = None;
        for release in &self.releases {
            match (release.verdict, good) {
                (Verdict::Declares, _) => good = Some(release),
                (Verdict::Mixed | Verdict::EnablesGil | Verdict::CannotImport, Some(before)) => {
                    lost.push((before, release));
                    good = None;
                }
                _ => {}
            }
        }
        lost
    }
}

/// Which interpreter and platform is asked about.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) target: Target,
    /// What the platform is called.
    pub(crate) platform: String,
    /// Its wheel tags, the most specific first.
    pub(crate) tags: Vec<String>,
}

/// The releases of a listing: the files of each version, oldest first.
pub(crate) fn releases(listing: &Listing) -> BTreeMap<&Version, Vec<&File>> {
    listing.versions()
}

/// The wheel of a release that pip would take for the target, or why there is none.
pub(crate) fn choose<'a>(files: &[&'a File], wanted: &Wanted) -> Result<&'a File, (Verdict, String)> {
    let fits = |file: &&File| file.kind == Kind::Wheel;
    let best = files
        .iter()
        .copied()
        .filter(fits)
        .map(|file| (fit(&file.name, &wanted.target, &wanted.tags), file))
        .max_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    match best {
        Some((Fit::Loads(_) | Fit::Pure, file)) => match excluded(file, &wanted.target) {
            Some(why) => Err((Verdict::NoWheel, why)),
            None => Ok(file),
        },
        Some((Fit::Abi3Only, file)) => Err((Verdict::Abi3Only, format!("{} is for GIL builds", file.name))),
        Some((Fit::No, _)) => Err((
            Verdict::NoWheel,
            format!("its wheels are for other interpreters or platforms than {}", wanted.target),
        )),
        None => Err((Verdict::NoWheel, "it has a source distribution only".to_owned())),
    }
}

/// That `Requires-Python` leaves the target out.
fn excluded(file: &File, target: &Target) -> Option<String> {
    let text = file.requires_python.as_deref()?;
    let specifiers: gilaudit_index::VersionSpecifiers = text.parse().ok()?;
    // The last patch of a minor version is not known; an upper bound inside it would be odd.
    let version: Version = format!("{}.99", target.version).parse().ok()?;
    (!specifiers.contains(&version)).then(|| format!("it requires Python {text}"))
}

/// What is to be left out of a history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Range {
    pub(crate) since: Option<Version>,
    pub(crate) pre: bool,
    pub(crate) limit: Option<usize>,
}

/// Reads every release of a project that has a wheel for the target. `step` is called after each.
pub(crate) fn of(
    online: &Online,
    name: &str,
    wanted: &Wanted,
    range: &Range,
    begin: impl FnOnce(usize),
    step: &dyn Fn(),
) -> Result<History, gilaudit_index::Failure> {
    let listing = online.list(name)?;
    let all = releases(&listing);
    let count = all.len();
    let mut chosen: Vec<(&Version, Vec<&File>)> = all
        .into_iter()
        .filter(|(version, _)| range.pre || !version.any_prerelease())
        .filter(|(version, _)| range.since.as_ref().is_none_or(|since| *version >= since))
        .collect();
    if let Some(limit) = range.limit {
        chosen.drain(..chosen.len().saturating_sub(limit));
    }
    let left_out = count - chosen.len();
    begin(chosen.len());
    let releases = read_all(online, &chosen, wanted, step);
    Ok(History {
        name: name.to_owned(),
        target: wanted.target,
        platform: wanted.platform.clone(),
        releases,
        left_out,
        problems: listing.problems,
    })
}

/// Wheels that are fetched at a time.
const FETCHED: usize = 4;
/// Wheels that wait for their audit, in memory.
const WAITING: usize = 2;

/// Fetches the wheels of releases by several threads, and audits each as it comes.
pub(crate) fn read_all(
    online: &Online,
    chosen: &[(&Version, Vec<&File>)],
    wanted: &Wanted,
    step: &dyn Fn(),
) -> Vec<Release> {
    let next = AtomicUsize::new(0);
    let (to, from) = mpsc::sync_channel(WAITING);
    let mut releases: Vec<(usize, Release)> = thread::scope(|scope| {
        for _ in 0..FETCHED.min(chosen.len()) {
            let (to, next) = (to.clone(), &next);
            scope.spawn(move || {
                while let Some((index, (version, files))) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|index| Some((index, chosen.get(index)?)))
                {
                    let release = unread(version, files);
                    let choice =
                        choose(files, wanted).map(|file| (file.clone(), release::fetch(online, file, &wanted.target)));
                    if to.send((index, release, choice)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(to);
        from.iter()
            .map(|(index, release, choice)| {
                step();
                (index, finished(online, wanted, release, choice))
            })
            .collect()
    });
    releases.sort_by_key(|(index, _)| *index);
    releases.into_iter().map(|(_, release)| release).collect()
}

/// A release of which nothing was read yet.
fn unread(version: &Version, files: &[&File]) -> Release {
    // A release is withdrawn when all of its files are.
    let yanked = files.iter().all(|file| file.yanked.is_some());
    Release {
        version: version.clone(),
        uploaded: files.iter().filter_map(|file| file.uploaded.clone()).min(),
        yanked: files.iter().find_map(|file| file.yanked.clone()).filter(|_| yanked),
        verdict: Verdict::NoWheel,
        wheel: None,
        facts: WheelFacts::default(),
        cost: Cost::default(),
        why: None,
    }
}

type Choice = Result<(File, Result<release::Fetched, String>), (Verdict, String)>;

fn finished(online: &Online, wanted: &Wanted, mut release: Release, choice: Choice) -> Release {
    let (file, fetched) = match choice {
        Ok(choice) => choice,
        Err((verdict, why)) => return Release { verdict, why: Some(why), ..release },
    };
    match fetched.and_then(|fetched| release::read(online, &file, &wanted.target, fetched)) {
        Ok((facts, cost)) => {
            release.verdict = verdict(&facts);
            release.why = facts.unread.first().cloned();
            release.facts = facts;
            release.cost = cost;
        }
        Err(error) => {
            release.verdict = Verdict::Unreadable;
            release.why = Some(error);
        }
    }
    release.wheel = Some(file);
    release
}

/// What the modules of a wheel make of it.
fn verdict(facts: &WheelFacts) -> Verdict {
    let count = |outcome: &str| facts.modules.iter().filter(|module| module.outcome == outcome).count();
    let (free, on, open) = (count("runs-free"), count("enables-gil"), count("undetermined"));
    if !facts.unread.is_empty() {
        return Verdict::Unreadable;
    }
    match (free, on, open) {
        _ if facts.modules.is_empty() => Verdict::Pure,
        (0, 0, 0) => Verdict::CannotImport,
        (1.., 1.., _) => Verdict::Mixed,
        (0, 1.., _) => Verdict::EnablesGil,
        (_, 0, 1..) => Verdict::Undetermined,
        (_, 0, 0) => Verdict::Declares,
    }
}

#[cfg(test)]
mod tests;
