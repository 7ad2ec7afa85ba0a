//! What a Cython file says.

use super::FileId;

/// One file.
#[derive(Clone, Debug)]
pub struct CythonFile {
    /// Where it is.
    pub file: FileId,
}
