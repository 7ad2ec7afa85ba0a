//! The tests of the crate, one binary.

mod built_in; // the six policies in `policies/`
mod common;
mod decisions; // exceptions, extends, findings, filters, hashes, targets
mod mistakes; // every mistake in one run, each at its place
mod truth_table; // every case under every built-in policy
