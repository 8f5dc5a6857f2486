//! The relay's own answers.

use std::error::Error;
use std::io;
use std::time::Duration;

use http::header::{ALLOW, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use oblivious_service::{Pseudonym, refusal};

use crate::body::RelayResponseBody;

/// RFC 9209
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// Why the relay itself answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoRoute,
    /// Besides POST, the route may serve keys for GET.
    Method {
        keys: bool,
    },
    MediaType,
    ContentCoding,
    TooLarge,
    BodyBroken,
    ClientStalled,
    /// The client has to wait for this long.
    Rate(Duration),
    /// Too much is under way.
    Busy {
        incremental: bool,
    },
    NoAddress,
    NoCredential,
    /// The gateway does not answer, and is asked again after this long.
    Resting(Duration),
    Unreachable(Failure),
    GatewayStalled,
    /// An error that is meant for the relay, or for nobody.
    GatewayFailed {
        retry_after: Option<HeaderValue>,
    },
    NotOblivious,
    AnswerTooLarge,
    NoKeys,
    Loop,
}

/// What became of the connection to a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Refused,
    TimedOut,
    Broken,
    Unknown,
}

impl Failure {
    /// Looks for a system error among the causes.
    pub(crate) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<io::Error>() {
                match error.kind() {
                    io::ErrorKind::ConnectionRefused => return Self::Refused,
                    io::ErrorKind::TimedOut => return Self::TimedOut,
                    io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::UnexpectedEof => return Self::Broken,
                    _ => {}
                }
            }
            next = error.source();
        }
        Self::Unknown
    }
}

