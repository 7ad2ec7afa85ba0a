//! What must hold for every input, however hostile.
//!
//! Each function takes bytes of which nothing is known and panics when gilaudit does not keep its word about them. `fuzz/` lets libFuzzer
//! look for such bytes; `cargo test` runs the same functions on the fixtures, on damaged copies of them, and on what was found before.
//! How long a run took and how much memory it had is measured by whoever calls.
#![allow(clippy::panic, reason = "a panic is how a broken promise is said")]

pub mod archives;
pub mod binary;
mod made_tar;
mod made_zip;
pub mod policy;
mod recipe;
pub mod sources;

/// What is run on any bytes.
pub type Body = fn(&[u8]);

/// Every body, by the name of its fuzz target. The format of a compiled file is chosen by the seeds.
pub const BODIES: &[(&str, Body)] = &[
    ("elf_x86_64", binary::any),
    ("elf_aarch64", binary::any),
    ("elf_other", binary::any),
    ("macho", binary::any),
    ("pe", binary::any),
    ("wheel", archives::wheel),
    ("sdist", archives::sdist),
    ("tar", archives::tar),
    ("c", sources::c),
    ("cpp", sources::cpp),
    ("cython", sources::cython),
    ("rust", sources::rust),
    ("python", sources::python),
    ("build_files", sources::build),
    ("policy_yaml", policy::yaml),
    ("policy_toml", policy::toml),
];
