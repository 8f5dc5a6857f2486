//! Whole decode, with any options.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::bhttp::decode(data));
