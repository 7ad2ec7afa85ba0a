//! What a Python file says about state that threads share.

use super::FileId;

/// One file.
#[derive(Clone, Debug)]
pub struct PythonFile {
    /// Where it is.
    pub file: FileId,
}
