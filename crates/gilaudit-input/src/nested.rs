//! Archives inside archives: read like any other, in memory, or said not to be.
//!
//! A zip that somebody packed wheels into is read whatever its members are called. Inside a wheel or a source distribution only what is
//! named like something that holds extensions is: an archive of data there is nobody's to import from.

use gilaudit_model::{Origin, Problem, Stage};

use crate::bytes::Bytes;
use crate::collector::Collector;
use crate::limits::Limits;
use crate::problems::{notice, unread};
use crate::sdist;
use crate::wheel;
use crate::zip::{Archive, Entry, Fault, Source};

/// What a name says of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Holds what is installed: a wheel, an egg, a package of conda.
    Package,
    /// Any other archive.
    Plain,
}

fn kind(name: &str) -> Option<Kind> {
    const PACKAGES: [&str; 3] = [".whl", ".egg", ".conda"];
    const PLAIN: [&str; 9] = [".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".7z", ".rar"];
    let lower = name.to_ascii_lowercase();
    let ends = |ends: &[&str]| ends.iter().any(|end| lower.ends_with(end));
    if ends(&PACKAGES) {
        return Some(Kind::Package);
    }
    ends(&PLAIN).then_some(Kind::Plain)
}

/// Looks at an entry of a zip: if it is an archive, it is listed as well. `in_bag` says that the outer one is no package itself, so that
/// everything in it is what was meant.
pub(crate) fn look(
    collector: &mut Collector,
    archive: &Archive,
    entry: &Entry,
    origin: &Origin,
    in_bag: bool,
    depth: usize,
) {
    let Some(kind) = kind(&entry.name) else { return };
    if entry.size == 0 {
        // Left by accident in a wheel of a well-known package: there is nothing in it.
        return;
    }
    let origin = origin.member(entry.name.as_str());
    if kind == Kind::Plain && !in_bag {
        return collector.problem(notice(
            origin,
            Stage::Archive,
            "an archive inside the archive, which was not opened",
        ));
    }
    let problem = match contents(collector, archive, entry, depth) {
        Ok(bytes) => return open(collector, bytes, origin, depth.saturating_add(1)),
        Err(fault) => unread(origin, fault.stage, format!("an archive inside the archive: {}", fault.error)),
    };
    unopened(collector, problem);
}

/// Opens an archive that was found in a source distribution.
pub(crate) fn look_in_memory(collector: &mut Collector, name: &str, bytes: Bytes, origin: &Origin) {
    match kind(name) {
        Some(Kind::Package) if !bytes.is_empty() => open(collector, bytes, origin.member(name), 1),
        _ => {}
    }
}

/// Whether a member of a source distribution is one that [`look_in_memory`] opens.
pub(crate) fn is_package(name: &str) -> bool {
    kind(name) == Some(Kind::Package)
}

fn unopened(collector: &mut Collector, problem: Problem) {
    let artifact = wheel::artifact(problem.origin.clone(), false);
    wheel::cannot_be_opened(collector, problem, artifact);
}

fn contents(collector: &mut Collector, archive: &Archive, entry: &Entry, depth: usize) -> Result<Bytes, Fault> {
    let deepest = collector.limits().archive_depth;
    if depth >= deepest {
        return Err(Fault::limits(format!("more than {deepest} archives in each other; it was not opened")));
    }
    if !collector.keep(entry.size) {
        let most = collector.limits().kept_bytes;
        return Err(Fault::limits(format!("what is held in memory is over the limit of {most} bytes together")));
    }
    let limits: Limits = collector.limits().clone();
    archive.read(entry, &limits, &collector.unlimited()).map(Bytes::unbudgeted)
}

/// Lists an archive in memory by its contents.
fn open(collector: &mut Collector, bytes: Bytes, origin: Origin, depth: usize) {
    if bytes.starts_with(b"PK") {
        let archive = Archive::new(Source::Memory(bytes));
        match archive.directory(collector.limits(), wheel::matters) {
            Ok(directory) => {
                let artifact = wheel::artifact(origin, false);
                wheel::list(collector, archive, directory, artifact, depth);
            }
            Err(fault) => unopened(collector, unread(origin, fault.stage, fault.error)),
        }
    } else if sdist::is_compressed_tar(&bytes) {
        sdist::collect_bytes(collector, &bytes, &origin);
    } else {
        let error = "an archive inside the archive, of a kind that is not read";
        unopened(collector, unread(origin, Stage::Archive, error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_by_name() {
        for name in ["a-1-py3-none-any.whl", "x/A.EGG", "x.conda"] {
            assert_eq!(kind(name), Some(Kind::Package), "{name}");
        }
        for name in ["x.zip", "x.tar.gz", "info-x.tar.zst"] {
            assert_eq!(kind(name), Some(Kind::Plain), "{name}");
        }
        assert_eq!(kind("x.py"), None);
    }
}
