//! Why a request got no answer.

use http::StatusCode;
use oblivious_bhttp::{ConvertError, EncodeError};
use oblivious_hpke::{OpenError, SealError};
use oblivious_service::BoxError;
use thiserror::Error;

/// A request got no answer of the gateway, or one that cannot be used.
///
/// An answer of the gateway that reports an error, such as a 403 for a target that it does not
/// ask, is no `ClientError`: it arrives as a response.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The request's body could not be read.
    #[error("the request's body could not be read")]
    RequestBody(#[source] BoxError),
    /// The request's content exceeds [`ClientLayer::request_limit`](crate::ClientLayer).
    #[error("the request's content is longer than {limit} bytes; raise the client's request limit")]
    RequestTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The request asks for a 100 (Continue) (RFC 9458 §5.1).
    #[error("a request sent through Oblivious HTTP cannot expect 100-continue; remove the field")]
    ExpectContinue,
    /// The request is not one that binary HTTP can hold.
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
    /// The gateway does not know the key (RFC 9458 §5.3): fetch its configurations again.
    #[error("the gateway does not accept the key; fetch its key configurations again")]
    KeyRejected,
    /// The answer is not encapsulated: it is the relay's own, or an error of the gateway outside
    /// the encapsulation.
    #[error("the relay or gateway answered with status {status} and no encapsulated response")]
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
    /// The response was altered on its way, or answers another request.
    #[error("the response cannot be opened")]
    Open(#[from] OpenError),
    /// The gateway sealed something that is no binary HTTP response.
    #[error("the decapsulated response is not a valid binary HTTP response")]
    InvalidResponse(#[from] ConvertError),
}
