//! What several layers of Oblivious HTTP need to know about the wire format.
//!
//! - [`VarInt`]: variable-length integers (RFC 9000 §16), the lengths of binary HTTP and of
//!   chunked Oblivious HTTP.
//! - [`is_connection_field`] and [`connection_options`]: which header fields are for a single
//!   connection (RFC 9110 §7.6.1), so that binary HTTP, client, relay and gateway do not pass
//!   them on.
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
//! # Features
//!
//! - `http`: [`Content`], the content and trailers of a message in memory, as a body of the crates
//!   `http` and `http-body`. Needs `std`.
//!
//! Without it the crate is `no_std` and needs `alloc`.

#![cfg_attr(not(feature = "http"), allow(rustdoc::broken_intra_doc_links))]
#![no_std]

extern crate alloc;
#[cfg(feature = "http")]
extern crate std;

mod connection;
#[cfg(feature = "http")]
mod content;
mod varint;

pub use connection::{connection_options, is_connection_field};
#[cfg(feature = "http")]
pub use content::Content;
pub use varint::{VarInt, VarIntError};
