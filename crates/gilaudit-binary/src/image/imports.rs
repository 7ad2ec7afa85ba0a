//! The names of a file's imports, each once, within a budget.

use std::collections::HashMap;

/// The imports met so far.
///
/// Names in a file may overlap, so that a small file can spell out far more text than it has bytes. What is spelled out is paid for
/// from a budget.
#[derive(Debug)]
pub(super) struct Imports {
    names: Vec<String>,
    indices: HashMap<Vec<u8>, u32>,
    bytes: usize,
}

impl Imports {
    /// `length` is the file's: names may be four times as long as the file.
    pub(super) fn new(length: usize) -> Self {
        Self { names: Vec::new(), indices: HashMap::new(), bytes: length.saturating_mul(4) }
    }

    /// The index of a name; `None` when the budget is spent. Looking a name up costs its length, whether it is new or not.
    pub(super) fn index(&mut self, name: &[u8]) -> Option<u32> {
        self.bytes = self.bytes.checked_sub(name.len())?;
        if let Some(index) = self.indices.get(name) {
            return Some(*index);
        }
        let index = u32::try_from(self.names.len()).ok()?;
        self.names.push(String::from_utf8_lossy(name).into_owned());
        self.indices.insert(name.to_vec(), index);
        Some(index)
    }

    pub(super) fn into_names(self) -> Vec<String> {
        self.names
    }
}
