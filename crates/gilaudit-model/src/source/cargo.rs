//! What the Cargo files of a project say about the framework that its extension modules are made with.

use super::{FileId, Span};

/// A version of a crate: major, minor, patch.
pub type CrateVersion = (u32, u32, u32);

/// One `Cargo.toml`.
#[derive(Clone, Debug)]
pub struct CargoManifest {
    /// Where it is.
    pub file: FileId,
    /// The name of its package; a virtual workspace has none.
    pub package: Option<Box<str>>,
    /// The version of its package.
    pub version: Option<CrateVersion>,
    /// The name of its library, with underscores; that of the package unless it says otherwise.
    pub library: Option<Box<str>>,
    /// Whether it makes a library that can be loaded: `crate-type = ["cdylib"]`.
    pub is_cdylib: bool,
    /// The framework that it depends on: `pyo3`, else `pyo3-ffi`.
    pub framework: Option<CargoFramework>,
}

/// A dependency on PyO3.
#[derive(Clone, Debug)]
pub struct CargoFramework {
    /// `pyo3` or `pyo3-ffi`.
    pub name: &'static str,
    /// The oldest version that is taken: the one of Cargo.lock, or the lower bound of the requirement.
    pub oldest: Option<CrateVersion>,
    /// The first version that is not taken any more.
    pub below: Option<CrateVersion>,
    /// Whether Cargo.lock says it.
    pub locked: bool,
    /// The requirement, as written; none for a path or a repository.
    pub requirement: Option<Box<str>>,
    /// Where the dependency is named in the file.
    pub span: Span,
}

impl CargoFramework {
    /// The version in words: `0.27.1` when it is locked, else what the requirement says.
    pub fn words(&self) -> String {
        match (self.locked, self.oldest, &self.requirement) {
            (true, Some((major, minor, patch)), _) => format!("{major}.{minor}.{patch}"),
            (_, _, Some(requirement)) => requirement.to_string(),
            (_, Some((major, minor, patch)), None) => format!("{major}.{minor}.{patch}"),
            (_, None, None) => "an unknown version".to_owned(),
        }
    }
}
