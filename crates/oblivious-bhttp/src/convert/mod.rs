//! Between binary messages and the types of the `http` crate, straight from and to the grammar.

mod decode;
mod encode;
mod error;
mod fields;
mod parts;
mod read;
mod write;

pub use decode::{Informational, decode_request, decode_response};
pub use encode::{EncodableRequest, EncodableResponse, encode_request_into, encode_response_into};
pub use error::ConvertError;
pub use read::{MessageBody, ReadError, ReadRequest, ReadResponse, read_request, read_response};
pub use write::{EncodedBody, ResponseEncoder, WriteError};
