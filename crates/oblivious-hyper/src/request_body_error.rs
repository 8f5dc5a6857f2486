//! Why a request broke off.

use std::io;

use thiserror::Error;

/// Why there is no more of the body of a request.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RequestBodyError {
    /// The client has gone, or the exchange has taken too long.
    #[error("the connection broke off")]
    BrokeOff(#[source] io::Error),
    /// What the client sent over HTTP/1.1 is not valid; the text says what.
    #[error("the request is not valid HTTP/1.1: {0}")]
    Invalid(&'static str),
    /// The HTTP/2 stream or its connection failed.
    #[error("the connection failed")]
    Http2(#[source] hyper::Error),
}
