//! Answers that the gateway gives by itself.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use oblivious_bhttp::Content;
use oblivious_hpke::{ChunkError, DecapsulateError};
use oblivious_service::{FullBody, Problem, plain_text};

use crate::{DateRefusal, PolicyRefusal, fault::RequestFault};

/// A request that could not be decapsulated: answered in clear (RFC 9458 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OuterRefusal {
    Method,
    MediaType,
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
}

impl OuterRefusal {
    pub(crate) fn into_response(self) -> Response<FullBody> {
        match self {
            Self::Method => {
                let mut response = plain_text(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "Send an encapsulated request with POST.\n",
                );
                let allowed = HeaderValue::from_static("POST");
                response.headers_mut().insert(header::ALLOW, allowed);
                response
            }
            Self::MediaType => plain_text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The content type must be message/ohttp-req or message/ohttp-chunked-req.\n",
            ),
            Self::TooLarge => plain_text(
                StatusCode::PAYLOAD_TOO_LARGE,
                "The encapsulated request is larger than this gateway accepts.\n",
            ),
            Self::BodyFailed => {
                plain_text(StatusCode::BAD_REQUEST, "The request's body could not be read.\n")
            }
            Self::TooSlow => plain_text(
                StatusCode::REQUEST_TIMEOUT,
                "The encapsulated request did not arrive in time.\n",
            ),
            Self::Truncated => {
                plain_text(StatusCode::BAD_REQUEST, "The encapsulated request is cut short.\n")
            }
            Self::UnknownKey | Self::Failed => Problem::OhttpKey.into_response(),
            Self::Busy => {
                let mut response = plain_text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The gateway has as many requests as it takes; try again.\n",
                );
                let seconds = HeaderValue::from_static("1");
                response.headers_mut().insert(header::RETRY_AFTER, seconds);
                response
            }
            Self::CannotSeal => plain_text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The gateway cannot encrypt at the moment.\n",
            ),
        }
    }
}

impl OuterRefusal {
    /// The name of this refusal in metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::MediaType => "media_type",
            Self::TooLarge => "too_large",
            Self::BodyFailed => "body_failed",
            Self::TooSlow => "too_slow",
            Self::Truncated => "truncated",
            Self::UnknownKey | Self::Failed => "not_decapsulated",
            Self::Busy => "busy",
            Self::CannotSeal => "cannot_seal",
        }
    }

    /// What kind of failure to decapsulate this is, if it is one.
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
            RequestFault::Broken | RequestFault::NotBinaryHttp => Self::BodyFailed,
        }
    }
}

/// A request that was decapsulated but gets no answer of the target: answered encapsulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InnerRefusal {
    NotBinaryHttp,
    RequestCutOff,
    RequestTooLarge,
    RequestTooSlow,
    ExpectContinue,
    NotAnOrigin,
    Forbidden,
    /// The key that opened the request is not accepted any more.
    KeyEnded,
    Replayed,
    GuardUnavailable,
    /// Told with the time now, in seconds since the Unix epoch.
    Date {
        reason: DateRefusal,
        now: u64,
    },
    TargetFailed,
    TargetTooSlow,
    TargetTooLarge,
    TargetInvalid,
}

impl From<PolicyRefusal> for InnerRefusal {
    fn from(refusal: PolicyRefusal) -> Self {
        match refusal {
            PolicyRefusal::NotAnOrigin => Self::NotAnOrigin,
            PolicyRefusal::Method | PolicyRefusal::NotAllowed => Self::Forbidden,
        }
    }
}

impl InnerRefusal {
    pub(crate) fn into_response(self) -> Response<Content> {
        let (status, text) = match self {
            Self::Date { reason, now } => {
                return reason.into_response(now).map(|body| Content::from(body.into_bytes()));
            }
            Self::NotBinaryHttp => {
                (StatusCode::BAD_REQUEST, "The request is not a valid binary HTTP request.\n")
            }
            Self::RequestCutOff => {
                (StatusCode::BAD_REQUEST, "The rest of the request did not arrive intact.\n")
            }
            Self::RequestTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "The request is larger than this gateway accepts.\n",
            ),
            Self::RequestTooSlow => {
                (StatusCode::REQUEST_TIMEOUT, "The request did not arrive in time.\n")
            }
            Self::ExpectContinue => (
                StatusCode::BAD_REQUEST,
                "A request sent through Oblivious HTTP cannot expect 100-continue.\n",
            ),
            Self::NotAnOrigin => {
                (StatusCode::BAD_REQUEST, "The request's authority must be a host and a port.\n")
            }
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "This gateway does not forward this request: the target or the method is not \
                 allowed.\n",
            ),
            Self::KeyEnded => (
                StatusCode::REQUEST_TIMEOUT,
                "The request did not arrive while its key was accepted.\n",
            ),
            // Without a problem type: it is no date that could be corrected (RFC 9458 §6.5.2).
            Self::Replayed => {
                (StatusCode::CONFLICT, "This encapsulated request was sent before.\n")
            }
            Self::GuardUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The gateway cannot tell at the moment whether this request is a repetition.\n",
            ),
            Self::TargetFailed => (StatusCode::BAD_GATEWAY, "The target cannot be reached.\n"),
            Self::TargetTooSlow => {
                (StatusCode::GATEWAY_TIMEOUT, "The target did not answer in time.\n")
            }
            Self::TargetTooLarge => (
                StatusCode::BAD_GATEWAY,
                "The target's response is larger than the gateway takes.\n",
            ),
            Self::TargetInvalid => {
                (StatusCode::BAD_GATEWAY, "The target's response is not a valid HTTP response.\n")
            }
        };
        let mut response = Response::new(Content::from(Bytes::from_static(text.as_bytes())));
        *response.status_mut() = status;
        let text_plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text_plain);
        response
    }

    /// The name of this refusal in metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::NotBinaryHttp => "not_binary_http",
            Self::RequestCutOff => "request_cut_off",
            Self::RequestTooLarge => "request_too_large",
            Self::RequestTooSlow => "request_too_slow",
            Self::ExpectContinue => "expect_continue",
            Self::NotAnOrigin => "not_an_origin",
            Self::Forbidden => "forbidden",
            Self::KeyEnded => "key_ended",
            Self::Replayed => "replayed",
            Self::Date { .. } => "date",
            Self::GuardUnavailable => "guard_unavailable",
            Self::TargetFailed => "target_failed",
            Self::TargetTooSlow => "target_too_slow",
            Self::TargetTooLarge => "target_too_large",
            Self::TargetInvalid => "target_invalid",
        }
    }
}
