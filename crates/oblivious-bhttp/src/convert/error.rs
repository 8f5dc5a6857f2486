//! What the `http` crate cannot hold.

use thiserror::Error;

use crate::error::DecodeError;

/// Why a message did not become a request or response of the `http` crate.
///
/// Either it is not a valid message, or the types of `http` cannot hold it without changing its
/// meaning. The error never contains bytes of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// The message is invalid, or exceeds a limit.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The method is CONNECT, which needs a connection; there is none here (RFC 9292 §6).
    #[error("a CONNECT request cannot be handled as a message, since it needs a connection")]
    Connect,
    /// The path is the asterisk of OPTIONS, which an absolute URI cannot express (RFC 9110 §7.1).
    #[error("the request is for the server as a whole (`*`), which a URI cannot express")]
    AsteriskForm,
    /// Neither the control data nor a `host` field says what the request is addressed to.
    #[error("the request has no authority; its control data or a `host` field must name one")]
    MissingAuthority,
    /// `http::Method` does not take the method.
    #[error("the method cannot be held by `http::Method`")]
    Method,
    /// `http::uri::Scheme` does not take the scheme.
    #[error("the scheme cannot be held by `http::uri::Scheme`")]
    Scheme,
    /// `http::uri::Authority` does not take the effective authority.
    #[error("the authority cannot be held by `http::uri::Authority`")]
    Authority,
    /// `http::uri::PathAndQuery` does not take the path.
    #[error("the path cannot be held by `http::uri::PathAndQuery`")]
    Path,
    /// `http::StatusCode` does not take the status code.
    #[error("the status code cannot be held by `http::StatusCode`")]
    Status,
    /// There is a pseudo-field of a protocol extension (RFC 9292 §3.6).
    #[error("a pseudo-field cannot be held by `http::HeaderMap`")]
    PseudoField,
    /// `http::HeaderName` does not take a field name.
    #[error("a field name cannot be held by `http::HeaderName`")]
    FieldName,
    /// `http::HeaderValue` does not take a field value: it has a control character.
    #[error("a field value has control characters and cannot be held by `http::HeaderValue`")]
    FieldValue,
    /// There are more different field names than `http::HeaderMap` takes, 32,768.
    #[error("the section has more fields than `http::HeaderMap` can hold")]
    TooManyFields,
}
