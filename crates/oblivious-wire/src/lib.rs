//! The pieces of wire format that the layers of Oblivious HTTP share: QUIC variable-length
//! integers, a reader that cannot run past its input, and the media types of the protocol.
//!
//! ```
//! use oblivious_wire::{MediaType, Reader, VarInt};
//!
//! let mut out = Vec::new();
//! VarInt::from(200_u16).encode(&mut out);
//! assert_eq!(out, [0x40, 0xc8]);
//!
//! let mut reader = Reader::new(&out);
//! assert_eq!(reader.varint()?.get(), 200);
//! reader.finish()?;
//!
//! let header = "Message/OHTTP-req; v=1";
//! assert_eq!(MediaType::parse(header), Some(MediaType::OhttpRequest));
//! # Ok::<(), oblivious_wire::ReadError>(())
//! ```
//!
//! The crate is `no_std` and needs `alloc`.

#![no_std]

extern crate alloc;

mod media_type;
mod reader;
mod varint;

pub use media_type::MediaType;
pub use reader::{ReadError, Reader};
pub use varint::{VarInt, VarIntOutOfRange};
