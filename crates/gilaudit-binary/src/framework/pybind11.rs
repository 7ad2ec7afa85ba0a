//! pybind11: modules of compatible versions share internals under a key that all of them hold.

use super::{Recogniser, no_version};

pub(super) static PYBIND11: Recogniser = Recogniser {
    name: "pybind11",
    // pybind/pybind11 2.x and 3.x, include/pybind11/detail/internals.h. The number in the key is that of the internals' layout,
    // not a version of pybind11.
    marks: &["__pybind11_internals_v", "__pybind11_module_local", "pybind11_builtins", "pybind11_static_property"],
    version: no_version,
};
