//! See `fuzz_targets::proofs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::proofs::run(data));
