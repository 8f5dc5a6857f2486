//! Any bytes as a stream of chunks, in any division.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::hpke::chunks(data));
