//! A source distribution: its sources, its build files, and the binaries that some carry.
//!
//! A compressed tar can only be read from front to back, so one pass keeps what matters in memory; the members of a zip are inflated
//! when they are asked for. Nothing is written to disk, links are not followed, and what a hostile archive makes larger than the
//! limits ends its reading with a problem.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use gilaudit_model::{Distribution, Origin, Problem, Stage};

use crate::bytes::Bytes;
use crate::collector::Collector;
use crate::dist_info;
use crate::inventory::{Artifact, ArtifactKind, Handle, Member, MemberKind, SourceFile};
use crate::names::{inside, is_source, module_name, shared_library};
use crate::nested;
use crate::open::{Opened, Stream};
use crate::problems::{io_text, not_read, notice, unread};
use crate::tar::{Kind, Tar};
use crate::zip::{Archive, Directory, quoted};

/// The names that compressed tars of sources have.
const ENDINGS: [&str; 4] = [".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"];

/// The memory that an xz stream may ask for its dictionary, in KiB: `xz -9` uses 64 MiB.
const XZ_MEMORY: u32 = 192 << 10;

/// The name of a compressed tar without its ending; `None` for every other name.
pub(crate) fn stem(file_name: &str) -> Option<&str> {
    let lower = file_name.to_ascii_lowercase();
    let end = ENDINGS.iter().find(|end| lower.ends_with(**end))?;
    file_name.get(..file_name.len().checked_sub(end.len())?)
}

/// Lists a compressed tar.
pub(crate) fn collect_tar(collector: &mut Collector, path: &Path, origin: &Origin, stem: &str) {
    let mut listing = Listing::new(origin, stem, true);
    match Opened::open(path, u64::MAX) {
        Ok(opened) => {
            let size = opened.len();
            listing.read_tar(BufReader::with_capacity(1 << 16, Stream::new(opened)), size, collector);
        }
        Err(error) => collector.problem(not_read(origin.clone(), &error)),
    }
    listing.finish(collector);
}

/// Lists a compressed tar that is in memory, because it is in another archive.
pub(crate) fn collect_bytes(collector: &mut Collector, bytes: &Bytes, origin: &Origin) {
    let name = origin.file_name().to_owned();
    let mut listing = Listing::new(origin, stem(&name).unwrap_or(&name), false);
    listing.read_tar(&bytes[..], u64::try_from(bytes.len()).unwrap_or(u64::MAX), collector);
    listing.finish(collector);
}

/// Lists an open zip archive.
pub(crate) fn collect_zip(collector: &mut Collector, archive: Archive, directory: Directory, origin: &Origin) {
    let stem = origin.file_name();
    let mut listing = Listing::new(origin, stem.rsplit_once('.').map_or(stem, |(stem, _)| stem), true);
    listing.read_zip(archive, directory, collector);
    listing.finish(collector);
}

/// Whether these bytes begin like one of the compressed streams that are read.
pub(crate) fn is_compressed_tar(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(b"BZh") || bytes.starts_with(b"\xfd7zXZ\0")
}

/// What one archive holds of interest, in the order of the archive.
struct Listing<'a> {
    origin: &'a Origin,
    stem: &'a str,
    metadata: Option<Distribution>,
    found: Vec<Found>,
    /// The index in `found`, by path.
    by_path: HashMap<String, usize>,
    explicit: bool,
    /// Packages inside it: name and contents.
    packages: Vec<(String, Bytes)>,
}

struct Found {
    path: String,
    handle: Handle,
}

impl<'a> Listing<'a> {
    fn new(origin: &'a Origin, stem: &'a str, explicit: bool) -> Self {
        let (found, by_path) = (Vec::new(), HashMap::new());
        Self { origin, stem, metadata: None, found, by_path, explicit, packages: Vec::new() }
    }

