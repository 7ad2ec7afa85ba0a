//! Tables of entries of one kind.

use std::marker::PhantomData;

use object::Pod;

use super::Data;

/// The entries of a table, which are read as they are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entries<'data, T> {
    data: Data<'data>,
    count: usize,
    kind: PhantomData<&'data T>,
}

impl<'data, T: Pod> Entries<'data, T> {
    /// No entries.
    pub(crate) const EMPTY: Self = Self { data: Data::EMPTY, count: 0, kind: PhantomData };

    /// As many whole entries as the bytes hold, at most `count`.
    pub(crate) fn new(data: Data<'data>, count: usize) -> Self {
        let whole = data.len().checked_div(size_of::<T>()).unwrap_or(0);
        Self { data, count: count.min(whole), kind: PhantomData }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// One of them.
    pub(crate) fn get(&self, index: usize) -> Option<&'data T> {
        self.run(index).first()
    }

    /// All of them; fewer when they cannot be read.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'data T> + use<'data, T> {
        self.first(self.count)
    }

    /// The first of them.
    pub(crate) fn first(&self, count: usize) -> impl Iterator<Item = &'data T> + use<'data, T> {
        let entries = Self { count: count.min(self.count), ..*self };
        let (mut at, mut run) = (0usize, [].iter());
        std::iter::from_fn(move || {
            if let Some(entry) = run.next() {
                return Some(entry);
            }
            let entries = entries.run(at);
            at = at.saturating_add(entries.len());
            run = entries.iter();
            run.next()
        })
    }

    /// Some of the entries from `index` on, which lie side by side.
    fn run(&self, index: usize) -> &'data [T] {
        let left = self.count.saturating_sub(index);
        let Some(offset) = index.checked_mul(size_of::<T>()).filter(|_| left > 0) else { return &[] };
        let window = self.data.window(offset);
        let count = window.len().checked_div(size_of::<T>()).unwrap_or(0).min(left);
        object::slice_from_bytes(window, count).map_or(&[], |(entries, _)| entries)
    }
}
