//! What the fuzz targets do, as functions of bytes.
//!
//! Each target in `targets/` is one call of one of these, so that the same bytes can be run
//! without a fuzzer: `tests/corpus.rs` does, with the committed corpora.

pub mod bhttp;
pub mod hpke;
pub mod keys;
