//! The contents of a member: in memory, or a file that is read in the parts that its reader asks for.
//!
//! Of most files a small part matters (headers, tables, the code of one function), so that reading them as a whole would cost several
//! times as much as looking at them.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::budget::{Budget, Permit};
use crate::bytes::Bytes;
use crate::open::{Opened, ReadError};

/// Bytes of one file that its reader may keep in parts. A file of which more is wanted is read as a whole, once the budget of all threads
/// has room for it.
const KEPT: u64 = 48 << 20;

/// What a member holds.
#[derive(Debug)]
pub enum Contents {
    /// All of it, or the beginning of what is of no interest.
    Memory(Bytes),
    /// A file, of which parts can be read.
    File(FileContents),
}

/// A file that is open, of which parts can be read.
#[derive(Debug)]
pub struct FileContents {
    opened: Opened,
    kept: u64,
    _permit: Permit,
}

impl FileContents {
    /// A file of which parts will be kept, as soon as the budget has room for them.
    pub(crate) fn new(opened: Opened, budget: &Arc<Budget>) -> Self {
        let kept = opened.len().min(KEPT);
        Self { opened, kept, _permit: budget.ask(kept) }
    }

    /// How many bytes there were when it was opened.
    pub fn len(&self) -> u64 {
        self.opened.len()
    }

    /// Whether there were none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of it may be held in memory.
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// Fills `buffer` with the bytes at `offset`.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), ReadError> {
        self.opened.read_at(buffer, offset)
    }

    /// Whether it is still what it was when it was opened. What was read of a file that changed meanwhile may be of both.
    pub fn unchanged(&self) -> Result<(), ReadError> {
        self.opened.unchanged()
    }

    /// Its SHA-256, in lower-case hex.
    pub fn sha256_hex(&self) -> Result<String, ReadError> {
        const STEP: usize = 128 << 10;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; usize::try_from(self.len()).unwrap_or(usize::MAX).min(STEP)];
        let mut at = 0u64;
        while at < self.len() {
            let left = usize::try_from(self.len().saturating_sub(at)).unwrap_or(usize::MAX);
            let part = buffer.get_mut(..left.min(STEP)).unwrap_or_default();
            self.opened.read_at(part, at)?;
            hash.update(&*part);
            at = at.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        }
        Ok(data_encoding::HEXLOWER.encode(&hash.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_hashed_in_parts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let budget = Budget::new(10);
        for size in [0, 1, 128 << 10, 300_001] {
            let bytes = vec![9; size];
            std::fs::write(&path, &bytes).unwrap();
            let file = FileContents::new(Opened::open(&path, u64::MAX).unwrap(), &budget);
            assert_eq!(file.sha256_hex().unwrap(), crate::sha256_hex(&bytes));
            assert!(file.unchanged().is_ok());
            std::fs::write(&path, vec![9; size + 1]).unwrap();
            assert!(matches!(file.unchanged(), Err(ReadError::Changed)));
        }
    }
}
