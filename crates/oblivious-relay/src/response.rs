//! What of a gateway's response is passed on.

use std::cell::Cell;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response};
use http_body::Body;
use oblivious_service::{MediaType, has_content_coding, media_type};

use crate::body::RelayResponseBody;
use crate::incremental;
use crate::media::{Kind, Media};
use crate::refusal::Refusal;
use crate::under_way::Answering;

/// What the client gets of the gateway's `response` to a request of this kind: only the fields that
/// it needs (RFC 9458 §6.2).
pub(crate) fn filter<B: Body>(
    response: Response<B>,
    media: &Media,
    kind: Kind,
    limit: u64,
    answering: Answering,
) -> Result<Response<RelayResponseBody<B>>, Refusal> {
    let (head, body) = response.into_parts();
    let mut headers = head.headers;
    let error = head.status.is_client_error() || head.status.is_server_error();
    if !head.status.is_success() && !error {
        // Above all, redirects do not pass: they would name a gateway that the client did not
        // choose, and following one would send the request again.
        return Err(Refusal::NotOblivious);
    }
    let content_type = if has_content_coding(&headers) {
        None
    } else if media.is_answer(kind, &headers) {
        Some(media.response_type(kind))
    } else if error && media_type(&headers) == Some(MediaType::ProblemJson) {
        Some(MediaType::ProblemJson.into())
    } else {
        None
    };
    let passed = Passed::of(&headers);
    let retry_after = passed.retry_after.only().filter(is_time_to_wait);
    let Some(content_type) = content_type else {
        // A page of error text is not meant for the client, which did nothing wrong.
        return Err(match error {
            true => Refusal::GatewayFailed { retry_after },
            false => Refusal::NotOblivious,
        });
    };
    if body.size_hint().lower() > limit {
        return Err(Refusal::AnswerTooLarge);
    }
    let cache_control = passed.cache_control.only();
    let date = passed.date.only().filter(is_date);
    let incremental = incremental::is_set(&headers);
    // The rest is gone; only the memory is used again.
    headers.clear();
    headers.insert(CONTENT_TYPE, content_type);
    // Nothing that is encapsulated can be reused (RFC 9458 §6.5.2), unless a gateway says so.
    headers.insert(CACHE_CONTROL, cache_control.unwrap_or(HeaderValue::from_static("no-store")));
    if let Some(date) = date {
        headers.insert(DATE, date);
    }
    if let Some(retry_after) = retry_after {
        headers.insert(RETRY_AFTER, retry_after);
    }
    if incremental {
        incremental::set(&mut headers);
    }
    let mut filtered = Response::new(RelayResponseBody::streamed(body, limit, answering));
    *filtered.status_mut() = head.status;
    *filtered.headers_mut() = headers;
    Ok(filtered)
}

/// The fields that may pass, found in one pass over the header.
#[derive(Default)]
struct Passed<'a> {
    cache_control: Field<'a>,
    date: Field<'a>,
    retry_after: Field<'a>,
}

/// A field that means nothing when it is repeated.
#[derive(Clone, Copy, Default)]
enum Field<'a> {
    #[default]
    Missing,
    Once(&'a HeaderValue),
    Repeated,
}

impl<'a> Passed<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let mut passed = Self::default();
        for (name, value) in headers {
            let field = match *name {
                CACHE_CONTROL => &mut passed.cache_control,
                DATE => &mut passed.date,
                RETRY_AFTER => &mut passed.retry_after,
                _ => continue,
            };
            *field = match field {
                Field::Missing => Field::Once(value),
                Field::Once(_) | Field::Repeated => Field::Repeated,
            };
        }
        passed
    }
}

impl Field<'_> {
    fn only(self) -> Option<HeaderValue> {
        match self {
            Self::Once(value) => Some(value.clone()),
            Self::Missing | Self::Repeated => None,
        }
    }
}

/// RFC 9110 §6.6.1
fn is_date(value: &HeaderValue) -> bool {
    thread_local! {
        /// Gateways say the same for a second.
        static LAST: Cell<[u8; 29]> = const { Cell::new([0; 29]) };
    }
    let last = LAST.get();
    let is_date = *value == last[..]
        || value.to_str().is_ok_and(|text| httpdate::parse_http_date(text).is_ok());
    if is_date && let Ok(date) = value.as_bytes().try_into() {
        LAST.set(date);
    }
    is_date
}

/// RFC 9110 §10.2.3: a date, or seconds.
fn is_time_to_wait(value: &HeaderValue) -> bool {
    let digits = !value.is_empty() && value.as_bytes().iter().all(u8::is_ascii_digit);
    digits || is_date(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9110 §10.2.3
    #[test]
    fn a_time_to_wait_is_seconds_or_a_date() {
        for (value, expected) in [
            ("0", true),
            ("120", true),
            ("Fri, 31 Dec 1999 23:59:59 GMT", true),
            ("Fri, 31 Dec 1999 23:59:59 GMT", true),
            ("Fri, 32 Dec 1999 23:59:59 GMT", false),
            ("Friday, 31-Dec-99 23:59:59 GMT", true),
            ("", false),
            ("-1", false),
            ("1.5", false),
            ("soon", false),
        ] {
            assert_eq!(is_time_to_wait(&HeaderValue::from_static(value)), expected, "{value:?}");
        }
    }

    #[test]
    fn a_field_that_is_repeated_does_not_pass() {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, HeaderValue::from_static("now"));
        assert_eq!(Passed::of(&headers).date.only().unwrap(), "now");
        assert_eq!(Passed::of(&headers).retry_after.only(), None);
        for _ in 0..2 {
            headers.append(DATE, HeaderValue::from_static("now"));
            assert_eq!(Passed::of(&headers).date.only(), None);
        }
    }
}
