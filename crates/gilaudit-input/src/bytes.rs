//! The contents of a file or of an archive member.
//!
//! Large files are mapped into memory instead of copied: an audit reads a fraction of most binaries, and a wheel's members are
//! inflated straight from the map. This is the only file of the workspace that contains `unsafe`.

use std::fs::File;
use std::io::{self, Read};
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;

/// Files up to this size are read: a system call costs less than the page faults of a map.
const READ_BELOW: u64 = 64 * 1024;

/// Bytes that are owned, mapped, or part of either. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bytes {
    store: Arc<Store>,
    range: Range<usize>,
}

#[derive(Debug)]
enum Store {
    Owned(Vec<u8>),
    Mapped(Mmap),
}

impl Bytes {
    /// The contents of a regular file of at most `limit` bytes.
    pub(crate) fn of_file(path: &Path, limit: u64) -> Result<Self, ReadError> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(ReadError::NotAFile);
        }
        let size = metadata.len();
        if size > limit {
            return Err(ReadError::TooLarge { size, limit });
        }
        if size > READ_BELOW {
            return Ok(Self::whole(Store::Mapped(map(&file)?)));
        }
        let mut contents = Vec::new();
        // A file of /proc has no size, and any file may grow meanwhile: read to the limit, not to the size.
        let read = file.by_ref().take(limit.saturating_add(1)).read_to_end(&mut contents)?;
        match u64::try_from(read) {
            Ok(size) if size <= limit => Ok(Self::from(contents)),
            _ => Err(ReadError::TooLarge { size: limit.saturating_add(1), limit }),
        }
    }

    /// A part of these bytes, without a copy; `None` when it reaches beyond them.
    pub(crate) fn part(&self, start: usize, len: usize) -> Option<Self> {
        let start = self.range.start.checked_add(start)?;
        let end = start.checked_add(len)?;
        (end <= self.range.end).then(|| Self { store: Arc::clone(&self.store), range: start..end })
    }

    fn whole(store: Store) -> Self {
        let len = store.len();
        Self { store: Arc::new(store), range: 0..len }
    }
}

impl Store {
    fn len(&self) -> usize {
        match self {
            Self::Owned(bytes) => bytes.len(),
            Self::Mapped(map) => map.len(),
        }
    }
}

#[allow(unsafe_code)]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is private and read-only, so nothing here writes through it. What cannot be ruled out is that another
    // process changes the file meanwhile: changed bytes are read as any hostile bytes are (no reader here relies on reading the
    // same value twice), and a file that is cut short raises SIGBUS, which ends this process: the same exposure that every
    // linker and grep with memory maps has.
    unsafe { Mmap::map(file) }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::whole(Store::Owned(bytes))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let all: &[u8] = match &*self.store {
            Store::Owned(bytes) => bytes,
            Store::Mapped(map) => map,
        };
        all.get(self.range.clone()).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Why the contents of a file could not be had.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The system said so.
    Io(io::Error),
    /// It is a folder, a device, a pipe.
    NotAFile,
    /// It is over the limit.
    TooLarge { size: u64, limit: u64 },
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => f.write_str(&crate::problems::io_text(error)),
            Self::NotAFile => f.write_str("not a regular file"),
            Self::TooLarge { size, limit } => write!(f, "{size} bytes, over the limit of {limit}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_files_are_read_and_large_ones_mapped() {
        let folder = tempfile::tempdir().unwrap();
        for size in [0, 1, 65_536, 65_537, 300_000] {
            let path = folder.path().join(size.to_string());
            std::fs::write(&path, vec![7; size]).unwrap();
            let bytes = Bytes::of_file(&path, 300_000).unwrap();
            assert_eq!(bytes.len(), size);
            assert_eq!(matches!(*bytes.store, Store::Mapped(_)), size > 65_536);
        }
        assert!(matches!(Bytes::of_file(&folder.path().join("300000"), 299_999), Err(ReadError::TooLarge { .. })));
        assert!(matches!(Bytes::of_file(&folder.path().join("65536"), 9), Err(ReadError::TooLarge { .. })));
        assert!(matches!(Bytes::of_file(folder.path(), 9), Err(ReadError::NotAFile | ReadError::Io(_))));
    }

    #[test]
    fn parts_stay_inside() {
        let bytes = Bytes::from(vec![0, 1, 2, 3, 4, 5]);
        let part = bytes.part(2, 3).unwrap();
        assert_eq!(&*part, [2, 3, 4]);
        assert_eq!(&*part.part(1, 2).unwrap(), [3, 4]);
        assert!(part.part(1, 3).is_none());
        assert!(part.part(usize::MAX, 1).is_none());
    }
}
