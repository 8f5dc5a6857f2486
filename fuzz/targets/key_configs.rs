//! Key configurations and lists of them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::keys::key_configs(data));
