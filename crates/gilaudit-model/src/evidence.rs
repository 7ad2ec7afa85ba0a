//! What was seen, and where.

use std::fmt;

use crate::{Origin, Place};

/// One piece of evidence: what was seen, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What was seen: `Py_mod_gil = Py_MOD_GIL_USED`.
    pub what: String,
    /// Where it was seen.
    pub at: At,
}

/// Where something was seen: a place in a file, with the way to that file when it is not the module's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At {
    /// The files that initialise the module in its place, the first one that is asked first; empty for its own file.
    pub files: Vec<Origin>,
    /// The place in the last of them.
    pub site: Site,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site {
    /// The file as a whole.
    File,
    /// Something in it that has a name: an init function.
    Named(String),
    /// A place in a compiled file.
    Binary(Place),
    /// A slot in a compiled file, and the code that put it there.
    Stored {
        /// The slot.
        slot: Place,
        /// The instruction.
        by: Place,
    },
    /// The names that a file takes from the interpreter: the module's own, or a library that it needs.
    Imports(Option<String>),
    /// A line of a text.
    Text {
        /// The file, in its project.
        path: String,
        /// The line, from 1.
        line: u32,
    },
}

impl At {
    /// A place in a module's own file.
    pub fn own(site: Site) -> Self {
        Self { files: Vec::new(), site }
    }

    /// The same place, as it is seen from a file that hands its initialisation to `other`.
    #[must_use]
    pub fn by_way_of(mut self, other: &Origin) -> Self {
        self.files.insert(0, other.clone());
        self
    }
}

impl From<Site> for At {
    fn from(site: Site) -> Self {
        Self::own(site)
    }
}

impl fmt::Display for At {
    /// `section .data+0x1380`, or `dist/x.whl!_cffi_backend.so section .data+0x1380`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, file) in self.files.iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            write!(f, "{gap}{file}")?;
        }
        match &self.site {
            Site::File => return Ok(()),
            _ if self.files.is_empty() => {}
            _ => f.write_str(" ")?,
        }
        self.site.fmt(f)
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Named(name) => f.write_str(name),
            Self::Binary(place) => place.fmt(f),
            Self::Stored { slot, by } => write!(f, "{slot}, stored by {by}"),
            Self::Imports(None) => f.write_str("the names that the file imports"),
            Self::Imports(Some(library)) => write!(f, "the names that {library} imports"),
            Self::Text { path, line } => write!(f, "{path}:{line}"),
        }
    }
}
