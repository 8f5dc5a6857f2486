//! Binary HTTP (RFC 9292): a whole HTTP message as bytes, `message/bhttp`.
//!
//! It is the format that Oblivious HTTP encrypts, and is useful on its own too: it needs no
//! connection, has no ambiguities for request smuggling, and is read in one pass. This crate reads
//! and writes it
//!
//! - as whole messages, [`Request`] and [`Response`],
//! - piece by piece without I/O, [`Decoder`] and [`Encoder`],
//! - straight from and to the types of the `http` crate, [`decode_request`],
//!   [`encode_request_into`] and the same for responses,
//! - and as [`http_body::Body`], with back-pressure: [`EncodedBody`] turns a body into the bytes of
//!   a message while it is read, [`read_request`] and [`read_response`] do the reverse.
//!
//! All of them share one grammar, strict by default, for both framings.
//!
//! # Messages
//!
//! ```
//! use oblivious_bhttp::{EncodeOptions, Request};
//!
//! let mut request = Request::new("GET", "https", "www.example.com", "/hello.txt");
//! request.head.fields.push("Accept-Language", "en, mi")?;
//! let message = request.encode(&EncodeOptions::default())?;
//!
//! let decoded = Request::decode(message)?;
//! assert_eq!(decoded.head.path(), b"/hello.txt");
//! assert_eq!(decoded.head.fields.get("accept-language"), Some(&b"en, mi"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Decoding does not copy: what comes out are slices of the [`Bytes`](bytes::Bytes) that went in.
//!
//! # Requests and responses of the `http` crate
//!
//! ```
//! # #[cfg(feature = "http")] {
//! use bytes::BytesMut;
//! use oblivious_bhttp::{Content, DecodeOptions, EncodeOptions, Padding};
//! use oblivious_bhttp::{decode_response, encode_response_into};
//!
//! let response = http::Response::builder()
//!     .header("content-type", "text/plain")
//!     .body(Content::from("hello"))?;
//! let padded = EncodeOptions::default().with_padding(Padding::ToMultiple(128));
//! let mut out = BytesMut::new();
//! encode_response_into(&response, &padded, &mut out)?;
//!
//! let options = DecodeOptions::default();
//! let decoded = decode_response(out.freeze(), &http::Method::GET, &options)?;
//! assert_eq!(decoded.headers(), response.headers());
//! assert_eq!(decoded.body().data, "hello");
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A message that `http` cannot hold is a [`ConvertError`]; it is never changed to make it fit.
//! Fields that are for a single connection are left out, as RFC 9292 §3.6 requires. See the
//! functions for details.
//!
//! # Messages from strangers
//!
//! No input makes a decoder panic, hang, or allocate by a length that is merely claimed. Every part
//! has a limit, with a default, in [`Limits`]. An invalid message is a typed error. No error and no
//! `Debug` output contains bytes of a message.
//!
//! # Features
//!
//! - `http` (default): the types of `http` and `http-body`. Needs `std`.
//!
//! Without it the crate is `no_std` and needs `alloc`.

// Without the feature `http` there are no items of it to link to.
#![cfg_attr(not(feature = "http"), allow(rustdoc::broken_intra_doc_links))]
#![no_std]

extern crate alloc;
#[cfg(feature = "http")]
extern crate std;

mod control;
#[cfg(feature = "http")]
mod convert;
mod decoder;
mod encodable;
mod encoder;
mod error;
mod fields;
mod head;
mod input;
mod joined;
mod message;
mod options;
mod padding;
mod scan;
mod syntax;
mod whole;
mod writer;

#[cfg(feature = "http")]
pub use convert::{
    ConvertError, EncodableRequest, EncodableResponse, EncodedBody, Informational, MessageBody,
    ReadError, ReadRequest, ReadResponse, ResponseEncoder, WriteError, decode_request,
    decode_response, encode_request_into, encode_response_into, read_request, read_response,
};
pub use decoder::{Decoder, Event};
pub use encoder::Encoder;
pub use error::{DecodeError, EncodeError, FieldError, Limit, Part};
pub use fields::{Field, FieldIter, Fields};
pub use head::{RequestHead, ResponseHead};
pub use message::{Request, Response};
#[cfg(feature = "http")]
pub use oblivious_wire::Content;
pub use options::{DecodeOptions, EncodeOptions, Framing, Limits};
pub use padding::Padding;
