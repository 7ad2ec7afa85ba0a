//! The one place where files are opened, of everything that gilaudit ever reads.
//!
//! A path that was given, found or named in an archive's metadata can be anything: a pipe that nobody writes to, a device without an
//! end, a link to either, a file of `/proc`, a file that another process cuts short meanwhile. So only regular files are opened,
//! without waiting for anybody, up to a limit that the caller states, and as long as they were when they were opened. Nothing is
//! mapped into memory: a mapped file that is cut short ends the process that reads it.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

/// Most bytes of a text that a person writes: a policy, a baseline, a saved report, a `pyproject.toml`.
const TEXT_BYTES: u64 = 64 << 20;

/// Why the contents of a file could not be had.
#[derive(Debug)]
pub enum ReadError {
    /// The system said so.
    Io(io::Error),
    /// It is a folder, a device, a pipe, a socket.
    NotAFile,
    /// It is over the limit.
    TooLarge {
        /// The size of the file.
        size: u64,
        /// The limit that it is over.
        limit: u64,
    },
    /// It is not the file that it was when it was opened, or not as long.
    Changed,
    /// It is to be text, and is not UTF-8.
    NotText,
}

impl ReadError {
    /// Whether there is nothing of this name, as against something that cannot be read.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
    }
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
            Self::Changed => f.write_str("it changed while it was read"),
            Self::NotText => f.write_str("not UTF-8 text"),
        }
    }
}

/// What tells a file from another, and from what it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    size: u64,
    modified: Option<SystemTime>,
    place: (u64, u64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let place = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let place = (0, 0);
        Self { size: metadata.len(), modified: metadata.modified().ok(), place }
    }
}

/// A regular file that is open for reading.
#[derive(Debug)]
pub(crate) struct Opened {
    file: File,
    identity: Identity,
}

