//! Reads from a compiled CPython extension, without running it, whether it declares that it can run without the GIL.
#![allow(dead_code)]

mod image;

use gilaudit_model::{BinaryFacts, Format, Origin, Problem, WheelTags};

/// What is known about a file besides its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Hints<'a> {
    /// The file's origin; its file name gives the module name and the ABI tag, its folder the name of an `__init__` module.
    pub origin: &'a Origin,
    /// The tags of the wheel it came in.
    pub tags: Option<&'a WheelTags>,
}

/// Bounds on the work spent on one file.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Instructions evaluated per init function.
    pub instructions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { instructions: 200_000 }
    }
}

/// The object-file format of these bytes by their first few, if it is one that is read here.
pub fn sniff(_bytes: &[u8]) -> Option<Format> {
    None
}

/// Reads a compiled file. One [`BinaryFacts`] per architecture: fat Mach-O files have several, every other file one. Empty, with a
/// problem, when the bytes are not an object file that can be read.
pub fn read(_bytes: &[u8], _hints: &Hints<'_>, _limits: &Limits) -> (Vec<BinaryFacts>, Vec<Problem>) {
    (Vec::new(), Vec::new())
}
