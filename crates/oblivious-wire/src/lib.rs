//! QUIC variable-length integers (RFC 9000 §16), which binary HTTP and chunked Oblivious HTTP
//! write their lengths with.
//!
//! ```
//! use oblivious_wire::VarInt;
//!
//! let mut out = Vec::new();
//! VarInt::from(200_u16).encode(&mut out);
//! assert_eq!(out, [0x40, 0xc8]);
//! assert_eq!(VarInt::decode(&out), Some((VarInt::from(200_u16), 2)));
//! ```
//!
//! The crate is `no_std` and needs `alloc`.

#![no_std]

extern crate alloc;

mod varint;

pub use varint::{VarInt, VarIntError};
