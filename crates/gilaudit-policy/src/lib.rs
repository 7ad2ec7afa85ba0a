//! Policies: what may be loaded, and what happens to the process.
//!
//! ```text
//! text ──yaml / pyproject──> node tree with positions ──validate──> Policy (+ every Diagnostic of the file)
//! Policy + Extension + Findings + Target + today ──decide──> Decision
//! ```
//!
//! Pure: no files, no clock, no environment. What a policy extends, which rules there are and what day it is are handed in
//! ([`Known`]). What CPython itself does is `gilaudit_model::cpython::outcome`, never computed again here; this crate only adds what
//! the policy says about it.

mod date;
mod decide;
mod diagnostic;
mod exceptions;
mod exclusion;
mod glob;
pub mod imports;
mod inherit;
mod level;
mod matches;
mod node;
mod policy;
mod pyproject;
mod quoted;
mod reader;
mod schema;
mod suggest;
mod targets;
mod validate;
mod warnings;
mod yaml;

pub use date::Date;
pub use decide::decide;
pub use diagnostic::{Diagnostic, Place};
pub use exclusion::{Exclusion, Reentry, exclusion};
pub use level::Level;
pub use policy::{Known, Policy};
pub use quoted::quoted;
pub use suggest::nearest;
