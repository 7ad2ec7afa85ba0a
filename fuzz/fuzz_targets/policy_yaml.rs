//! Policies in YAML.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gilaudit_fuzz::watch(gilaudit_hostile::policy::yaml, data));
