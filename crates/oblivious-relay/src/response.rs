//! What passes of a gateway's response, and the responses that the relay makes itself.

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body::Body;
use oblivious_service::MediaType;
use oblivious_service::{FullBody, has_content_coding, media_type, plain_text};

use crate::body::RelayResponseBody;
use crate::idle::Idle;

/// RFC 10036. A structured field that says whether a message is of use before its end.
pub(crate) const INCREMENTAL: HeaderName = HeaderName::from_static("incremental");

/// Why the relay answers by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NoRoute,
    Method,
    MediaType,
    ContentCoding,
    TooLarge,
    BodyBroken,
    ClientStalled,
    Unreachable,
    GatewayStalled,
    NotOblivious,
    AnswerTooLarge,
    Loop,
}

impl Refusal {
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::MediaType | Self::ContentCoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::ClientStalled => StatusCode::REQUEST_TIMEOUT,
            Self::Unreachable | Self::NotOblivious | Self::AnswerTooLarge => {
                StatusCode::BAD_GATEWAY
            }
            Self::GatewayStalled => StatusCode::GATEWAY_TIMEOUT,
            Self::Loop => StatusCode::LOOP_DETECTED,
        }
    }

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::NoRoute => "This relay has no such path. Check the relay URL.\n",
            Self::Method => "Send encapsulated requests with POST.\n",
            Self::MediaType => {
                "Send one content-type: message/ohttp-req or message/ohttp-chunked-req.\n"
            }
            Self::ContentCoding => "Send the encapsulated request without a content-encoding.\n",
            Self::TooLarge => "The request is longer than this relay allows. Send less at once.\n",
            Self::BodyBroken => "The request broke off. Encapsulate it anew and send it whole.\n",
            Self::ClientStalled => "The request came too slowly. Encapsulate it anew and resend.\n",
            Self::Unreachable => "The gateway cannot be reached. Try again later.\n",
            Self::GatewayStalled => "The gateway did not answer in time. Try again later.\n",
            Self::NotOblivious => {
                "The gateway's answer is no encapsulated response. Tell the relay's operator.\n"
            }
            Self::AnswerTooLarge => {
                "The gateway's answer is longer than this relay allows. Ask for less at once.\n"
            }
            Self::Loop => "The relay's route leads back to the relay. Tell the relay's operator.\n",
        }
    }

    pub(crate) fn into_response<B>(self) -> Response<RelayResponseBody<B>> {
        let mut response = plain_text(self.status(), self.text());
        if self == Self::Method {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response.map(RelayResponseBody::text)
    }
}

/// What the client gets of the gateway's `response` to a request of the type `sent`: the fields
/// that it needs, as the relay would write them, and no other (RFC 9458 §6.2).
pub(crate) fn filter<B: Body>(
    response: Response<B>,
    sent: MediaType,
    limit: u64,
    idle: Idle,
) -> Result<Response<RelayResponseBody<B>>, Refusal> {
    let (head, body) = response.into_parts();
    let error = head.status.is_client_error() || head.status.is_server_error();
    if !head.status.is_success() && !error {
        // Above all no redirect: it would tell the client another gateway than it chose, and
        // whoever follows it would send the request again.
        return Err(Refusal::NotOblivious);
    }
    let passes = match media_type(&head.headers) {
        _ if has_content_coding(&head.headers) => None,
        Some(MediaType::ProblemJson) if error => Some(MediaType::ProblemJson),
        found => found.filter(|&found| Some(found) == answer_to(sent)),
    };
    let mut filtered = match passes {
        Some(_) if body.size_hint().lower() > limit => return Err(Refusal::AnswerTooLarge),
        Some(kind) => {
            let mut filtered = Response::new(RelayResponseBody::streamed(body, limit, idle));
            filtered.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind.as_str()));
            if is_incremental(&head.headers) {
                filtered.headers_mut().insert(INCREMENTAL, HeaderValue::from_static("?1"));
            }
            filtered
        }
        // A page of error text is not for the client; that there was an error is.
        None if error => Response::new(RelayResponseBody::text(FullBody::empty())),
        None => return Err(Refusal::NotOblivious),
    };
    *filtered.status_mut() = head.status;
    filtered.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(filtered)
}

/// The type of the response that belongs to a request; `None` for what is no request.
pub(crate) const fn answer_to(request: MediaType) -> Option<MediaType> {
    match request {
        MediaType::OhttpRequest => Some(MediaType::OhttpResponse),
        MediaType::OhttpChunkedRequest => Some(MediaType::OhttpChunkedResponse),
        _ => None,
    }
}

/// Whether there is an `Incremental` field that says yes (RFC 10036, RFC 9651 §3.3.6).
pub(crate) fn is_incremental(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(INCREMENTAL).iter();
    let (Some(value), None) = (fields.next(), fields.next()) else { return false };
    match value.as_bytes().trim_ascii().strip_prefix(b"?1") {
        Some([]) => true,
        // Parameters may follow, none of which has a meaning.
        Some(rest) => rest.trim_ascii_start().starts_with(b";"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 10036, RFC 9651 §3.3.6: a Boolean is `?0` or `?1`, and an Item is one field.
    #[test]
    fn incremental_is_a_structured_boolean() {
        for (value, expected) in [
            ("?1", true),
            (" ?1\t", true),
            ("?1;a=b", true),
            ("?1 ;a", true),
            ("?0", false),
            ("", false),
            ("1", false),
            ("?10", false),
            ("true", false),
            ("?1, ?1", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(INCREMENTAL, HeaderValue::from_str(value).unwrap());
            assert_eq!(is_incremental(&headers), expected, "{value:?}");
            headers.append(INCREMENTAL, HeaderValue::from_static("?1"));
            assert!(!is_incremental(&headers));
        }
        assert!(!is_incremental(&HeaderMap::new()));
    }
}
