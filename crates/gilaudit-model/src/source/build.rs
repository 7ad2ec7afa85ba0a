//! What a build file says about the modules that it makes.

use super::FileId;

/// One file.
#[derive(Clone, Debug)]
pub struct BuildFile {
    /// Where it is.
    pub file: FileId,
}
