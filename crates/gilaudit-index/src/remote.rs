//! A file of an index, read at any place without fetching all of it.
//!
//! The end comes first, because that is where a zip archive says what is in it. Every answer must be the range that was asked for, of a
//! file of the size that it had, and from the same version of it. A server that gives something else is asked for the whole file, once; a
//! file that changes meanwhile is not read.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use data_encoding::HEXLOWER;
use rawzip::ReaderAt;
use sha2::{Digest, Sha256};
use url::Url;

use crate::client::{Answer, Client, Failure};
use crate::credentials::shown;
use crate::listing::File;
use crate::ranges::{Pieces, Range, coalesce};

/// Bytes of the end that are asked for first.
const TAIL: u64 = 64 << 10;
/// A file up to this size is fetched as a whole: two answers cost more than its bytes.
const SMALL: u64 = 256 << 10;
/// Bytes between two ranges that are fetched along, rather than asking twice.
const GAP: u64 = 16 << 10;
/// Requests that one file may take; the last one is for whatever is missing then.
const REQUESTS: usize = 24;
/// Requests of one round of [`RemoteFile::prefetch`], so that some are left for what turns out to be needed later.
const ROUND: usize = 14;
/// Bytes that a single read fetches at least.
const STEP: u64 = 64 << 10;

/// How much of one file is fetched.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the file as a whole, when it has to be fetched so, and of everything that is fetched of it.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 512 << 20 }
    }
}

/// What reading a file cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Requests, without redirects and repetitions.
    pub requests: usize,
    /// Bytes of bodies.
    pub bytes: u64,
    /// Whether the file was fetched as a whole.
    pub whole: bool,
}

/// A file that is read at the places that matter.
pub struct RemoteFile {
    client: Arc<Client>,
    url: Url,
    size: u64,
    limits: Limits,
    state: Mutex<State>,
}

impl std::fmt::Debug for RemoteFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteFile").field("url", &shown(&self.url)).field("size", &self.size).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    pieces: Pieces,
    traffic: Traffic,
    /// What the server says of the version of the file.
    version: Option<Version>,
    sha256: Option<String>,
    /// The server gave something else than a range.
    refuses: bool,
}

/// What tells a version of a file from another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    tag: Option<String>,
    modified: Option<String>,
}

impl Version {
    fn of(answer: &Answer) -> Self {
        let header = |name: &str| answer.header(name).map(str::to_owned);
        // A weak tag may differ between servers that hold the same bytes.
        Self { tag: header("etag").filter(|tag| !tag.starts_with("W/")), modified: header("last-modified") }
    }

    /// Whether the two are surely not the same. Caches in front of one server may leave a header out.
    fn differs(&self, other: &Self) -> bool {
        let differ = |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a != b);
        match (&self.tag, &other.tag) {
            (Some(a), Some(b)) => a != b,
            _ => differ(&self.modified, &other.modified),
        }
    }
}

impl Client {
    /// Opens a file: its end, or all of it when that is little.
    pub fn open(self: &Arc<Self>, file: &File, limits: Limits) -> Result<RemoteFile, Failure> {
        let mut remote = RemoteFile {
            client: Arc::clone(self),
            url: file.url.clone(),
            size: file.size.unwrap_or(0),
            limits,
            state: Mutex::default(),
        };
        match file.size {
            Some(size) if size <= SMALL => remote.whole(Some(size))?,
            Some(size) => remote.fetch((size.saturating_sub(TAIL), size))?,
            None => remote.learn_size()?,
        }
        Ok(remote)
    }

    /// Fetches a file as a whole and hands it on in pieces. Gives its SHA-256, which must be the one that was claimed, if one was.
    pub fn download(
        &self,
        file: &File,
        most: u64,
        to: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<String, Failure> {
        let mut to = to;
        let mut hash = Sha256::new();
        let answer = self.get(&file.url, &[("accept-encoding", "identity")])?;
        if answer.status != 200 {
            return Err(Failure::Other(format!("{}: status {}", shown(&file.url), answer.status)));
        }
        let declared = answer.header("content-length").and_then(|text| text.trim().parse::<u64>().ok());
        let size = answer.pieces(most, |piece| {
            hash.update(piece);
            to(piece)
        })?;
        for (claimed, who) in [(declared, "the server"), (file.size, "the index")] {
            if let Some(claimed) = claimed.filter(|claimed| *claimed != size) {
                return Err(Failure::Other(format!("{}: {size} bytes, but {who} says {claimed}", shown(&file.url))));
            }
        }
        let sha256 = HEXLOWER.encode(&hash.finalize());
        match &file.claimed_sha256 {
            Some(claimed) if *claimed != sha256 => {
                Err(Failure::Other(format!("{}: its SHA-256 is not the one that the index claims", shown(&file.url))))
            }
            _ => Ok(sha256),
        }
    }
}

impl RemoteFile {
    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What it cost until now.
    pub fn traffic(&self) -> Traffic {
        self.state().traffic
    }

