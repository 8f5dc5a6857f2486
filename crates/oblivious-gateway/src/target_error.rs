//! What a target service can report about a target that gave no response.

use std::error::Error;

use thiserror::Error as ThisError;

/// Why there is no response from the target.
///
/// A target service may return this as its error or as a cause of its error, and so may the body of
/// its response. The client is then told inside which of these it was. The status is always 502.
/// The text of other errors may name the target, so it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum TargetError {
    /// There was no connection: the name did not resolve, nobody listens, or TLS failed.
    #[error("the target cannot be reached")]
    Unreachable,
    /// The connection ended before the response was complete.
    #[error("the target broke off before its response was complete")]
    BrokeOff,
    /// What the target sent is not a valid HTTP response.
    #[error("the target's response is not a valid HTTP response")]
    InvalidResponse,
    /// Anything else.
    #[error("the target gave no response")]
    Other,
}

impl TargetError {
    /// Finds one in `error` or its causes; [`Other`](Self::Other) if there is none.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(&found) = error.downcast_ref() {
                return found;
            }
            next = error.source();
        }
        Self::Other
    }
}
