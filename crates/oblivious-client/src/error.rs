//! Why a request got no answer.

use std::sync::Arc;

use http::{HeaderName, StatusCode};
use oblivious_bhttp::{ConvertError, EncodeError};
use oblivious_hpke::{ChunkError, OpenError, SealError};
use oblivious_service::BoxError;
use thiserror::Error;

use crate::keys::KeySourceError;

/// A request got no answer from the gateway, or one that cannot be used.
///
/// An answer of the gateway that reports an error, such as a 403 for a target that it does not
/// allow, is not a `ClientError`: it arrives as a response.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No gateway of the client may serve the target (RFC 9458 §6.1). Nothing was sent.
    #[error(
        "no gateway is allowed to serve this target, or its URI is not absolute; allow it with \
         Gateway::allow, and http targets by naming http"
    )]
    NoGateway,
    /// The request has a field by which the target can recognize a client. Nothing was sent.
    #[error(
        "the request has the field {field}, by which the target can link all requests of this \
         client with each other; remove it, or allow it for this client"
    )]
    Linkable {
        /// The name of the field.
        field: HeaderName,
    },
    /// There are no keys to seal the request to. Nothing was sent.
    #[error("no key configurations of the gateway are available, so nothing was sent")]
    Keys(#[source] Arc<KeySourceError>),
    /// The request's body could not be read.
    #[error("the request's body could not be read")]
    RequestBody(#[source] BoxError),
    /// The request's content exceeds [`ClientLayer::request_limit`](crate::ClientLayer).
    #[error(
        "the request's content is longer than {limit} bytes; raise the client's request limit, or \
         send in chunks"
    )]
    RequestTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The request expects a 100 (Continue) (RFC 9458 §5.1).
    #[error("a request sent through Oblivious HTTP cannot expect 100-continue; remove the field")]
    ExpectContinue,
    /// Binary HTTP cannot hold the request.
    #[error("the request cannot be encoded as binary HTTP")]
    InvalidRequest(#[from] EncodeError),
    /// The request could not be encapsulated.
    #[error("the request cannot be encapsulated")]
    Seal(#[from] SealError),
    /// The relay could not be reached, or broke off. The gateway may have processed the request.
    #[error("the exchange with the relay failed")]
    Relay(#[source] BoxError),
    /// The answer did not arrive in time. The gateway may have processed the request.
    #[error("the answer did not arrive in time")]
    TimedOut,
    /// The gateway does not know the key (RFC 9458 §5.3). A [`KeyCache`](crate::KeyCache) fetches
    /// its configurations again; a program with keys of its own must fetch them itself.
    #[error("the gateway does not accept the key; fetch its key configurations again")]
    KeyRejected,
    /// The answer is not encapsulated: it is the relay's own, or an error of the gateway outside
    /// the encapsulation.
    #[error(
        "the relay or gateway answered with status {status}, but without an encapsulated response"
    )]
    NotEncapsulated {
        /// The status of the outer response.
        status: StatusCode,
    },
    /// The encapsulated response exceeds [`ClientLayer::response_limit`](crate::ClientLayer).
    #[error("the response is longer than {limit} bytes; raise the client's response limit")]
    ResponseTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The response was altered on its way, or it answers another request.
    #[error("the response cannot be opened")]
    Open(#[from] OpenError),
    /// The response in chunks was altered on its way, cut off, or answers another request.
    #[error("the response in chunks cannot be opened")]
    OpenChunk(#[from] ChunkError),
    /// The gateway sealed something that is not a binary HTTP response.
    #[error("the decapsulated response is not a valid binary HTTP response")]
    InvalidResponse(#[from] ConvertError),
}

/// The content of a response in chunks broke off. What came before is incomplete.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientBodyError {
    /// The exchange with the relay failed.
    #[error("the exchange with the relay failed before the response was complete")]
    Relay(#[source] BoxError),
    /// A chunk was altered on its way, or the stream was cut off.
    #[error("the rest of the response cannot be opened")]
    Open(#[from] ChunkError),
    /// What follows is not binary HTTP.
    #[error("the rest of the response is not valid binary HTTP")]
    Invalid(#[from] ConvertError),
    /// Nothing arrived for too long.
    #[error("the rest of the response did not arrive in time")]
    TimedOut,
}
