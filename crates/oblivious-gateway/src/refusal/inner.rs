//! Refusals inside the encapsulation.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use oblivious_bhttp::{Content, ConvertError};
use oblivious_hpke::UnixSeconds;

use super::RequestFault;
use crate::{DateError, PolicyError, TargetError};

/// A request that was decapsulated but gets no answer from the target. The refusal is encapsulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InnerRefusal {
    NotBinaryHttp(ConvertError),
    RequestCutOff,
    RequestTooLarge,
    RequestTooSlow,
    ExpectContinue,
    /// The request is itself encapsulated, deeper than nesting is allowed.
    Nested,
    NotAnOrigin,
    InvalidPath,
    Forbidden,
    InvalidMaxForwards,
    /// OPTIONS that must not be forwarded: it is meant for the gateway.
    OptionsOfGateway,
    /// Any other method that must not be forwarded.
    NoForwardsLeft,
    /// The key that opened the request is no longer accepted.
    KeyEnded,
    Replayed,
    GuardUnavailable,
    /// Answered with the present time.
    Date {
        reason: DateError,
        now: UnixSeconds,
    },
    Target(TargetError),
    TargetTooSlow,
    TargetTooLarge,
}

impl From<PolicyError> for InnerRefusal {
    fn from(refusal: PolicyError) -> Self {
        match refusal {
            PolicyError::NotAnOrigin => Self::NotAnOrigin,
            PolicyError::InvalidPath => Self::InvalidPath,
            PolicyError::Method | PolicyError::NotAllowed => Self::Forbidden,
        }
    }
}

impl From<RequestFault> for InnerRefusal {
    fn from(fault: RequestFault) -> Self {
        match fault {
            RequestFault::Broken | RequestFault::Chunk(_) => Self::RequestCutOff,
            RequestFault::TooLarge => Self::RequestTooLarge,
            RequestFault::TooSlow => Self::RequestTooSlow,
            RequestFault::NotBinaryHttp(error) => Self::NotBinaryHttp(error),
        }
    }
}

impl InnerRefusal {
    pub(crate) fn into_response(self) -> Response<Content> {
        match self {
            Self::Date { reason, now } => {
                return reason.into_response(now).map(|body| Content::from(body.data));
            }
            Self::OptionsOfGateway => {
                let mut response = Response::new(Content::default());
                *response.status_mut() = StatusCode::NO_CONTENT;
                return response;
            }
            _ => {}
        }
        let text = match self {
            // The codec's texts name the rule, and contain no value of the request.
            Self::NotBinaryHttp(error) => {
                // What follows a semicolon is advice for the reader of messages, not for their
                // sender.
                let error = error.to_string();
                let rule = error.split(';').next().unwrap_or_default();
                format!("The request is not a valid binary HTTP request: {rule}.\n").into()
            }
            _ => Bytes::from_static(self.plain_text().as_bytes()),
        };
        let mut response = Response::new(Content::from(text));
        *response.status_mut() = self.status();
        let text_plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text_plain);
        response
    }

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::NotBinaryHttp(_)
            | Self::RequestCutOff
            | Self::ExpectContinue
            | Self::NotAnOrigin
            | Self::InvalidPath
            | Self::InvalidMaxForwards
            | Self::Date { .. } => StatusCode::BAD_REQUEST,
            Self::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RequestTooSlow | Self::KeyEnded => StatusCode::REQUEST_TIMEOUT,
            Self::Nested | Self::NoForwardsLeft => StatusCode::LOOP_DETECTED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::OptionsOfGateway => StatusCode::NO_CONTENT,
            // Without a problem type: this is not about a date that could be corrected (RFC 9458
            // §6.5.2).
            Self::Replayed => StatusCode::CONFLICT,
            Self::GuardUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Target(_) | Self::TargetTooLarge => StatusCode::BAD_GATEWAY,
            Self::TargetTooSlow => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The text for the sender of the request, and nobody else, if it is fixed: which rule was
    /// broken, and what to do.
    pub(crate) fn plain_text(self) -> &'static str {
        match self {
            Self::RequestCutOff => "The rest of the request did not arrive intact.\n",
            Self::RequestTooLarge => "The request is larger than this gateway accepts.\n",
            Self::RequestTooSlow => "The request did not arrive in time.\n",
            Self::ExpectContinue => {
                "A request sent through Oblivious HTTP cannot expect 100-continue.\n"
            }
            Self::Nested => {
                "The request is itself encapsulated, more deeply than this gateway allows.\n"
            }
            Self::NotAnOrigin => "The request's authority must be a host with an optional port.\n",
            Self::InvalidPath => {
                "The request's path or query has characters that a URI must not have: \
                 percent-encode them.\n"
            }
            Self::Forbidden => {
                "This gateway does not forward this request: the target or the method is not \
                 allowed.\n"
            }
            Self::InvalidMaxForwards => "Max-Forwards must be one number.\n",
            Self::NoForwardsLeft => {
                "Max-Forwards is 0, but the gateway could only forward the request.\n"
            }
            Self::KeyEnded => "The request did not arrive before its key expired.\n",
            Self::Replayed => "This encapsulated request was sent before.\n",
            Self::GuardUnavailable => {
                "The gateway cannot tell at the moment whether this request is a repetition.\n"
            }
            Self::Target(error) => match error {
                TargetError::Unreachable => "The target cannot be reached.\n",
                TargetError::BrokeOff => "The target broke off before its response was complete.\n",
                TargetError::InvalidResponse => {
                    "The target's response is not a valid HTTP response.\n"
                }
                TargetError::Other => "The target gave no response.\n",
            },
            Self::TargetTooSlow => "The target did not answer in time.\n",
            Self::TargetTooLarge => "The target's response is larger than the gateway accepts.\n",
            Self::NotBinaryHttp(_) | Self::OptionsOfGateway | Self::Date { .. } => "",
        }
    }

    /// The name of this refusal in metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::NotBinaryHttp(_) => "not_binary_http",
            Self::RequestCutOff => "request_cut_off",
            Self::RequestTooLarge => "request_too_large",
            Self::RequestTooSlow => "request_too_slow",
            Self::ExpectContinue => "expect_continue",
            Self::Nested => "nested",
            Self::NotAnOrigin => "not_an_origin",
            Self::InvalidPath => "invalid_path",
            Self::Forbidden => "forbidden",
            Self::InvalidMaxForwards | Self::OptionsOfGateway | Self::NoForwardsLeft => {
                "max_forwards"
            }
            Self::KeyEnded => "key_ended",
            Self::Replayed => "replayed",
            Self::Date { .. } => "date",
            Self::GuardUnavailable => "guard_unavailable",
            Self::Target(TargetError::Unreachable) => "target_unreachable",
            Self::Target(TargetError::BrokeOff) => "target_broke_off",
            Self::Target(TargetError::InvalidResponse) => "target_invalid",
            Self::Target(TargetError::Other) => "target_failed",
            Self::TargetTooSlow => "target_too_slow",
            Self::TargetTooLarge => "target_too_large",
        }
    }
}
