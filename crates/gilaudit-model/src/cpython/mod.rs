//! What CPython itself does, per version: as data and pure functions.
//!
//! Every constant names the CPython version and file it was read in. Nothing here is policy, and nothing here is a guess: where
//! CPython leaves a case to the platform, the text says so.

mod load;
mod means;
mod outcome;
mod slots;
mod stdlib;
mod suffixes;
mod symbols;

pub use load::load;
pub use means::{DECLARES, could_declare, creates};
pub use outcome::{outcome, warning};
pub use slots::{GIL_NOT_USED, GIL_USED, SlotError, SlotsRead, slot_name};
pub use stdlib::is_stdlib;
pub use suffixes::{Found, find, module_stem, suffixes};
pub use symbols::missing_symbols;
