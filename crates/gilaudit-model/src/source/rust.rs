//! What a Rust file says.

use super::FileId;

/// One file.
#[derive(Clone, Debug)]
pub struct RustFile {
    /// Where it is.
    pub file: FileId,
}
