//! Boost.Python: C++ types of its namespace.

use super::{Recogniser, no_version};

pub(super) static BOOST_PYTHON: Recogniser =
    Recogniser { name: "boost-python", marks: &["N5boost6python", "Boost.Python."], version: no_version };