    /// The SHA-256 of the file; `None` unless all of it was read.
    pub fn sha256(&self) -> Option<String> {
        self.state().sha256.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: impl std::fmt::Display) -> Failure {
        Failure::Other(format!("{}: {error}", shown(&self.url)))
    }

    /// For an index that does not say how large its files are: the first answer does, or is the file.
    fn learn_size(&mut self) -> Result<(), Failure> {
        const FIRST: u64 = 1024;
        let range = format!("bytes=0-{}", FIRST.saturating_sub(1));
        let answer = self.client.get(&self.url, &[("range", &range), ("accept-encoding", "identity")])?;
        let total = (answer.status == 206).then(|| content_range(&answer)).flatten();
        let Some((start, end, size)) = total.filter(|(start, end, size)| *start == 0 && *end == FIRST.min(*size))
        else {
            return self.whole_of(answer, None);
        };
        self.size = size;
        self.accept(answer, (start, end))?;
        if size <= SMALL { self.whole(Some(size)) } else { self.fetch((size.saturating_sub(TAIL), size)) }
    }

    /// Fetches ranges that will be needed, in few requests.
    pub fn prefetch(&self, ranges: Vec<(u64, u64)>) -> Result<(), Failure> {
        let missing: Vec<Range> = {
            let state = self.state();
            let inside = ranges.into_iter().map(|(start, end)| (start.min(self.size), end.min(self.size)));
            inside.flat_map(|range| state.pieces.missing(range)).collect()
        };
        let left = REQUESTS.saturating_sub(self.traffic().requests).saturating_sub(1).min(ROUND);
        for range in coalesce(missing, GAP, left) {
            if !self.state().pieces.missing(range).is_empty() {
                self.fetch_some(range)?;
            }
        }
        Ok(())
    }

    /// Fetches a range, in whatever way the server plays.
    fn fetch_some(&self, range: Range) -> Result<(), Failure> {
        let traffic = self.traffic();
        if traffic.requests >= REQUESTS.saturating_sub(1) {
            return self.whole(Some(self.size));
        }
        self.fetch(range)
    }

    fn fetch(&self, (start, end): Range) -> Result<(), Failure> {
        let length = end.saturating_sub(start);
        if length == 0 {
            return Ok(());
        }
        if self.state().refuses {
            return self.whole(Some(self.size));
        }
        if self.traffic().bytes.saturating_add(length) > self.limits.bytes {
            return Err(self.failed(format_args!("more than {} bytes of it would be needed", self.limits.bytes)));
        }
        let range = format!("bytes={start}-{}", end.saturating_sub(1));
        let answer = self.client.get(&self.url, &[("range", &range), ("accept-encoding", "identity")])?;
        match answer.status {
            200 => self.take_whole(answer, Some(self.size)).map(drop),
            206 if content_range(&answer) == Some((start, end, self.size)) => {
                match self.accept(answer, (start, end)) {
                    Err(Refused::Changed) => Err(self.failed("the file changed while it was read")),
                    // A server that says the right range and gives another number of bytes.
                    Err(Refused::Length) => self.whole(Some(self.size)),
                    Ok(()) => Ok(()),
                }
            }
            // Another range, another size, none at all, past the end, or not implemented.
            206 | 400 | 405 | 416 | 500 | 501 => self.whole(Some(self.size)),
            status => Err(self.failed(format_args!("status {status}"))),
        }
    }

    /// Takes the body of a 206 that says what was asked for.
    fn accept(&self, answer: Answer, (start, end): Range) -> Result<(), Refused> {
        let version = Version::of(&answer);
        let mut state = self.state();
        match &state.version {
            Some(known) if known.differs(&version) => return Err(Refused::Changed),
            Some(_) => {}
            None => state.version = Some(version),
        }
        state.traffic.requests = state.traffic.requests.saturating_add(1);
        drop(state);
        let length = end.saturating_sub(start);
        let bytes = answer.bytes(length).map_err(|_| Refused::Length);
        let mut state = self.state();
        let got = bytes.as_ref().map_or(0, Vec::len);
        let got = u64::try_from(got).unwrap_or(u64::MAX);
        state.traffic.bytes = state.traffic.bytes.saturating_add(got);
        if got != length {
            return Err(Refused::Length);
        }
        state.pieces.add(start, bytes?);
        Ok(())
    }

