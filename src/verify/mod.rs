//! A real interpreter as the judge of what was predicted: `gilaudit verify`.
//!
//! This is the one command that runs what is audited. `child.rs` runs processes, `compare.rs` sets what they saw beside the prediction,
//! `stress.rs` calls functions from several threads.

pub(crate) mod child;
pub(crate) mod compare;
pub(crate) mod stress;
