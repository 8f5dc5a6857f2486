//! Decode, encode, decode.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::bhttp::roundtrip(data));
