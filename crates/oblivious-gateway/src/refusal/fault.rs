//! Why the rest of a request in chunks did not arrive.

use std::sync::{Arc, OnceLock};

use oblivious_bhttp::{ConvertError, DecodeError, Limit, ReadError};
use oblivious_hpke::{ChunkError, OpeningError};
use thiserror::Error;

/// What went wrong with a request after it, or its first chunk, had been opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum RequestFault {
    #[error("the connection that carried the request broke")]
    Broken,
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    #[error("the request is longer than this gateway accepts")]
    TooLarge,
    #[error("the request did not arrive in time")]
    TooSlow,
    #[error("the request is not valid binary HTTP")]
    NotBinaryHttp(#[source] ConvertError),
}

impl From<OpeningError<Self>> for RequestFault {
    fn from(error: OpeningError<Self>) -> Self {
        match error {
            OpeningError::Body(fault) => fault,
            OpeningError::Chunk(error) => error.into(),
            _ => Self::Broken,
        }
    }
}

impl From<ReadError<OpeningError<Self>>> for RequestFault {
    fn from(error: ReadError<OpeningError<Self>>) -> Self {
        match error {
            ReadError::Body(error) => error.into(),
            ReadError::Message(error) => error.into(),
            _ => Self::Broken,
        }
    }
}

impl From<ConvertError> for RequestFault {
    fn from(error: ConvertError) -> Self {
        match error {
            // Only the length of the message is wrong.
            ConvertError::Decode(DecodeError::Limit(Limit::Content)) => Self::TooLarge,
            error => Self::NotBinaryHttp(error),
        }
    }
}

/// A note from the body that the target reads, for the code that answers when the target has
/// failed: that body may be the cause.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fault(Arc<OnceLock<RequestFault>>);

impl Fault {
    pub(crate) fn note(&self, fault: RequestFault) {
        // Only the first fault is a cause.
        let _ = self.0.set(fault);
    }

    pub(crate) fn noted(&self) -> Option<RequestFault> {
        self.0.get().copied()
    }
}
