//! The tests of the crate, one binary.

mod complete; // a rule exists if and only if its file, page, fixture folder and registry line exist
mod fixtures; // all rules on all fixtures
