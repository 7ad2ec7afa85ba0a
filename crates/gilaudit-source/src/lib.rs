//! Source text in, facts out.
//!
//! One folder a language. [`read_project`] reads the sources of one project for the rules; [`python::read_program`] makes of a Python
//! file the program that imports are followed through. No I/O: whoever has the text hands it in. Every reader is bounded and takes
//! hostile text without panicking; what it could not read it says.

// What is read here may be hostile: nothing may panic on it. Tests may.
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod build;
mod c;
mod cython;
mod encoding;
mod project;
pub mod python;
mod rust;
mod work;

pub use project::{Limits, SourceText, read_project};
