//! How long a response may be used (RFC 9111 §4.2), as far as keys need it.

use std::time::Duration;

use http::{HeaderMap, header};

/// Longer lifetimes are cut to this (RFC 9111 §1.2.2), in seconds.
const MAX_SECONDS: u64 = 1 << 31;

/// For how long from now on the response with these fields is fresh; `None` if it does not say.
pub(crate) fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let directives = headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim);
    let mut max_age = None;
    for directive in directives {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            return Some(Duration::ZERO);
        }
        if name.eq_ignore_ascii_case("max-age") && max_age.is_none() {
            // What cannot be read counts as stale (RFC 9111 §4.2.1).
            max_age = Some(seconds(value.trim().trim_matches('"')).unwrap_or(0));
        }
    }
    let age = headers.get(header::AGE).and_then(|value| seconds(value.to_str().ok()?.trim()));
    Some(Duration::from_secs(max_age?.saturating_sub(age.unwrap_or(0))))
}

fn seconds(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Digits that do not fit are a very long time.
    Some(text.parse().unwrap_or(MAX_SECONDS).min(MAX_SECONDS))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn lifetime_is_max_age_less_age() {
        let of = |fields: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            fresh_for(&headers).map(|lifetime| lifetime.as_secs())
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("cache-control", "private")]), None);
        assert_eq!(of(&[("cache-control", "private, Max-Age=60")]), Some(60));
        assert_eq!(of(&[("cache-control", "max-age=60"), ("age", "20")]), Some(40));
        assert_eq!(of(&[("cache-control", "max-age=60"), ("age", "61")]), Some(0));
        assert_eq!(of(&[("cache-control", "max-age=60"), ("age", "soon")]), Some(60));
        assert_eq!(of(&[("cache-control", "max-age=\"60\"")]), Some(60));
        assert_eq!(of(&[("cache-control", "max-age=60"), ("cache-control", "no-store")]), Some(0));
        assert_eq!(of(&[("cache-control", "max-age=-1")]), Some(0));
        let huge = "max-age=99999999999999999999999";
        assert_eq!(of(&[("cache-control", huge)]), Some(MAX_SECONDS));
        assert_eq!(of(&[("cache-control", huge), ("age", "99999999999999999999999")]), Some(0));
    }
}
