//! mypyc: the modules of one build share a file whose name ends in `__mypyc`, which their shims import.

use super::{Recogniser, no_version};

pub(super) static MYPYC: Recogniser = Recogniser { name: "mypyc", marks: &["__mypyc"], version: no_version };
