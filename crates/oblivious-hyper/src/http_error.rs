//! Why an HTTP client has no response.

use std::io;

use oblivious_service::BoxError;
use thiserror::Error;

use crate::http1_message::Invalid;
use crate::http1_sending::SendError;

/// Why there is no response, or no more of one.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The URI has no scheme or no authority, or its authority is not one of a server.
    #[error("the URI names no server: write one with scheme and host")]
    NoServer,
    /// No connection could be opened.
    #[error("cannot connect")]
    Connect(#[source] BoxError),
    /// The server closed the connection before it had sent the head of a response.
    #[error("the server closed the connection without a response")]
    NoResponse(#[source] io::Error),
    /// The connection broke off.
    #[error("the connection broke off")]
    BrokeOff(#[source] io::Error),
    /// What the server sent over HTTP/1.1 is not valid; the text says what.
    #[error("the response is not valid HTTP/1.1: {0}")]
    Invalid(&'static str),
    /// The content of the request broke off, or was not as long as its `content-length` says.
    #[error("the content of the request broke off")]
    RequestBody(#[source] BoxError),
    /// A connection over HTTP/2 failed, or what came over it was not valid.
    #[error("the connection failed")]
    Http2(#[from] hyper::Error),
    /// The content has an unsupported transfer coding (RFC 9112 §6.1).
    #[error("the response has a transfer coding other than `chunked`")]
    TransferCoding,
}

impl From<Invalid> for HttpError {
    fn from(Invalid(what): Invalid) -> Self {
        Self::Invalid(what)
    }
}

impl From<SendError> for HttpError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Content(error) => Self::RequestBody(error),
            SendError::Io(error) => Self::BrokeOff(error),
        }
    }
}

impl HttpError {
    /// A new connection is closed before it has been used.
    pub(crate) fn unused() -> Self {
        Self::NoResponse(io::ErrorKind::ConnectionAborted.into())
    }
}
