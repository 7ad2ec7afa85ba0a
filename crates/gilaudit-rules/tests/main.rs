//! The tests of the crate, one binary.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop; clippy.toml allows it in #[test] functions only"
)]

mod complete; // a rule exists if and only if its file, page, fixture folder and registry line exist
mod directives;
mod fixtures;
mod growth;
mod machine_code; // the fixtures of fixtures/code
mod rows;
mod sources; // all rules on all fixtures
