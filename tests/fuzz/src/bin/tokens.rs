//! See `fuzz_targets::tokens`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::tokens::run(data));
