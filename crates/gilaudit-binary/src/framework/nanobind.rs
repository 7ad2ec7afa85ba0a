//! nanobind: its runtime names itself in error texts and in the names of its C++ types.

use super::{Recogniser, no_version};

pub(super) static NANOBIND: Recogniser = Recogniser {
    name: "nanobind",
    marks: &["Critical nanobind error", "N8nanobind", "__nb_internals_v", "nanobind.backend"],
    version: no_version,
};
