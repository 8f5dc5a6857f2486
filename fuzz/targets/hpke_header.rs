//! Any bytes as an encapsulated request.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::hpke::header(data));
