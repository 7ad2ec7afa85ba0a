//! Source text in, facts out.
//!
//! So far this reads which Python module imports which; the languages that extensions are written in follow. No I/O: whoever has
//! the text hands it in. Every reader is bounded and takes hostile text without panicking; what it could not read it says.

// What is read here may be hostile: nothing may panic on it. Tests may.
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

pub mod c;
pub mod python;
