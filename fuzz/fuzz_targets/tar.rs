//! Tars inside their compression, against Python's tarfile.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gilaudit_fuzz::watch(gilaudit_hostile::archives::tar, data));
