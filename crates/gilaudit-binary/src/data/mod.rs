//! The bytes of a file, as the readers of object files ask for them.
//!
//! A [`Data`] is a stretch of a file: of one that is in memory, or of one that is read in parts ([`Parts`]) as they are asked for. The
//! readers see no difference. What they do not ask for is not read: of a library of 100 MB that is its headers, its tables, and the
//! code that is evaluated.

mod entries;
mod parts;
#[cfg(test)]
mod tests;

use std::ops::{ControlFlow, Range};

use object::ReadRef;

pub(crate) use entries::Entries;
pub use parts::{Failure, Parts};

/// What [`Data::window`] gives at least, if there is so much: longer than any instruction, any entry of a table, and nearly any name.
pub(crate) const WINDOW: usize = 4096;

/// Bytes of a file, or of a part of it. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Data<'data> {
    source: Source<'data>,
    start: usize,
    length: usize,
}

#[derive(Clone, Copy, Debug)]
enum Source<'data> {
    Memory(&'data [u8]),
    Parts(&'data Parts<'data>),
}

impl<'data> From<&'data [u8]> for Data<'data> {
    fn from(bytes: &'data [u8]) -> Self {
        Self { source: Source::Memory(bytes), start: 0, length: bytes.len() }
    }
}

impl<'data> From<&'data Vec<u8>> for Data<'data> {
    fn from(bytes: &'data Vec<u8>) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl<'data, const LENGTH: usize> From<&'data [u8; LENGTH]> for Data<'data> {
    fn from(bytes: &'data [u8; LENGTH]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl<'data> From<&'data Parts<'data>> for Data<'data> {
    fn from(parts: &'data Parts<'data>) -> Self {
        Self { source: Source::Parts(parts), start: 0, length: parts.len() }
    }
}

impl<'data> Data<'data> {
    /// No bytes.
    pub(crate) const EMPTY: Self = Self { source: Source::Memory(&[]), start: 0, length: 0 };

    /// How many bytes there are.
    pub fn len(self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.length == 0
    }

    /// The bytes from `offset` on: at least a window of them, or as many as there are. Nothing when they cannot be read.
    ///
    /// What is asked for so is read in pieces of some 32 KB, which are kept; for what is small and scattered.
    pub fn window(self, offset: usize) -> &'data [u8] {
        let Some(left) = self.length.checked_sub(offset) else { return &[] };
        let bytes = match self.source {
            Source::Memory(bytes) => bytes.get(self.start.saturating_add(offset)..).unwrap_or_default(),
            Source::Parts(parts) => parts.window(self.start.saturating_add(offset)),
        };
        bytes.get(..bytes.len().min(left)).unwrap_or_default()
    }

    /// Just these bytes, side by side; `None` when they are not all there or cannot be read.
    ///
    /// What is larger than a window is read at once, and kept: for whole sections and tables.
    pub fn get(self, range: Range<usize>) -> Option<&'data [u8]> {
        if range.start > range.end || range.end > self.length {
            return None;
        }
        let (start, end) = (self.start.checked_add(range.start)?, self.start.checked_add(range.end)?);
        match self.source {
            Source::Memory(bytes) => bytes.get(start..end),
            Source::Parts(parts) => parts.get(start, end.checked_sub(start)?),
        }
    }

    /// All the bytes, side by side; as many as can be read, which is none or all.
    pub fn whole(self) -> &'data [u8] {
        self.get(0..self.length).unwrap_or_default()
    }

    /// At most `length` bytes at `start`, as many as there are.
    pub(crate) fn clamped(self, start: u64, length: u64) -> Self {
        let start = usize::try_from(start).unwrap_or(usize::MAX).min(self.length);
        let left = self.length.saturating_sub(start);
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(left);
        Self { source: self.source, start: self.start.saturating_add(start), length }
    }

    /// The bytes from `offset` on; `None` beyond the end.
    pub(crate) fn after(self, offset: u64) -> Option<Self> {
        (usize::try_from(offset).ok()? <= self.length).then(|| self.clamped(offset, u64::MAX))
    }

    /// The first bytes, if there are so many.
    pub(crate) fn first_chunk<const LENGTH: usize>(self) -> Option<&'data [u8; LENGTH]> {
        self.window(0).first_chunk()
    }

    /// Whether the bytes at `offset` are these.
    pub(crate) fn has(self, offset: usize, text: &[u8]) -> bool {
        let Some(end) = offset.checked_add(text.len()).filter(|end| *end <= self.length) else { return false };
        let window = self.window(offset);
        let bytes =
            window.get(..text.len()).or_else(|| if window.len() < WINDOW { None } else { self.get(offset..end) });
        bytes == Some(text)
    }

    /// The bytes from `offset` to the next NUL, if that is among the `limit` that follow.
    pub(crate) fn text(self, offset: u64, limit: usize) -> Option<&'data [u8]> {
        let offset = usize::try_from(offset).ok()?;
        let limit = self.length.checked_sub(offset)?.min(limit);
        let window = self.window(offset);
        let window = window.get(..window.len().min(limit))?;
        if let Some(end) = memchr::memchr(0, window) {
            return window.get(..end);
        }
        // The few texts that are longer than a window. How much is read grows with what was in vain.
        let mut length = window.len();
        while length < limit && !window.is_empty() {
            length = length.saturating_mul(16).min(limit);
            let bytes = self.get(offset..offset.checked_add(length)?)?;
            if let Some(end) = memchr::memchr(0, bytes) {
                return bytes.get(..end);
            }
        }
        None
    }

    /// Shows all the bytes to `look`, from front to back and without keeping them: pieces with the offset where each begins and what is
    /// new in it. A piece goes on at least `overlap` bytes beyond what is new, or to the end, so that what begins among the new is seen
    /// whole.
    pub(crate) fn pieces<B>(
        self,
        overlap: usize,
        mut look: impl FnMut(usize, &[u8], usize) -> ControlFlow<B>,
    ) -> Option<B> {
        match self.source {
            Source::Memory(_) => look(0, self.whole(), self.length).break_value(),
            Source::Parts(parts) => parts.pieces(self.start, self.length, overlap, look),
        }
    }
}

/// What `object` reads from.
impl<'data> ReadRef<'data> for Data<'data> {
    fn len(self) -> Result<u64, ()> {
        u64::try_from(self.length).map_err(|_| ())
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'data [u8], ()> {
        if size == 0 {
            return Ok(&[]);
        }
        let start = usize::try_from(offset).map_err(|_| ())?;
        let end = usize::try_from(offset.checked_add(size).ok_or(())?).map_err(|_| ())?;
        self.get(start..end).ok_or(())
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'data [u8], ()> {
        let start = usize::try_from(range.start).map_err(|_| ())?;
        let end = usize::try_from(range.end).map_err(|_| ())?;
        if start > end || end > self.length {
            return Err(());
        }
        let window = self.window(start);
        let window = window.get(..window.len().min(end.saturating_sub(start))).unwrap_or_default();
        let bytes = match memchr::memchr(delimiter, window) {
            Some(_) => window,
            None => self.get(start..end).ok_or(())?,
        };
        bytes.get(..memchr::memchr(delimiter, bytes).ok_or(())?).ok_or(())
    }
}
