//! A round trip, and edits of what is on the wire.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::hpke::edits(data));
