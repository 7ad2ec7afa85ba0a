//! A source distribution: its sources, its build files, and the binaries that some carry.
//!
//! A compressed tar can only be read from front to back, so one pass keeps what matters in memory; the members of a zip are inflated
//! when they are asked for. Nothing is written to disk, links are not followed, and what a hostile archive makes larger than the
//! limits ends its reading with a problem.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;

use gilaudit_model::{Distribution, Origin, Problem, Stage};
use tar::{Archive as Tar, EntryType};

use crate::bytes::Bytes;
use crate::collector::Collector;
use crate::dist_info;
use crate::inventory::{Artifact, ArtifactKind, Handle, Member, MemberKind, SourceFile};
use crate::names::{inside, is_source, module_name, shared_library};
use crate::problems::{io_text, not_read, notice, unread};
use crate::zip::Archive;

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
    let mut listing = Listing::new(origin, stem);
    match Bytes::of_file(path, u64::MAX) {
        Ok(bytes) => listing.read_tar(&bytes, collector),
        Err(error) => collector.problem(not_read(origin.clone(), &error)),
    }
    listing.finish(collector);
}

/// Lists an open zip archive.
pub(crate) fn collect_zip(collector: &mut Collector, archive: Archive, origin: &Origin) {
    let stem = origin.file_name();
    let mut listing = Listing::new(origin, stem.rsplit_once('.').map_or(stem, |(stem, _)| stem));
    listing.read_zip(archive, collector);
    listing.finish(collector);
}

/// What one archive holds of interest, in the order of the archive.
struct Listing<'a> {
    origin: &'a Origin,
    stem: &'a str,
    metadata: Option<Distribution>,
    found: Vec<Found>,
    /// The index in `found`, by path.
    by_path: HashMap<String, usize>,
    /// Bytes kept, or declared by the members of a zip.
    bytes: u64,
}

struct Found {
    path: String,
    handle: Handle,
}

impl<'a> Listing<'a> {
    fn new(origin: &'a Origin, stem: &'a str) -> Self {
        Self { origin, stem, metadata: None, found: Vec::new(), by_path: HashMap::new(), bytes: 0 }
    }

