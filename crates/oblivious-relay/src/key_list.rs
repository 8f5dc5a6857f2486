//! The key configurations of a gateway, as they were fetched, and for how long they may be kept.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{
    AGE, CACHE_CONTROL, CONTENT_TYPE, DATE, ETAG, EXPIRES, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, PRAGMA,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_cache_semantics::{CacheOptions, CachePolicy};
use oblivious_service::{Content, MediaType, names_entity_tag};
use siphasher::sip128::SipHasher24;

use crate::body::RelayResponseBody;

/// What is kept when the gateway says nothing: a cache may decide by itself (RFC 9111 §4.2.2).
const DEFAULT_MAX_AGE: &str = "max-age=60";

/// The longest that a list is kept, whatever the gateway says. Keys are replaced more often.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The shortest: a gateway that wants its list kept for no time at all would be asked anew for each
/// client, and could give each of them another one (RFC 9458 §7).
const SHORTEST: Duration = Duration::from_secs(10);

/// The longest `Age` that is believed, in digits.
const AGE_DIGITS: usize = 9;

/// The fields that decide how long a response may be kept (RFC 9111 §5).
const FRESHNESS: [HeaderName; 6] = [CACHE_CONTROL, EXPIRES, DATE, AGE, PRAGMA, LAST_MODIFIED];

/// A list as the gateway sent it, including entries that are not understood here.
#[derive(Debug)]
pub(crate) struct KeyList {
    encoded: Bytes,
    /// The relay's own: what all clients get depends on the list alone.
    etag: String,
    /// The gateway's fields that decide how long the list may be kept, and its validators.
    fields: HeaderMap,
    age: Duration,
    fresh_for: Duration,
    /// On the monotonic clock.
    fetched: Duration,
}

impl KeyList {
    /// A list that came with these fields, at this time on either clock.
    pub(crate) fn new(
        encoded: Bytes,
        headers: &HeaderMap,
        now: SystemTime,
        uptime: Duration,
    ) -> Self {
        let etag = entity_tag(&encoded);
        let mut fields = HeaderMap::new();
        for name in FRESHNESS.iter().chain(&[ETAG]) {
            for value in headers.get_all(name) {
                fields.append(name.clone(), value.clone());
            }
        }
        let (age, fresh_for) = freshness(&fields, now);
        Self { encoded, etag, fields, age, fresh_for, fetched: uptime }
    }

    /// The same list, which the gateway confirmed with these fields (RFC 9111 §4.3.4).
    pub(crate) fn confirmed(&self, headers: &HeaderMap, now: SystemTime, uptime: Duration) -> Self {
        let mut merged = self.fields.clone();
        // The old fields say how old the old answer was.
        merged.remove(AGE);
        merged.remove(DATE);
        for name in &FRESHNESS {
            if headers.contains_key(name) {
                merged.remove(name);
                for value in headers.get_all(name) {
                    merged.append(name.clone(), value.clone());
                }
            }
        }
        Self::new(self.encoded.clone(), &merged, now, uptime)
    }

    /// Whether it can be served without asking the gateway.
    pub(crate) fn is_fresh(&self, uptime: Duration) -> bool {
        uptime.saturating_sub(self.fetched) < self.fresh_for.max(SHORTEST)
    }

    /// Asks for the list only if it has changed (RFC 9110 §13.1).
    pub(crate) fn make_conditional<B>(&self, request: &mut Request<B>) {
        for (validator, condition) in [(ETAG, IF_NONE_MATCH), (LAST_MODIFIED, IF_MODIFIED_SINCE)] {
            if let Some(value) = self.fields.get(validator) {
                request.headers_mut().insert(condition, value.clone());
            }
        }
    }

    /// The answer to a client that sent these fields.
    pub(crate) fn answer<B>(
        &self,
        headers: &HeaderMap,
        uptime: Duration,
    ) -> Response<RelayResponseBody<B>> {
        let is_known = names_entity_tag(headers, &self.etag);
        let body = if is_known { Content::default() } else { self.encoded.clone().into() };
        let mut response = Response::new(body.into());
        let headers = response.headers_mut();
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            headers.insert(ETAG, etag);
        }
        let cache_control = match self.fresh_for.as_secs() {
            0 => HeaderValue::from_static("no-cache"),
            seconds => {
                let resident = uptime.saturating_sub(self.fetched).as_secs();
                headers.insert(AGE, (self.age.as_secs() + resident).into());
                let max_age = format!("max-age={}", self.age.as_secs() + seconds);
                HeaderValue::try_from(max_age).unwrap_or(HeaderValue::from_static("no-cache"))
            }
        };
        headers.insert(CACHE_CONTROL, cache_control);
        match is_known {
            true => *response.status_mut() = StatusCode::NOT_MODIFIED,
            false => _ = headers.insert(CONTENT_TYPE, MediaType::OhttpKeys.into()),
        }
        response
    }
}

/// The same for the same list at every relay and at all times, so that it tells nothing of who
/// asks (RFC 9458 §7).
///
/// Two lists do not have the same one by accident. The hash is not one that nobody could force: a
/// gateway might, at great expense, find a second list with the tag of the first, and then clients
/// with the first would be told that it has not changed. They are no worse off than those who
/// still keep it because it is fresh; whether all have the same keys is for clients to find out by
/// comparing sources, never by this tag.
fn entity_tag(encoded: &[u8]) -> String {
    let hash = SipHasher24::new().hash(encoded);
    format!("\"{:016x}{:016x}\"", hash.h1.swap_bytes(), hash.h2.swap_bytes())
}

