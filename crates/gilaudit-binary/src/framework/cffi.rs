//! cffi: API-mode modules hand their initialisation to `_cffi_backend` under this name.

use super::{Recogniser, no_version};

pub(super) static CFFI: Recogniser =
    Recogniser { name: "cffi", marks: &["_init_cffi_1_0_external_module"], version: no_version };
