//! SWIG: modules share their type table under a name with the version of the table's layout.

use super::{Recogniser, no_version};

pub(super) static SWIG: Recogniser = Recogniser {
    name: "swig",
    // swig/swig 2 to 4, Lib/python/pyrun.swg.
    marks: &["swig_runtime_data", "SwigPyObject"],
    version: no_version,
};
