//! The vocabulary of gilaudit.
//!
//! Every other crate depends on this one and on no sibling: the types here are what flows through the pipeline.
//!
//! ```text
//! input   paths and archives  ->  artifacts (bytes + Origin + Distribution)
//! binary  bytes               ->  BinaryFacts             ->  Loading for a Target
//! rules   Extension, Loading  ->  Finding
//! policy  all of it, Target   ->  Decision
//! ```
//!
//! [`cpython`] holds what CPython itself does, as data and pure functions, each with the file it was read in. Nothing here does
//! I/O, and nothing here is serialisable on purpose: report formats have structs of their own.

mod binary;
mod decision;
mod declaration;
mod distribution;
mod evidence;
mod extension;
mod finding;
pub mod framework;
mod imports;
mod origin;
pub mod panics;
mod platform;
mod problem;
mod reasons;
mod target;

pub mod capi;
pub mod cpython;
pub mod flow;
pub mod program;
pub mod source;

pub use binary::{
    AbiInfo, BinaryFacts, Definition, Delegate, ExportSlots, GilCall, Header, Hook, HookKind, HookRun, InitResult,
    Layout, Linked, Place, PythonName, Slot, SlotSource, SlotValue, Slots,
};
pub use decision::{Action, Decision, Outcome, Waiver};
pub use declaration::{Declaration, FailureKind, ImportFailure, Init, Loading, Mechanism, Status};
pub use distribution::{Distribution, WheelTags};
pub use evidence::{At, Evidence, Site};
pub use extension::{Abi, BuiltFor, Extension, Library};
pub use finding::{CodePlace, Confidence, Finding, Location, Related, Severity};
pub use framework::{Framework, MadeBy};
pub use imports::{Callable, Catches, Handler, Import, ImportKind, LazyModules, LazyName, PythonFacts, Step, Use};
pub use origin::Origin;
pub use platform::{Arch, Format, Os, Platform};
pub use problem::{Problem, Stage};
pub use reasons::{Budget, Reason};
pub use target::{Gil, Target, Version, Versions};