    /// Asks for the whole file.
    fn whole(&self, size: Option<u64>) -> Result<(), Failure> {
        if self.state().traffic.whole {
            return Err(self.failed("the server gives other bytes each time"));
        }
        if self.size > self.limits.bytes {
            let error = format!("{} bytes as a whole, over the limit of {}", self.size, self.limits.bytes);
            return Err(self.failed(error));
        }
        let answer = self.client.get(&self.url, &[("accept-encoding", "identity")])?;
        if answer.status != 200 {
            return Err(self.failed(format_args!("status {} for the whole file", answer.status)));
        }
        self.take_whole(answer, size).map(|_| ())
    }

    fn whole_of(&mut self, answer: Answer, size: Option<u64>) -> Result<(), Failure> {
        if answer.status != 200 {
            self.size = self.whole_unknown()?;
            return Ok(());
        }
        self.size = self.take_whole(answer, size)?;
        Ok(())
    }

    fn whole_unknown(&self) -> Result<u64, Failure> {
        let answer = self.client.get(&self.url, &[("accept-encoding", "identity")])?;
        if answer.status != 200 {
            return Err(self.failed(format_args!("status {} for the whole file", answer.status)));
        }
        self.take_whole(answer, None)
    }

    /// Takes the body of a 200, which must be the whole file.
    fn take_whole(&self, answer: Answer, size: Option<u64>) -> Result<u64, Failure> {
        let version = Version::of(&answer);
        let declared = answer.header("content-length").and_then(|text| text.trim().parse::<u64>().ok());
        let mut state = self.state();
        if state.version.as_ref().is_some_and(|known| known.differs(&version)) {
            return Err(self.failed("the file changed while it was read"));
        }
        state.version = Some(version);
        state.traffic.requests = state.traffic.requests.saturating_add(1);
        drop(state);
        let bytes = answer.bytes(size.unwrap_or(self.limits.bytes).min(self.limits.bytes))?;
        let got = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        for (claimed, who) in [(declared, "the server"), (size, "the index")] {
            if let Some(claimed) = claimed.filter(|claimed| *claimed != got) {
                return Err(self.failed(format_args!("{got} bytes, but {who} says {claimed}")));
            }
        }
        let mut state = self.state();
        state.traffic.bytes = state.traffic.bytes.saturating_add(got);
        state.traffic.whole = true;
        state.refuses = true;
        state.sha256 = Some(HEXLOWER.encode(&Sha256::digest(&bytes)));
        state.pieces.clear();
        state.pieces.add(0, bytes);
        Ok(got)
    }
}

/// Why the body of a 206 is not taken.
enum Refused {
    Changed,
    Length,
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Other(match refused {
            Refused::Changed => "the file changed while it was read".to_owned(),
            Refused::Length => "an answer of another length than it says".to_owned(),
        })
    }
}

/// The range that an answer says it is, its end exclusive, and the size of the file: RFC 9110, 14.4. `*` for the size says nothing.
fn content_range(answer: &Answer) -> Option<(u64, u64, u64)> {
    let (range, size) = answer.header("content-range")?.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, size): (u64, u64, u64) = (first.parse().ok()?, last.parse().ok()?, size.parse().ok()?);
    (first <= last && last < size).then_some((first, last.checked_add(1)?, size))
}

impl ReaderAt for RemoteFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let size = buffer.len().min(left);
        let Some(buffer) = buffer.get_mut(..size).filter(|buffer| !buffer.is_empty()) else { return Ok(0) };
        let end = offset.saturating_add(u64::try_from(size).unwrap_or(u64::MAX));
        // Whoever comes back again and again needs more than was foreseen: so each time twice as much is fetched, but nothing twice.
        let step = STEP.checked_shl(u32::try_from(self.traffic().requests).unwrap_or(8).min(8)).unwrap_or(STEP) / 2;
        let hole =
            self.state().pieces.missing((offset, end.max(offset.saturating_add(step)).min(self.size))).first().copied();
        if let Some(range) = hole.filter(|(start, _)| *start == offset) {
            self.fetch_some(range).map_err(io::Error::other)?;
        }
        match self.state().pieces.copy(buffer, offset) {
            0 => Err(io::Error::other("the server did not give what it was asked for")),
            done => Ok(done),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests;
