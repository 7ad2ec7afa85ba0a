//! ELF files for 32 bits and other architectures; the seeds choose the format.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gilaudit_fuzz::watch(gilaudit_hostile::binary::any, data));
