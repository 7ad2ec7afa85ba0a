//! The library against the files of `fixtures/binaries`: one test binary.

#![allow(
    clippy::unwrap_used,
    reason = "a failing test should panic where it fails; clippy sees only #[test] functions as tests"
)]

mod fixtures; // the files, and what they are called
mod golden; // the whole answer about each
mod hostile; // damaged files
mod mutation; // how they are damaged
mod truth; // what the interpreters did with them
