//! The contents of a file or of an archive member, in memory.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use crate::budget::{Budget, Permit};
use crate::open::{Opened, ReadError, read};

/// Bytes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bytes {
    store: Arc<Store>,
}

/// The bytes themselves, which count against a budget while anybody holds them.
#[derive(Debug)]
struct Store {
    bytes: Vec<u8>,
    permit: Option<(Permit, Arc<Budget>)>,
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some((permit, budget)) = self.permit.take() {
            budget.give_back(std::mem::take(&mut self.bytes));
            drop(permit);
        }
    }
}

impl Bytes {
    /// The contents of a regular file of at most `limit` bytes, which count against no budget: for what is read one by one.
    pub(crate) fn of_file(path: &Path, limit: u64) -> Result<Self, ReadError> {
        read(path, limit).map(Self::from)
    }

    /// The contents of a regular file of at most `limit` bytes, as soon as the budget has room for them.
    pub(crate) fn within(budget: &Arc<Budget>, path: &Path, limit: u64) -> Result<Self, ReadError> {
        let opened = Opened::open(path, limit)?;
        Self::filled(budget, opened.len(), opened.len(), |buffer| opened.read_whole(buffer))
            .unwrap_or(Err(ReadError::TooLarge { size: opened.len(), limit }))
    }

    /// Bytes as `fill` appends them to a buffer for `size`, as soon as the budget has room for `asked` (what `fill` itself needs, too);
    /// `None` when there is no memory.
    pub(crate) fn filled<E>(
        budget: &Arc<Budget>,
        asked: u64,
        size: u64,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Option<Result<Self, E>> {
        let permit = budget.ask(asked);
        let mut bytes = budget.buffer(usize::try_from(size).ok()?)?;
        let result = fill(&mut bytes);
        let store = Store { bytes, permit: Some((permit, Arc::clone(budget))) };
        Some(result.map(|()| Self { store: Arc::new(store) }))
    }

    /// The same bytes, which count against no budget any more.
    pub(crate) fn unbudgeted(mut self) -> Self {
        if let Some(store) = Arc::get_mut(&mut self.store) {
            store.permit = None;
        }
        self
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self { store: Arc::new(Store { bytes, permit: None }) }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.store.bytes
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_within_a_budget() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, vec![7; 300_000]).unwrap();
        let budget = Budget::new(10);
        for _ in 0..2 {
            let bytes = Bytes::within(&budget, &path, 300_000).unwrap();
            assert_eq!(*bytes, vec![7; 300_000][..]);
        }
        assert!(matches!(Bytes::within(&budget, &path, 299_999), Err(ReadError::TooLarge { .. })));
    }
}