impl Refusal {
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType | Self::ContentCoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::ClientStalled => StatusCode::REQUEST_TIMEOUT,
            // RFC 10036: incremental requests hold a place for as long as they like, so there may
            // be fewer of them.
            Self::Rate(_) | Self::Busy { incremental: true } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy { incremental: false } | Self::Resting(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoAddress | Self::NoCredential => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unreachable(_)
            | Self::GatewayFailed { .. }
            | Self::NotOblivious
            | Self::AnswerTooLarge
            | Self::NoKeys => StatusCode::BAD_GATEWAY,
            Self::GatewayStalled => StatusCode::GATEWAY_TIMEOUT,
            Self::Loop => StatusCode::LOOP_DETECTED,
        }
    }

    /// The name of this refusal in metrics.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::NoRoute => "no_route",
            Self::Method { .. } => "method",
            Self::MediaType => "media_type",
            Self::ContentCoding => "content_coding",
            Self::TooLarge => "too_large",
            Self::BodyBroken => "body_broken",
            Self::ClientStalled => "client_stalled",
            Self::Rate(_) => "rate",
            Self::Busy { .. } => "busy",
            Self::NoAddress => "no_address",
            Self::NoCredential => "no_credential",
            Self::Resting(_) => "breaker_open",
            Self::Unreachable(_) => "unreachable",
            Self::GatewayStalled => "gateway_stalled",
            Self::GatewayFailed { .. } => "gateway_failed",
            Self::NotOblivious => "not_oblivious",
            Self::AnswerTooLarge => "answer_too_large",
            Self::NoKeys => "no_keys",
            Self::Loop => "loop",
        }
    }

    const fn text(&self) -> &'static str {
        match self {
            Self::NoRoute => "This relay has no such path. Check the relay URL.\n",
            Self::Method { keys: false } => "Send encapsulated requests with POST.\n",
            Self::Method { keys: true } => {
                "Send encapsulated requests with POST, or fetch the keys with GET.\n"
            }
            Self::MediaType => {
                "Send one content-type: message/ohttp-req or message/ohttp-chunked-req.\n"
            }
            Self::ContentCoding => "Send the encapsulated request without a content-encoding.\n",
            Self::TooLarge => "The request is longer than this relay allows. Send less at once.\n",
            Self::BodyBroken => "The request broke off. Encapsulate it again and send all of it.\n",
            Self::ClientStalled => {
                "The request came too slowly. Encapsulate it again and resend it.\n"
            }
            Self::Rate(_) => {
                "Too many requests. Send the next one after the time in retry-after.\n"
            }
            Self::Busy { .. } => "Too many requests are under way. Try again in a moment.\n",
            Self::NoAddress => {
                "The relay cannot tell its clients apart. Tell the relay's operator.\n"
            }
            Self::NoCredential => {
                "The relay has no credential for the gateway. Tell the relay's operator.\n"
            }
            Self::Resting(_) => {
                "The gateway does not answer. Try again after the time in retry-after.\n"
            }
            Self::Unreachable(_) => "The gateway cannot be reached. Try again later.\n",
            Self::GatewayStalled => "The gateway did not answer in time. Try again later.\n",
            Self::GatewayFailed { .. } => "The gateway failed. Try again later.\n",
            Self::NotOblivious => {
                "The gateway's answer is not an encapsulated response. Tell the relay's operator.\n"
            }
            Self::AnswerTooLarge => {
                "The gateway's answer is longer than this relay allows. Ask for less at once.\n"
            }
            Self::NoKeys => "The gateway publishes no keys. Tell the relay's operator.\n",
            Self::Loop => "The relay's route leads back to the relay. Tell the relay's operator.\n",
        }
    }

    /// The error type of RFC 9209 §2.3 that comes nearest.
    const fn proxy_error(&self) -> &'static str {
        match self {
            Self::NoRoute
            | Self::Method { .. }
            | Self::MediaType
            | Self::ContentCoding
            | Self::TooLarge
            | Self::BodyBroken
            | Self::ClientStalled => "http_request_error",
            Self::Rate(_) => "http_request_denied",
            Self::Busy { .. } => "connection_limit_reached",
            Self::NoAddress | Self::NoCredential => "proxy_configuration_error",
            Self::Resting(_) | Self::Unreachable(Failure::Unknown) => "destination_unavailable",
            Self::Unreachable(Failure::Refused) => "connection_refused",
            Self::Unreachable(Failure::TimedOut) => "connection_timeout",
            Self::Unreachable(Failure::Broken) => "connection_terminated",
            Self::GatewayStalled => "http_response_timeout",
            Self::GatewayFailed { .. } | Self::NotOblivious | Self::NoKeys => "http_protocol_error",
            Self::AnswerTooLarge => "http_response_body_size",
            Self::Loop => "proxy_loop_detected",
        }
    }

    fn retry_after(&self) -> Option<HeaderValue> {
        match self {
            Self::Rate(wait) | Self::Resting(wait) => Some(whole_seconds(*wait).into()),
            Self::Busy { .. } => Some(HeaderValue::from_static("1")),
            Self::GatewayFailed { retry_after } => retry_after.clone(),
            _ => None,
        }
    }

    /// Whether only the operator can do something about it.
    pub(crate) const fn is_fault(&self) -> bool {
        !matches!(self, Self::Busy { .. } | Self::Resting(_)) && self.status().as_u16() >= 500
    }

    /// The answer of the relay whose name in `Via` fields is `own`.
    pub(crate) fn into_response<B>(self, own: &Pseudonym) -> Response<RelayResponseBody<B>> {
        let mut response = refusal(self.status(), self.text());
        let headers = response.headers_mut();
        if let Self::Method { keys } = self {
            let allowed = if keys { "GET, HEAD, POST" } else { "POST" };
            headers.insert(ALLOW, HeaderValue::from_static(allowed));
        }
        if let Some(retry_after) = self.retry_after() {
            headers.insert(RETRY_AFTER, retry_after);
        }
        if let Ok(status) = HeaderValue::try_from(self.proxy_status(own.name())) {
            headers.insert(PROXY_STATUS, status);
        }
        response.map(RelayResponseBody::from)
    }

    /// The field of RFC 9209: an item with parameters (RFC 9651 §3.3).
    fn proxy_status(&self, own: &str) -> String {
        // A token of structured fields begins with a letter; any other name is a string. A
        // pseudonym has no character that would have to be escaped in one.
        match own.starts_with(|first: char| first.is_ascii_alphabetic()) {
            true => format!("{own}; error={}", self.proxy_error()),
            false => format!("\"{own}\"; error={}", self.proxy_error()),
        }
    }
}

/// Never early.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9209 §2, RFC 9651 §3.3.4
    #[test]
    fn a_name_that_is_no_token_is_a_string() {
        assert_eq!(Refusal::NoRoute.proxy_status("relay-7"), "relay-7; error=http_request_error");
        let limit = Refusal::Busy { incremental: true };
        assert_eq!(limit.proxy_status("7"), "\"7\"; error=connection_limit_reached");
    }

    #[test]
    fn waits_are_rounded_up() {
        for (millis, seconds) in [(1, 1), (999, 1), (1000, 1), (1001, 2)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }

    #[test]
    fn the_system_s_error_is_found_among_the_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] io::Error);

        let failure = |kind: io::ErrorKind| Failure::of(&Outer(kind.into()));
        assert_eq!(failure(io::ErrorKind::ConnectionRefused), Failure::Refused);
        assert_eq!(failure(io::ErrorKind::TimedOut), Failure::TimedOut);
        assert_eq!(failure(io::ErrorKind::ConnectionReset), Failure::Broken);
        assert_eq!(failure(io::ErrorKind::NotFound), Failure::Unknown);
    }
}
