//! The integration tests: one binary, which runs the built command.

#![allow(
    clippy::unwrap_used,
    reason = "a failing test should panic where it fails; clippy sees only #[test] functions as tests"
)]

mod book; // the book: its links, its rule pages, and the console blocks of all documentation
mod cli; // usage errors, exit codes, streams, help
mod common; // the runner, and makers of inputs
mod contract; // the fields of gilaudit-report/1
mod decisions; // the decision table of CPython, row by row
mod diff; // what changed between two inputs
mod formats; // the formats for other programs, baselines
mod imports; // what an import does to the process; policy check and init
mod index; // an index of our own: history, upgrade, the cache
mod inputs; // broken, odd and empty inputs
mod loads; // what is found and cannot be loaded, or is loaded all the same
mod mistakes; // suggestions, empty inputs, completions
mod project; // the policy of a pyproject.toml that nobody named
mod pypi; // downloads, with a pip of our own making
mod readers; // baselines and saved reports that are damaged
mod readme; // what README.md shows
mod sources; // source files and trees
mod terminal; // what people see
mod tidy; // invariants of the source tree
mod verify; // predictions beside what an interpreter does: one of our own making
mod wheels; // real wheels, downloaded once
