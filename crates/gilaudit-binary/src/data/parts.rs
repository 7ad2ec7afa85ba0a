//! A file that is read in parts, as they are asked for.
//!
//! What was read is kept until the file is done with, so that it can be lent. Small reads are answered from pieces of a fixed size that
//! overlap by a window, large ones are read as they are. When more would be kept than is allowed, or the file cannot be read any more,
//! everything asked from then on is missing, and [`Parts::failure`] says so: what was made of it must be thrown away.

use std::cell::{Cell, OnceCell};
use std::ops::ControlFlow;

use super::WINDOW;

/// Bytes from one piece to the next.
const PIECE: usize = 32 << 10;

/// Large reads of one file. The readers make one for each section or table that they want as a whole.
const RANGES: usize = 256;

/// Memory is cleared before it is read into, in steps of which that is done in the processor's cache.
const STEP: usize = 128 << 10;

/// Why a file was not read as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The function that reads said so.
    NotRead,
    /// More of it is wanted than may be kept: it is to be given as a whole.
    TooMuch,
}

/// Reads bytes at an offset into a buffer, all of them; says whether that was done.
type Read<'f> = dyn Fn(u64, &mut [u8]) -> bool + 'f;

/// A file of which parts are read.
pub struct Parts<'f> {
    length: usize,
    /// Bytes that may still be kept.
    left: Cell<usize>,
    read: Box<Read<'f>>,
    pieces: Vec<OnceCell<Vec<u8>>>,
    ranges: Vec<OnceCell<(usize, Vec<u8>)>>,
    failure: Cell<Option<Failure>>,
}

impl std::fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "parts of {} bytes", self.length)
    }
}

impl<'f> Parts<'f> {
    /// A file of `length` bytes, of which at most `most` are kept. `read` fills a buffer with the bytes at an offset and says whether it
    /// could.
    pub fn new(length: usize, most: usize, read: impl Fn(u64, &mut [u8]) -> bool + 'f) -> Self {
        let pieces = std::iter::repeat_with(OnceCell::new).take(length.div_ceil(PIECE)).collect();
        let ranges = std::iter::repeat_with(OnceCell::new).take(RANGES).collect();
        Self { length, left: Cell::new(most), read: Box::new(read), pieces, ranges, failure: Cell::new(None) }
    }

    /// How long the file is.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether the file is empty.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Why something that was asked for is missing.
    pub fn failure(&self) -> Option<Failure> {
        self.failure.get()
    }

    /// The bytes from `offset` on, at least a window of them or to the end.
    pub(super) fn window(&self, offset: usize) -> &[u8] {
        let index = offset.checked_div(PIECE).unwrap_or(0);
        let Some(piece) = self.pieces.get(index) else { return &[] };
        let start = index.saturating_mul(PIECE);
        let bytes = match piece.get() {
            Some(bytes) => bytes,
            None => {
                let size = self.length.saturating_sub(start).min(PIECE.saturating_add(WINDOW));
                let Some(bytes) = self.keep(start, size) else { return &[] };
                piece.get_or_init(|| bytes)
            }
        };
        bytes.get(offset.saturating_sub(start)..).unwrap_or_default()
    }

    /// So many bytes at `offset`, side by side.
    pub(super) fn get(&self, offset: usize, size: usize) -> Option<&[u8]> {
        if size <= WINDOW {
            return self.window(offset).get(..size);
        }
        for range in &self.ranges {
            if range.get().is_none() {
                let bytes = self.keep(offset, size)?;
                return range.get_or_init(|| (offset, bytes)).1.get(..size);
            }
            let kept = range.get().and_then(|(start, bytes)| {
                let inside = offset.checked_sub(*start)?;
                bytes.get(inside..inside.checked_add(size)?)
            });
            if kept.is_some() {
                return kept;
            }
        }
        self.failure.set(self.failure.get().or(Some(Failure::TooMuch)));
        None
    }

    /// Shows a stretch from front to back, without keeping it.
    pub(super) fn pieces<B>(
        &self,
        start: usize,
        length: usize,
        overlap: usize,
        mut look: impl FnMut(usize, &[u8], usize) -> ControlFlow<B>,
    ) -> Option<B> {
        let mut buffer = vec![0; STEP.saturating_add(overlap).min(length)];
        let mut at = 0usize;
        while at < length {
            let left = length.saturating_sub(at);
            let size = left.min(STEP.saturating_add(overlap));
            let bytes = buffer.get_mut(..size)?;
            if !self.fill(start.saturating_add(at), bytes) {
                return None;
            }
            let new = left.min(STEP);
            if let ControlFlow::Break(found) = look(at, bytes, new) {
                return Some(found);
            }
            at = at.saturating_add(new);
        }
        None
    }

    /// Reads what is to be kept.
    fn keep(&self, offset: usize, size: usize) -> Option<Vec<u8>> {
        if self.failure.get().is_some() {
            return None;
        }
        let left = self.left.get().checked_sub(size);
        let mut bytes = Vec::new();
        let Some(left) = left.filter(|_| bytes.try_reserve_exact(size).is_ok()) else {
            self.failure.set(Some(Failure::TooMuch));
            return None;
        };
        self.left.set(left);
        while bytes.len() < size {
            let from = bytes.len();
            bytes.resize(size.min(from.saturating_add(STEP)), 0);
            if !self.fill(offset.saturating_add(from), bytes.get_mut(from..)?) {
                return None;
            }
        }
        Some(bytes)
    }

    fn fill(&self, offset: usize, bytes: &mut [u8]) -> bool {
        let done = self.failure.get().is_none() && u64::try_from(offset).is_ok_and(|offset| (self.read)(offset, bytes));
        if !done {
            self.failure.set(self.failure.get().or(Some(Failure::NotRead)));
        }
        done
    }
}
