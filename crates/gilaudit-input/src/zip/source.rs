//! Where the bytes of an archive are: in a file, or in memory for an archive inside another one.
//!
//! A file is opened anew for every member, so that a folder with thousands of wheels does not keep as many files open. It must be the
//! file that it was. What is far away is asked for piece by piece, so of it only what matters is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gilaudit_model::Stage;
use rawzip::ReaderAt;

use super::Fault;
use crate::bytes::Bytes;
use crate::open::{Identity, Opened, ReadError, reserved};

/// The bytes of an archive.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A file that is opened when it is read.
    File { path: PathBuf, identity: Identity },
    /// A file that stays open, because it has no name any more.
    Held(Arc<Opened>),
    /// In memory.
    Memory(Bytes),
    /// On a server.
    Remote(Remote),
}

/// An archive on a server: whoever speaks to it is another crate.
#[derive(Clone)]
pub(crate) struct Remote {
    pub(crate) bytes: Arc<dyn ReaderAt + Send + Sync>,
    pub(crate) size: u64,
    /// All of it was fetched already.
    pub(crate) at_hand: bool,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("size", &self.size).finish_non_exhaustive()
    }
}

/// An archive that can be read now.
#[derive(Debug)]
pub(crate) enum Reader {
    File(Arc<Opened>),
    Memory(Bytes),
    Remote(Remote),
}

impl Source {
    pub(crate) fn file(path: &Path) -> Result<Self, ReadError> {
        // A wheel may well be larger than one member may: what it holds has limits of its own.
        let opened = Opened::open(path, u64::MAX)?;
        Ok(Self::File { path: path.to_owned(), identity: opened.identity().clone() })
    }

    pub(crate) fn held(path: &Path) -> Result<Self, ReadError> {
        Ok(Self::Held(Arc::new(Opened::open(path, u64::MAX)?)))
    }

    pub(crate) fn reader(&self) -> Result<Reader, Fault> {
        Ok(match self {
            Self::File { path, identity } => Reader::File(Arc::new(Opened::again(path, identity).map_err(fault)?)),
            Self::Held(opened) => Reader::File(Arc::clone(opened)),
            Self::Memory(bytes) => Reader::Memory(bytes.clone()),
            Self::Remote(remote) => Reader::Remote(remote.clone()),
        })
    }

    /// Whether every look at it costs a request.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self, Self::Remote(remote) if !remote.at_hand)
    }
}

impl Reader {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::File(opened) => opened.len(),
            Self::Memory(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Self::Remote(remote) => remote.size,
        }
    }

    /// Appends so many bytes at an offset to a buffer; `false` when the archive ends before.
    pub(crate) fn append(&self, buffer: &mut Vec<u8>, offset: u64, size: u64) -> Result<bool, Fault> {
        if offset.checked_add(size).is_none_or(|end| end > self.len()) {
            return Ok(false);
        }
        match self {
            Self::File(opened) => opened.append(buffer, offset, size).map_err(fault)?,
            Self::Memory(bytes) => {
                let (start, size) = (usize::try_from(offset).ok(), usize::try_from(size).ok());
                let part = start.zip(size).and_then(|(start, size)| bytes.get(start..)?.get(..size));
                let Some(part) = part else { return Ok(false) };
                buffer.extend_from_slice(part);
            }
            Self::Remote(remote) => {
                let start = buffer.len();
                buffer.resize(start.saturating_add(usize::try_from(size).unwrap_or(0)), 0);
                let part = buffer.get_mut(start..).unwrap_or_default();
                let read = remote.bytes.read_exact_at(part, offset);
                read.map_err(|error| Fault { stage: Stage::Open, error: error.to_string() })?;
            }
        }
        Ok(true)
    }

    /// So many bytes at an offset; `None` when the archive ends before.
    pub(crate) fn bytes(&self, offset: u64, size: u64) -> Result<Option<Vec<u8>>, Fault> {
        if offset.checked_add(size).is_none_or(|end| end > self.len()) {
            return Ok(None);
        }
        let no_memory = || Fault::limits(format!("no memory for {size} bytes of it"));
        let mut buffer = reserved(size).ok_or_else(no_memory)?;
        Ok(self.append(&mut buffer, offset, size)?.then_some(buffer))
    }
}

fn fault(error: ReadError) -> Fault {
    Fault { stage: Stage::Open, error: error.to_string() }
}
