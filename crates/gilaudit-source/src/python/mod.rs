//! Python: which modules a file imports, where, and under which circumstances.
//!
//! ```text
//! text ──logical──> logical lines ──skeleton──> the few lines that matter ──tree──> PythonFacts
//! ```
//!
//! Most of a Python file has nothing to do with imports, and an environment has a hundred megabytes of it. So a small lexer finds
//! the logical lines, those that cannot matter are left out, and the grammar reads the rest.

mod condition;
mod expression;
pub(crate) mod logical;
mod mentions;
mod pth;
mod skeleton;
pub(crate) mod state;
mod stub;
mod tree;
mod uses;

use gilaudit_model::{Os, PythonFacts, Version};

pub use pth::{PthLine, read_pth};
pub use stub::read_stub;

/// What is known about the interpreter that would run the text, for conditions on version and platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The version.
    pub version: Version,
    /// The operating system; without one, conditions on it are left undecided.
    pub os: Option<Os>,
    /// Whether the file is run as a script, so that `__name__` is `"__main__"`.
    pub main: bool,
}

/// Reads a Python file. Text that is not Python gives what could be read of it, and [`PythonFacts::incomplete`] says so.
pub fn read(text: &[u8], reading: &Reading) -> PythonFacts {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let skeleton = skeleton::of(text);
    let mut facts = tree::read(&skeleton, reading);
    facts.binds.extend(skeleton.binds);
    facts.binds.sort();
    facts.binds.dedup();
    facts
}

#[cfg(test)]
mod tests;
