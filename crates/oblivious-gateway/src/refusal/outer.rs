//! Refusals in clear.

use http::{HeaderValue, Response, StatusCode, header};
use oblivious_hpke::{ChunkError, DecapsulateError};
use oblivious_service::{Content, Problem, refusal};

use super::{InnerRefusal, RequestFault};

/// A request that could not be decapsulated. The refusal is in clear (RFC 9458 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OuterRefusal {
    Method,
    MediaType,
    ContentCoding,
    TooLarge,
    BodyFailed,
    TooSlow,
    Truncated,
    /// The key or suite is not in use here. Answered like [`Failed`](Self::Failed), as every
    /// failure to decrypt is (RFC 9458 §5.3 and §6.4).
    UnknownKey,
    Failed,
    Busy,
    /// The answer could not be sealed.
    CannotSeal,
    /// The media type is not that of the gateway's payload.
    PayloadType,
    /// The service for the payload failed.
    PayloadFailed,
    /// A refusal that would go inside, for a payload in which the gateway cannot say anything.
    Opened(InnerRefusal),
}

impl OuterRefusal {
    pub(crate) fn into_response(self) -> Response<Content> {
        match self {
            Self::Method => {
                let mut response = refusal(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "Send an encapsulated request with POST.\n",
                );
                let allowed = HeaderValue::from_static("POST");
                response.headers_mut().insert(header::ALLOW, allowed);
                response
            }
            Self::MediaType => refusal(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The content type must be message/ohttp-req or message/ohttp-chunked-req.\n",
            ),
            Self::ContentCoding => {
                let mut response = refusal(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "Send the encapsulated request without a content coding.\n",
                );
                // RFC 9110 §12.5.3: which codings would have been accepted.
                let identity = HeaderValue::from_static("identity");
                response.headers_mut().insert(header::ACCEPT_ENCODING, identity);
                response
            }
            Self::TooLarge => refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                "The encapsulated request is larger than this gateway accepts.\n",
            ),
            Self::BodyFailed => {
                refusal(StatusCode::BAD_REQUEST, "The request's body could not be read.\n")
            }
            Self::TooSlow => refusal(
                StatusCode::REQUEST_TIMEOUT,
                "The encapsulated request did not arrive in time.\n",
            ),
            Self::Truncated => {
                refusal(StatusCode::BAD_REQUEST, "The encapsulated request is cut short.\n")
            }
            Self::UnknownKey | Self::Failed => Problem::OhttpKey.into_response(),
            Self::Busy => {
                let mut response = refusal(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The gateway is busy. Try again in a moment.\n",
                );
                let seconds = HeaderValue::from_static("1");
                response.headers_mut().insert(header::RETRY_AFTER, seconds);
                response
            }
            Self::CannotSeal => refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The gateway cannot encrypt at the moment.\n",
            ),
            Self::PayloadType => refusal(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The content type must be that of this gateway's requests.\n",
            ),
            Self::PayloadFailed => refusal(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The service behind the gateway failed.\n",
            ),
            Self::Opened(inner) => refusal(inner.status(), inner.plain_text()),
        }
    }
}

impl OuterRefusal {
    /// The name of this refusal in metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::MediaType => "media_type",
            Self::ContentCoding => "content_coding",
            Self::TooLarge => "too_large",
            Self::BodyFailed => "body_failed",
            Self::TooSlow => "too_slow",
            Self::Truncated => "truncated",
            Self::UnknownKey | Self::Failed => "not_decapsulated",
            Self::Busy => "busy",
            Self::CannotSeal => "cannot_seal",
            Self::PayloadType => "media_type",
            Self::PayloadFailed => "target_failed",
            Self::Opened(refusal) => refusal.label(),
        }
    }

    /// Which kind of decapsulation failure this is, if it is one.
    pub(crate) fn decapsulation_failure(self) -> Option<&'static str> {
        match self {
            Self::Truncated => Some("truncated"),
            Self::UnknownKey => Some("unknown_key"),
            Self::Failed => Some("failed"),
            _ => None,
        }
    }
}

impl From<DecapsulateError> for OuterRefusal {
    fn from(error: DecapsulateError) -> Self {
        match error {
            DecapsulateError::Truncated => Self::Truncated,
            DecapsulateError::UnknownKey => Self::UnknownKey,
            // A mistake by the operator: the keys are for a protocol without chunks.
            DecapsulateError::NoChunkedLabels => Self::MediaType,
            _ => Self::Failed,
        }
    }
}

impl From<ChunkError> for OuterRefusal {
    /// Why the first chunk could not be opened.
    fn from(_: ChunkError) -> Self {
        Self::Failed
    }
}

impl From<RequestFault> for OuterRefusal {
    /// Why the bytes of the first chunk did not arrive.
    fn from(fault: RequestFault) -> Self {
        match fault {
            RequestFault::TooLarge => Self::TooLarge,
            RequestFault::TooSlow => Self::TooSlow,
            RequestFault::Chunk(error) => error.into(),
            RequestFault::Broken | RequestFault::NotBinaryHttp(_) => Self::BodyFailed,
        }
    }
}
