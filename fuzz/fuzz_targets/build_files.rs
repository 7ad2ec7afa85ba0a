//! Sources: build.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gilaudit_fuzz::watch(gilaudit_hostile::sources::build, data));
