//! f2py: every module says in its documentation text which version generated it.

use super::{Recogniser, version};

const MARK: &[u8] = b"auto-generated with f2py (version:";

pub(super) static F2PY: Recogniser = Recogniser {
    name: "f2py",
    marks: &["auto-generated with f2py (version:"],
    version: |text| version(text.strip_prefix(MARK)?, b'.'),
};
