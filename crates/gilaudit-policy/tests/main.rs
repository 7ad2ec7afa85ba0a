//! The tests of the crate, one binary.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop; clippy.toml allows it in #[test] functions only"
)]

mod built_in; // the six policies in `policies/`
mod common;
mod decisions; // exceptions, extends, findings, filters, hashes, targets
mod mistakes; // every mistake in one run, each at its place
mod truth_table; // every case under every built-in policy
