//! What a ciphersuite can do, behind objects, so that it can be chosen at run time.
//!
//! Each combination of KEM, KDF and AEAD is compiled from the same generic code. [`KemTable`] and
//! [`SuiteTable`] hold the function pointers by which a configuration's identifiers reach it.

mod context;
mod objects;
mod response;
mod tables;

pub(crate) use objects::{
    Failed, Kdf, OpenChunk, Receiver, ResponseCipher, ResponseSecret, SealChunk, Sender, TAG_LEN,
};
pub(crate) use tables::{KemTable, SerializedPair, SuiteTable};