impl Opened {
    /// Opens a regular file of at most `limit` bytes.
    pub(crate) fn open(path: &Path, limit: u64) -> Result<Self, ReadError> {
        // Asked first, because opening a device may already do something; and of what was opened, because it may be another by then.
        if !path.metadata()?.is_file() {
            return Err(ReadError::NotAFile);
        }
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            // A pipe is opened at once, whether or not somebody writes to it, and a file of /proc does not wait for messages.
            options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
        }
        let file = options.open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(ReadError::NotAFile);
        }
        if metadata.len() > limit {
            return Err(ReadError::TooLarge { size: metadata.len(), limit });
        }
        Ok(Self { file, identity: Identity::of(&metadata) })
    }

    /// Opens a file that was opened before; a problem when it is another one, or was changed.
    pub(crate) fn again(path: &Path, identity: &Identity) -> Result<Self, ReadError> {
        let opened = Self::open(path, u64::MAX)?;
        if opened.identity == *identity { Ok(opened) } else { Err(ReadError::Changed) }
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn len(&self) -> u64 {
        self.identity.size
    }

    /// Fills `buffer` with what is at `offset`. A file that ends before was cut short since it was opened.
    pub(crate) fn read_at(&self, mut buffer: &mut [u8], mut offset: u64) -> Result<(), ReadError> {
        while !buffer.is_empty() {
            let read = match read_some(&self.file, buffer, offset) {
                Ok(0) => return Err(ReadError::Changed),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            buffer = buffer.get_mut(read..).unwrap_or_default();
            offset = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    /// Appends so many bytes at `offset` to a buffer.
    pub(crate) fn append(&self, buffer: &mut Vec<u8>, mut offset: u64, size: u64) -> Result<(), ReadError> {
        // Memory has to be cleared before it is read into. In small steps that is done in the processor's cache.
        const STEP: u64 = 128 << 10;
        let mut left = size;
        while left > 0 {
            let (step, start) = (left.min(STEP), buffer.len());
            buffer.resize(start.saturating_add(usize::try_from(step).unwrap_or(0)), 0);
            self.read_at(buffer.get_mut(start..).unwrap_or_default(), offset)?;
            offset = offset.saturating_add(step);
            left = left.saturating_sub(step);
        }
        Ok(())
    }

    /// Appends the whole file to a buffer.
    ///
    /// A file that has more to give than its size is none of a disk (those of `/proc` say that they are empty), or still being written.
    pub(crate) fn read_whole(&self, buffer: &mut Vec<u8>) -> Result<(), ReadError> {
        self.append(buffer, 0, self.len())?;
        self.ends()
    }

    /// Whether it is still the file that was opened, and as it was then.
    pub(crate) fn unchanged(&self) -> Result<(), ReadError> {
        if Identity::of(&self.file.metadata()?) == self.identity { Ok(()) } else { Err(ReadError::Changed) }
    }

    /// Whether it ends where its size says.
    pub(crate) fn ends(&self) -> Result<(), ReadError> {
        let mut one = [0];
        match read_some(&self.file, &mut one, self.len()) {
            Ok(0) => Ok(()),
            Ok(_) => Err(ReadError::Changed),
            Err(error) => Err(error.into()),
        }
    }
}

/// A file that is read from front to back, as far as it was long when it was opened.
#[derive(Debug)]
pub(crate) struct Stream {
    opened: Opened,
    offset: u64,
}

impl Stream {
    pub(crate) fn new(opened: Opened) -> Self {
        Self { opened, offset: 0 }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.opened.len().saturating_sub(self.offset);
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let part = buffer.get_mut(..size).unwrap_or_default();
        self.opened.read_at(part, self.offset).map_err(|error| match error {
            ReadError::Io(error) => error,
            other => io::Error::other(other.to_string()),
        })?;
        self.offset = self.offset.saturating_add(u64::try_from(size).unwrap_or(u64::MAX));
        Ok(size)
    }
}

#[cfg(unix)]
fn read_some(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_some(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// The contents of a regular file of at most `limit` bytes, in memory of their own.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let opened = Opened::open(path, limit)?;
    let mut contents = reserved(opened.len()).ok_or(ReadError::TooLarge { size: opened.len(), limit })?;
    opened.read_whole(&mut contents)?;
    Ok(contents)
}

/// The text of a file that somebody wrote for gilaudit: a policy, a baseline, a report that was saved.
pub fn read_text(path: &Path) -> Result<String, ReadError> {
    String::from_utf8(read(path, TEXT_BYTES)?).map_err(|_| ReadError::NotText)
}

/// At most `most` bytes of a regular file, as long as it is by now: others may still be writing it.
pub fn read_beginning(path: &Path, most: u64) -> Result<Vec<u8>, ReadError> {
    let opened = Opened::open(path, u64::MAX)?;
    let mut contents = Vec::new();
    opened.append(&mut contents, 0, opened.len().min(most))?;
    Ok(contents)
}

/// An empty buffer for so many bytes, if there is the memory for them.
pub(crate) fn reserved(size: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(size).ok()?).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_within_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        for size in [0, 1, 65_537] {
            std::fs::write(&path, vec![7; size]).unwrap();
            assert_eq!(read(&path, 65_537).unwrap(), vec![7; size]);
        }
        assert!(matches!(read(&path, 65_536), Err(ReadError::TooLarge { size: 65_537, limit: 65_536 })));
        assert!(matches!(read(folder.path(), 9), Err(ReadError::NotAFile)));
        assert!(read(&folder.path().join("missing"), 9).unwrap_err().is_not_found());
        assert!(read_text(&path).is_ok());
        assert_eq!(read_beginning(&path, 3).unwrap(), [7; 3]);
        std::fs::write(&path, b"\xff").unwrap();
        assert!(matches!(read_text(&path), Err(ReadError::NotText)));
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for path in [&pipe, &link, &socket, Path::new("/dev/zero"), Path::new("/dev/null")] {
            assert!(matches!(read(path, 9), Err(ReadError::NotAFile)), "{}", path.display());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn files_that_are_on_no_disk_are_refused() {
        // They say that they are empty and then give text.
        assert!(matches!(read(Path::new("/proc/self/maps"), 1 << 20), Err(ReadError::Changed)));
    }

    #[test]
    fn a_file_that_changes_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, vec![1; 10_000]).unwrap();
        let opened = Opened::open(&path, u64::MAX).unwrap();
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(opened.read_at(&mut [0; 100], 500), Err(ReadError::Changed)));
        assert!(matches!(opened.read_whole(&mut Vec::new()), Err(ReadError::Changed)));
        assert!(matches!(Opened::again(&path, opened.identity()), Err(ReadError::Changed)));
        let longer = Opened::open(&path, u64::MAX).unwrap();
        std::fs::write(&path, b"longer than before").unwrap();
        assert!(matches!(longer.read_whole(&mut Vec::new()), Err(ReadError::Changed)));
    }
}
