//! Cython: every module can share its types with other Cython modules, through a module named after the version.

use super::{Recogniser, version};

pub(super) static CYTHON: Recogniser = Recogniser {
    name: "cython",
    // cython/cython 0.29 to 3.3, Cython/Utility/CommonStructures.c and TypeConversion.c: error texts and the shared ABI module.
    marks: &["_cython_3_", "_cython_0_", "Shared Cython type", "cython_runtime", "__pyx_capi__"],
    version: |text| version(text.strip_prefix(b"_cython_")?, b'_'),
};
