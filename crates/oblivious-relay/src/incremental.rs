//! RFC 10036: whether a message is useful before its end.

use http::{HeaderMap, HeaderName, HeaderValue};

const INCREMENTAL: HeaderName = HeaderName::from_static("incremental");

/// Says so.
pub(crate) fn set(headers: &mut HeaderMap) {
    headers.insert(INCREMENTAL, HeaderValue::from_static("?1"));
}

/// Whether there is an `Incremental` field that says yes (RFC 10036, RFC 9651 §3.3.6).
pub(crate) fn is_set(headers: &HeaderMap) -> bool {
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
            assert_eq!(is_set(&headers), expected, "{value:?}");
            headers.append(INCREMENTAL, HeaderValue::from_static("?1"));
            assert!(!is_set(&headers));
        }
        assert!(!is_set(&HeaderMap::new()));
    }
}