    fn read_tar(&mut self, mut compressed: impl BufRead, size: u64, collector: &mut Collector) {
        let head = compressed.fill_buf().map(|head| head.get(..6).unwrap_or_default().to_owned());
        let head = match head {
            Ok(head) => head,
            Err(error) => return collector.problem(unread(self.origin.clone(), Stage::Open, reason(&error))),
        };
        let decoder: Box<dyn Read + '_> = match head.as_slice() {
            [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(compressed)),
            [b'B', b'Z', b'h', ..] => Box::new(bzip2::bufread::MultiBzDecoder::new(compressed)),
            [0xfd, b'7', b'z', b'X', b'Z', 0] => {
                Box::new(lzma_rust2::XzReader::new_mem_limit(compressed, true, XZ_MEMORY))
            }
            _ => {
                let error = "named like a source distribution, but not compressed data";
                return collector.problem(unread(self.origin.clone(), Stage::Archive, error));
            }
        };
        const ALWAYS_FINE: u64 = 16 << 20;
        let limits = collector.limits();
        let most = limits.stream_bytes.min(size.saturating_mul(limits.ratio).max(ALWAYS_FINE));
        let mut tar = Tar::new(Bounded { inner: decoder, left: most });
        if let Err(problem) = self.entries(&mut tar, collector) {
            collector.problem(problem);
        }
    }

    fn entries(&mut self, tar: &mut Tar<impl Read>, collector: &mut Collector) -> Result<(), Problem> {
        let cut = |origin: &Origin, count: usize, error: &io::Error| {
            let stage = if over_limit(error) { Stage::Limits } else { Stage::Archive };
            let error = format!("the archive breaks off after {count} members: {}", reason(error));
            unread(origin.clone(), stage, error)
        };
        let origin = self.origin;
        let mut count: usize = 0;
        while let Some(member) = tar.next().map_err(|error| cut(origin, count, &error))? {
            count = count.saturating_add(1);
            if count > collector.limits().archive_members {
                let most = collector.limits().archive_members;
                let error = format!("more than {most} members; the rest was not looked at");
                return Err(unread(origin.clone(), Stage::Limits, error));
            }
            let what = match member.kind {
                Kind::File => None,
                Kind::Folder => continue,
                Kind::Link => Some("a link, which is not followed"),
                Kind::Special => Some("not a regular file"),
                Kind::Sparse => Some("a file with holes, which is not read"),
            };
            if let Some(what) = what {
                if matters(&member.name) {
                    // A link is not read, but what it leads to is, if that is in the archive.
                    let stage = if member.kind == Kind::Sparse { Stage::Limits } else { Stage::Archive };
                    collector.problem(self.complaint(&member.name, stage, what.to_owned()));
                }
                continue;
            }
            let Some(path) = self.place(&member.name, collector) else { continue };
            if !self.fits(&member.name, member.size, collector) {
                continue;
            }
            let contents = tar.data(member.size).map_err(|error| cut(origin, count.saturating_sub(1), &error))?;
            self.add(path, Handle::Memory(Bytes::from(contents)), collector);
        }
        if count == 0 {
            return Err(unread(origin.clone(), Stage::Archive, "no members in it: not a source distribution"));
        }
        Ok(())
    }

    fn read_zip(&mut self, archive: Archive, directory: Directory, collector: &mut Collector) {
        if let Some(fault) = &directory.cut {
            collector.problem(unread(self.origin.clone(), fault.stage, fault.error.as_str()));
        }
        let archive = Arc::new(archive);
        let index = collector.archive(Arc::clone(&archive));
        for entry in directory.entries {
            let names = std::iter::once(&entry.name).chain(&entry.other_names);
            if !entry.other_names.is_empty() && names.clone().any(|name| matters(name)) {
                let error =
                    format!("also called '{}': installers disagree about it", quoted(&entry.other_names.join("', '")));
                collector.problem(unread(self.origin.member(quoted(&entry.name)), Stage::Archive, error));
            }
            let Some(path) = self.place(&entry.name, collector) else { continue };
            if nested::is_package(&path) {
                nested::look(collector, &archive, &entry, self.origin, false, 0);
            } else if entry.size > collector.limits().member_bytes {
                let error = format!("has {} bytes, over the limit of {}", entry.size, collector.limits().member_bytes);
                collector.problem(self.complaint(&entry.name, Stage::Limits, error));
            } else {
                if is_metadata(&path) && entry.size <= collector.limits().metadata_bytes {
                    self.metadata = archive
                        .read(&entry, collector.limits(), &collector.unlimited())
                        .ok()
                        .and_then(|bytes| dist_info::distribution(&bytes).ok())
                        .or(self.metadata.take());
                }
                self.add(path, Handle::Entry { archive: index, entry }, collector);
            }
        }
    }

    /// The path that a member is unpacked to, when it is one to read.
    fn place(&self, name: &str, collector: &mut Collector) -> Option<String> {
        let path = if name.contains(['\\', '\0']) { None } else { inside(name) };
        let Some(path) = path else {
            if matters(name) {
                // Whoever unpacks may put it in the place of another member all the same.
                let error = "a name that leaves the folder it is unpacked to, or that systems read differently";
                collector.problem(unread(self.origin.member(quoted(name)), Stage::Archive, error));
            }
            return None;
        };
        (matters(&path) || is_metadata(&path) || nested::is_package(&path)).then(|| path.into_owned())
    }

    /// Whether a member of this size is within the limits. It is then held in memory for the whole run.
    fn fits(&self, name: &str, size: u64, collector: &mut Collector) -> bool {
        let limits = collector.limits();
        let member = if is_metadata(name) { limits.metadata_bytes } else { limits.member_bytes };
        let kept = limits.kept_bytes;
        let error = if size > member {
            format!("has {size} bytes, over the limit of {member}")
        } else if collector.keep(size) {
            return true;
        } else {
            format!("what is held in memory is over the limit of {kept} bytes together")
        };
        collector.problem(self.complaint(name, Stage::Limits, error));
        false
    }

    /// A member that is not read. A source or a binary that is missing makes the audit incomplete.
    fn complaint(&self, name: &str, stage: Stage, error: String) -> Problem {
        let at = self.origin.member(quoted(name));
        let candidate = shared_library(file_name(name)) == Some(MemberKind::Candidate);
        let problem = if candidate || stage == Stage::Limits { unread } else { notice };
        problem(at, stage, error)
    }

    fn add(&mut self, path: String, handle: Handle, collector: &mut Collector) {
        if let (Handle::Memory(bytes), true) = (&handle, is_metadata(&path)) {
            self.metadata = dist_info::distribution(bytes).ok().or(self.metadata.take());
        }
        if let (Handle::Memory(bytes), true) = (&handle, nested::is_package(&path)) {
            self.packages.push((path, bytes.clone()));
            return;
        }
        if !matters(&path) {
            return;
        }
        match self.by_path.get(&path).and_then(|index| self.found.get_mut(*index)) {
            // Whoever unpacks writes one over the other.
            Some(before) => {
                before.handle = handle;
                let error = "several members of this name: the last one counts";
                collector.problem(notice(self.origin.member(path), Stage::Archive, error));
            }
            None => {
                self.by_path.insert(path.clone(), self.found.len());
                self.found.push(Found { path, handle });
            }
        }
    }

    /// Hands everything to the inventory.
    fn finish(mut self, collector: &mut Collector) {
        for (name, bytes) in std::mem::take(&mut self.packages) {
            nested::look_in_memory(collector, &name, bytes, self.origin);
        }
        let by_name = || {
            let (name, version) = self.stem.rsplit_once('-')?;
            Some(Distribution { name: name.to_owned(), version: version.to_owned() })
        };
        let distribution = self.metadata.clone().or_else(by_name);
        let artifact = collector.artifact(Artifact {
            origin: self.origin.clone(),
            kind: ArtifactKind::Sdist,
            explicit: self.explicit,
            distribution: distribution.clone(),
            tags: None,
            python: None,
        });
        // The folder that everything is in is not part of the project.
        let top = self.found.first().and_then(|found| found.path.split_once('/')).map(|(top, _)| format!("{top}/"));
        let top = top.filter(|top| self.found.iter().all(|found| found.path.starts_with(top)));
        for Found { path, handle } in self.found {
            let origin = self.origin.member(path.as_str());
            let inner = top.as_deref().and_then(|top| path.strip_prefix(top)).unwrap_or(&path).to_owned();
            if let Some(kind) = shared_library(file_name(&path)) {
                collector.member(Member {
                    origin,
                    kind,
                    explicit: false,
                    module: module_name(&inner),
                    distribution: distribution.clone(),
                    tags: None,
                    record_sha256: None,
                    record_size: None,
                    artifact,
                    handle,
                });
            } else {
                collector.source(SourceFile { origin, path: inner, report: true, artifact, handle });
            }
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a member of this name is read as a source or a binary.
fn matters(path: &str) -> bool {
    let name = file_name(path);
    is_source(name) || shared_library(name).is_some()
}

/// `NAME-VERSION/PKG-INFO`.
fn is_metadata(path: &str) -> bool {
    path.split_once('/').is_some_and(|(_, file)| file == "PKG-INFO")
}

/// A reader that fails, instead of going on, once it gave as much as it may.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(u64::try_from(read).unwrap_or(u64::MAX)) {
            Some(left) => self.left = left,
            None => return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it inflates to more than the limit")),
        }
        Ok(read)
    }
}

/// Whether it is [`Bounded`] or the limit on a dictionary that ended the reading. `tar` wraps errors in errors of its own.
fn over_limit(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::FileTooLarge | io::ErrorKind::OutOfMemory)
}

/// What went wrong at the bottom, in the style of our own messages.
fn reason(error: &io::Error) -> String {
    let mut innermost: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = std::error::Error::source(innermost) {
        innermost = source;
    }
    match innermost.downcast_ref::<io::Error>() {
        Some(error) if error.kind() == io::ErrorKind::UnexpectedEof => "it is truncated".to_owned(),
        Some(error) => io_text(error),
        None => innermost.to_string(),
    }
}
