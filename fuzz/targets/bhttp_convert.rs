//! Conversion to `http` changes no value.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::bhttp::convert(data));
