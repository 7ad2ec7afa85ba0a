//! The tests of the crate, one binary.

mod built_in; // the six policies in `policies/`
mod common;
