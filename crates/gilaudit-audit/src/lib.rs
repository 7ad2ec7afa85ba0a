//! The pipeline: from an inventory of inputs to a report.
//!
//! [`audit`] reads every member, finds out what each module declares, wherever its initialisation is, lints the sources, and asks the
//! policy. [`imports::follow`] adds what a program's imports do to the process, [`scope::limit`] leaves in what they lead to, and a
//! [`report::Report`] sorts, counts and says how the run ends. `identity`, `baseline` and `diff` compare runs.
//!
//! Nothing here prints, knows of arguments, or touches a file but through `gilaudit-input`.

mod answers;
mod applied;
mod audit;
pub mod baseline;
mod code;
mod contents;
pub mod diff;
pub mod environment;
mod extension;
mod guard;
pub mod identity;
pub mod imports;
mod judge;
mod known;
mod link;
mod reaches;
mod read;
pub mod report;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
pub mod scope;
mod settings;
mod sources;

pub use answers::{Coverage, Reach};
pub use applied::Applied;
pub use audit::audit;
pub use settings::{DEFAULT_TARGET, Settings};
