//! PyO3: panic messages hold the paths of its source files, with the version as published.

use super::{Recogniser, version};

pub(super) static PYO3: Recogniser = Recogniser {
    name: "pyo3",
    marks: &["/pyo3-0.", "\\pyo3-0.", "/pyo3-1.", "\\pyo3-1.", "pyo3_runtime.PanicException", "pyo3_runtime"],
    version: |text| version(text.get(6..)?, b'.'),
};