/// How old a response with these fields is when it arrives, and for how long it may be kept.
///
/// Here the relay is an ordinary client that asks for itself, and gives its own answer to others.
/// So it keeps the list in spite of `private`: asking again for each client would let the gateway
/// tell them apart by their keys (RFC 9458 §7).
fn freshness(fields: &HeaderMap, now: SystemTime) -> (Duration, Duration) {
    let mut headers = fields.clone();
    let believable = |age: &HeaderValue| age.len() <= AGE_DIGITS;
    if !headers.get_all(AGE).iter().all(believable) {
        return (Duration::ZERO, Duration::ZERO);
    }
    if ![CACHE_CONTROL, EXPIRES, PRAGMA].iter().any(|name| headers.contains_key(name)) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(DEFAULT_MAX_AGE));
    }
    let mut response = Response::new(());
    *response.headers_mut() = headers;
    let options = CacheOptions { shared: false, ..CacheOptions::default() };
    let policy = CachePolicy::new_options(&Request::new(()), &response, now, options);
    let age = policy.age(now);
    match policy.is_storable() {
        true => (age, policy.time_to_live(now).min(LONGEST)),
        false => (age, Duration::ZERO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE_NOW: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
    const AN_HOUR_LATER: &str = "Tue, 14 Nov 2023 23:13:20 GMT";

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    fn fresh_for(fields: &[(&'static str, &str)]) -> u64 {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        freshness(&headers, now()).1.as_secs()
    }

    /// RFC 9111 §4.2 and §5
    #[test]
    fn the_gateway_says_how_long() {
        for (fields, expected) in [
            (&[][..], 60),
            (&[("cache-control", "max-age=3600")], 3600),
            (&[("cache-control", "max-age=3600"), ("age", "600")], 3000),
            (&[("cache-control", "max-age=3600"), ("age", "3600")], 0),
            // As the Go gateway says it.
            (&[("cache-control", "max-age=43200, private")], 43_200),
            (&[("cache-control", "no-store")], 0),
            (&[("cache-control", "no-cache")], 0),
            (&[("cache-control", "max-age=3600, no-store")], 0),
            (&[("pragma", "no-cache")], 0),
            (&[("date", DATE_NOW), ("expires", AN_HOUR_LATER)], 3600),
            (&[("expires", "0")], 0),
            (&[("cache-control", "max-age=99999999999999999999")], 0),
            (&[("cache-control", "max-age=9999999999")], LONGEST.as_secs()),
            // What would overflow is not believed.
            (&[("cache-control", "max-age=3600"), ("age", "18446744073709551615")], 0),
            (&[("cache-control", "max-age=3600"), ("age", "x")], 3600),
        ] {
            assert_eq!(fresh_for(fields), expected, "{fields:?}");
        }
    }

    /// RFC 9458 §7: replicas of any version say the same of the same list.
    #[test]
    fn a_tag_depends_on_the_list_alone() {
        let tag = |list: &'static [u8], headers: &HeaderMap| {
            KeyList::new(Bytes::from_static(list), headers, now(), Duration::ZERO).etag
        };
        let none = HeaderMap::new();
        // As OpenSSL's `mac -macopt size:16 SIPHASH` has it, with a key of zeros.
        assert_eq!(tag(b"list", &none), "\"7a9d70791648225b9932d58574f1e961\"");
        let other = HeaderMap::from_iter([
            (ETAG, HeaderValue::from_static("\"1\"")),
            (CACHE_CONTROL, HeaderValue::from_static("max-age=1")),
        ]);
        assert_eq!(tag(b"list", &other), tag(b"list", &none));
        assert_ne!(tag(b"lisu", &none), tag(b"list", &none));
    }

    #[test]
    fn what_was_confirmed_is_as_fresh_as_the_answer_says() {
        let at = Duration::from_secs;
        let first = HeaderMap::from_iter([
            (CACHE_CONTROL, HeaderValue::from_static("max-age=100")),
            (AGE, HeaderValue::from_static("90")),
            (ETAG, HeaderValue::from_static("\"1\"")),
        ]);
        let list = KeyList::new(Bytes::from_static(b"list"), &first, now(), at(0));
        assert!(list.is_fresh(at(9)) && !list.is_fresh(at(10)));
        let list = list.confirmed(&HeaderMap::new(), now(), at(20));
        assert!(list.is_fresh(at(119)) && !list.is_fresh(at(120)));
        let shorter =
            HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static("max-age=15"))]);
        let list = list.confirmed(&shorter, now(), at(200));
        assert!(list.is_fresh(at(214)) && !list.is_fresh(at(215)));
        // RFC 9458 §7: a list that is not to be kept is still the same for those who ask at once.
        let none = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static("no-store"))]);
        let list = list.confirmed(&none, now(), at(300));
        assert!(list.is_fresh(at(309)) && !list.is_fresh(at(310)));
        let mut request = Request::new(());
        list.make_conditional(&mut request);
        assert_eq!(request.headers()[IF_NONE_MATCH], "\"1\"");
    }
}
