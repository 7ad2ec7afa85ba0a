//! An importable compiled module, and shared libraries that are not one.

use crate::{Arch, Declaration, Distribution, Format, ImportFailure, Init, MadeBy, Origin, Platform};

/// Which CPython ABI a file was built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuiltFor {
    /// The free-threaded ABI of one version.
    FreeThreaded,
    /// The GIL ABI of one version.
    Gil,
    /// The stable ABI of GIL builds.
    Abi3,
    /// The stable ABI of free-threaded builds (3.15).
    Abi3t,
    /// Could not tell.
    Unknown,
}

impl BuiltFor {
    /// The word used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FreeThreaded => "free-threaded",
            Self::Gil => "gil",
            Self::Abi3 => "abi3",
            Self::Abi3t => "abi3t",
            Self::Unknown => "unknown",
        }
    }
}

/// The ABI of a file: what its name or wheel says, and what it was built for as far as name, tags, imports and layout show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abi {
    /// The tag: `cp314t`, `abi3`, `abi3t`; from the file name, else from the wheel's tags.
    pub tag: Option<String>,
    /// What it was built for. What the file itself shows (structure layout, imported DLL) wins over names.
    pub built_for: BuiltFor,
}

/// One importable compiled module, judged for one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The dotted module name: `lxml.etree`.
    pub module: String,
    /// The file.
    pub origin: Origin,
    /// SHA-256 of the bytes read, in hex, when it was computed.
    pub sha256: Option<String>,
    /// SHA-256 that RECORD claims, in hex.
    pub record_sha256: Option<String>,
    /// The distribution it belongs to.
    pub distribution: Option<Distribution>,
    /// The file's format.
    pub format: Format,
    /// The file's architecture.
    pub arch: Arch,
    /// The ABI it was built for.
    pub abi: Abi,
    /// How it initialises.
    pub init: Init,
    /// The framework that made it.
    pub framework: Option<MadeBy>,
    /// What it declares to the target.
    pub declaration: Declaration,
    /// Why the target cannot import it, when it cannot.
    pub failure: Option<ImportFailure>,
}

impl Extension {
    /// Where it runs, as built.
    pub fn platform(&self) -> Platform {
        Platform { os: self.format.os(), arch: self.arch }
    }
}

/// A shared library that is not an extension: it has no init function for its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Library {
    /// The file.
    pub origin: Origin,
    /// Why it is not an extension.
    pub why: String,
}
