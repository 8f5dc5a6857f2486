//! Split decode equals whole decode.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::bhttp::split(data));
