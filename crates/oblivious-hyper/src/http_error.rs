//! Why an HTTP client has no response.

use oblivious_service::BoxError;
use thiserror::Error;

/// Why there is no response.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The URI has no scheme or no authority, or its authority is not one of a server.
    #[error("the URI names no server: write one with scheme and host")]
    NoServer,
    /// No connection could be opened.
    #[error("cannot connect")]
    Connect(#[source] BoxError),
    /// The connection broke off, or the server sent no HTTP.
    #[error("the connection failed")]
    Failed(#[from] hyper::Error),
    /// The content has an unsupported transfer coding (RFC 9112 §6.1).
    #[error("the response has a transfer coding other than `chunked`")]
    TransferCoding,
}
