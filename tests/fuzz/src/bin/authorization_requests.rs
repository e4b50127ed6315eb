//! See `fuzz_targets::authorization_requests`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::authorization_requests::run(data));