    fn read_tar(&mut self, bytes: &Bytes, collector: &mut Collector) {
        let decoder: Box<dyn Read + '_> = match &bytes[..] {
            [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(&bytes[..])),
            [b'B', b'Z', b'h', ..] => Box::new(bzip2::bufread::MultiBzDecoder::new(&bytes[..])),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
                Box::new(lzma_rust2::XzReader::new_mem_limit(&bytes[..], true, XZ_MEMORY))
            }
            _ => {
                let error = "named like a source distribution, but not compressed data";
                return collector.problem(unread(self.origin.clone(), Stage::Archive, error));
            }
        };
        let compressed = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let limits = collector.limits();
        const ALWAYS_FINE: u64 = 16 << 20;
        let most = limits.stream_bytes.min(compressed.saturating_mul(limits.ratio).max(ALWAYS_FINE));
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
        for entry in tar.entries().map_err(|error| cut(origin, count, &error))? {
            let mut entry = entry.map_err(|error| cut(origin, count, &error))?;
            count = count.saturating_add(1);
            if count > collector.limits().archive_members {
                let most = collector.limits().archive_members;
                let error = format!("more than {most} members; the rest was not looked at");
                return Err(unread(origin.clone(), Stage::Limits, error));
            }
            let kind = entry.header().entry_type();
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            if kind.is_dir() || matches!(kind, EntryType::XGlobalHeader) {
                continue;
            }
            if !kind.is_file() && !matches!(kind, EntryType::Continuous) {
                if matters(&name) {
                    let what = if kind.is_symlink() || kind.is_hard_link() {
                        "a link, which is not followed"
                    } else {
                        "not a regular file"
                    };
                    collector.problem(self.complaint(&name, Stage::Archive, what.to_owned()));
                }
                continue;
            }
            let Some(path) = self.place(&name, collector) else { continue };
            let size = entry.size();
            if !self.fits(&name, size, collector) {
                continue;
            }
            let mut contents = Vec::new();
            if let Err(error) = entry.by_ref().take(size).read_to_end(&mut contents) {
                return Err(cut(origin, count.saturating_sub(1), &error));
            }
            if u64::try_from(contents.len()).ok() != Some(size) {
                let error = "truncated: the archive ends inside it".to_owned();
                return Err(unread(origin.member(name.escape_debug().to_string()), Stage::Archive, error));
            }
            self.add(path, Handle::Memory(Bytes::from(contents)), collector);
        }
        if count == 0 {
            return Err(unread(origin.clone(), Stage::Archive, "no members in it: not a source distribution"));
        }
        Ok(())
    }

    fn read_zip(&mut self, archive: Archive, collector: &mut Collector) {
        let directory = archive.directory(collector.limits());
        if let Some(fault) = &directory.cut {
            collector.problem(unread(self.origin.clone(), fault.stage, fault.error.as_str()));
        }
        let mut kept = Vec::new();
        for entry in directory.entries {
            let Some(path) = self.place(&entry.name, collector) else { continue };
            if self.fits(&entry.name, entry.size, collector) {
                if is_metadata(&path) {
                    self.metadata = archive
                        .read(&entry, collector.limits())
                        .ok()
                        .and_then(|bytes| dist_info::distribution(&bytes).ok())
                        .or(self.metadata.take());
                }
                kept.push((path, entry));
            }
        }
        let archive = collector.archive(archive);
        for (path, entry) in kept {
            self.add(path, Handle::Entry { archive, entry }, collector);
        }
    }

    /// The path that a member is unpacked to, when it is one to read.
    fn place(&self, name: &str, collector: &mut Collector) -> Option<String> {
        let path = if name.contains(['\\', '\0']) { None } else { inside(name) };
        let Some(path) = path else {
            if matters(name) {
                let error = "a name that leaves the folder it is unpacked to, or that systems read differently";
                collector.problem(self.complaint(name, Stage::Archive, error.to_owned()));
            }
            return None;
        };
        (matters(&path) || is_metadata(&path)).then(|| path.into_owned())
    }

    /// Whether a member of this size is within the limits, which it then counts against.
    fn fits(&mut self, name: &str, size: u64, collector: &mut Collector) -> bool {
        let limits = collector.limits();
        let member = if is_metadata(name) { limits.metadata_bytes } else { limits.member_bytes };
        let all = self.bytes.saturating_add(size);
        let error = if size > member {
            format!("has {size} bytes, over the limit of {member}")
        } else if all > limits.kept_bytes {
            format!("what is read of the archive is over the limit of {} bytes together", limits.kept_bytes)
        } else {
            self.bytes = all;
            return true;
        };
        collector.problem(self.complaint(name, Stage::Limits, error));
        false
    }

    /// A member that is not read. A source or a binary that is missing makes the audit incomplete.
    fn complaint(&self, name: &str, stage: Stage, error: String) -> Problem {
        let at = self.origin.member(name.escape_debug().to_string());
        let candidate = shared_library(file_name(name)) == Some(MemberKind::Candidate);
        let problem = if candidate || stage == Stage::Limits { unread } else { notice };
        problem(at, stage, error)
    }

    fn add(&mut self, path: String, handle: Handle, collector: &mut Collector) {
        if let (Handle::Memory(bytes), true) = (&handle, is_metadata(&path)) {
            self.metadata = dist_info::distribution(bytes).ok().or(self.metadata.take());
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
    fn finish(self, collector: &mut Collector) {
        let by_name = || {
            let (name, version) = self.stem.rsplit_once('-')?;
            Some(Distribution { name: name.to_owned(), version: version.to_owned() })
        };
        let distribution = self.metadata.clone().or_else(by_name);
        let artifact = collector.artifact(Artifact {
            origin: self.origin.clone(),
            kind: ArtifactKind::Sdist,
            explicit: true,
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

/// Whether a member of this name is read.
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
