//! The import graph: which modules an import of something runs, and which of them turn the GIL on.
//!
//! ```text
//! PythonFacts + Extensions ──world──> modules by name ──run──> what is loaded, in CPython's order ──answer──> does the GIL stay off
//! ```
//!
//! A run goes through module bodies as the interpreter would, depth first, without executing anything. What it cannot decide (a
//! condition, a function called while a module is imported, what an extension's own code imports) it follows as *possible*. An
//! answer is certain only where nothing possible could change it.

mod answer;
mod names;
mod run;
mod world;

pub use answer::{Answer, Blocker, GilAtEnd, OpenEnd, answer};
pub use run::{Entry, Link, Outcomes, Reached, run};
pub use world::{ExtensionNode, LazyFacts, PythonNode, World};
