//! The import graph: which modules an import of something runs, and which of them turn the GIL on.
//!
//! ```text
//! Programs + Extensions ──world──> modules by name ──run──> what is loaded, in CPython's order ──answer──> does the GIL stay off
//! ```
//!
//! A run follows module bodies and the functions that they call, with what is known of values, without executing anything. What it
//! cannot decide it follows as *possible*; where it cannot tell what is imported, it notes an open end. An answer is certain only where
//! nothing possible could change it.

mod answer;
mod run;
mod value;
mod world;

pub use answer::{Answer, Blocker, GilAtEnd, OpenEnd, answer};
pub use run::{Entry, Link, Outcomes, Reached, run};
pub use world::{EntryPoint, ExtensionNode, LazyCode, LazyNames, PythonNode, ReadCode, World};
