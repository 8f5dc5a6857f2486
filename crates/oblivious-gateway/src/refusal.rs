//! Answers that the gateway gives by itself.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use oblivious_bhttp::Content;
use oblivious_hpke::DecapsulateError;
use oblivious_service::{FullBody, Problem, plain_text};

use crate::PolicyRefusal;

/// A request that could not be decapsulated: answered in clear (RFC 9458 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OuterRefusal {
    Method,
    MediaType,
    TooLarge,
    BodyFailed,
    TooSlow,
    Truncated,
    /// Every failure to decrypt, whatever the reason (RFC 9458 §5.3 and §6.4).
    Key,
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
                "The content type must be message/ohttp-req.\n",
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
            Self::Key => Problem::OhttpKey.into_response(),
            Self::CannotSeal => plain_text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The gateway cannot encrypt at the moment.\n",
            ),
        }
    }
}

impl From<DecapsulateError> for OuterRefusal {
    fn from(error: DecapsulateError) -> Self {
        match error {
            DecapsulateError::Truncated => Self::Truncated,
            _ => Self::Key,
        }
    }
}

/// A request that was decapsulated but gets no answer of the target: answered encapsulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InnerRefusal {
    NotBinaryHttp,
    ExpectContinue,
    NotAnOrigin,
    Forbidden,
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
            Self::NotBinaryHttp => {
                (StatusCode::BAD_REQUEST, "The request is not a valid binary HTTP request.\n")
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
}
