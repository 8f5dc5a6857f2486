//! Header hygiene: fields that concern one connection, or tell who is on it, are not passed on.

use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, EXPECT, FORWARDED, HeaderMap, HeaderName,
    IF_NONE_MATCH, VIA,
};
use oblivious_wire::{connection_options, is_connection_field};

use crate::MediaType;

const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The media type of a message: that of its one `Content-Type` field (RFC 9110 §8.3).
///
/// Returns `None` when the field is missing, repeated, not a media type, or a type without a
/// meaning in Oblivious HTTP.
pub fn media_type(headers: &HeaderMap) -> Option<MediaType> {
    let mut fields = headers.get_all(CONTENT_TYPE).iter();
    let only = fields.next()?;
    if fields.next().is_some() {
        return None;
    }
    MediaType::parse(only.to_str().ok()?)
}

/// Whether the body has a content coding (RFC 9110 §8.4). An encapsulated message has none: no
/// coding would make its random bytes shorter.
pub fn has_content_coding(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|value| {
        let value = value.as_bytes().trim_ascii();
        !value.is_empty() && !value.eq_ignore_ascii_case(b"identity")
    })
}

/// Removes the fields that are for a single connection (RFC 9110 §7.6.1, RFC 9113 §8.2.2).
///
/// These are the ones that [`is_connection_field`] knows, such as `Connection` and `Upgrade`, and
/// every field that `Connection` names. `TE` stays if all its lines say just `trailers`. `Trailer`
/// stays: HTTP/1.1 needs it to send trailers.
pub fn strip_connection_fields(headers: &mut HeaderMap) {
    let named = headers.get_all(CONNECTION).iter();
    let named = named.flat_map(|value| connection_options(value.as_bytes()));
    let named = named.filter_map(|option| HeaderName::from_bytes(option).ok());
    let fields = headers.iter();
    let known = fields.filter(|(name, value)| is_connection_field(name.as_ref(), value.as_bytes()));
    let names: Vec<HeaderName> = named.chain(known.map(|(name, _)| name.clone())).collect();
    for name in names {
        headers.remove(name);
    }
}

/// Removes the fields with which intermediaries tell who sent a message and by what way it came:
/// `Forwarded`, `X-Forwarded-*`, `X-Real-IP`, `Via` and `Proxy-*`.
///
/// A target believes these fields when they come from its gateway. Inside the encapsulation the
/// client made them up (RFC 9458 §6.3); outside they would identify the client (RFC 9458 §6.2).
pub fn strip_forwarding_fields(headers: &mut HeaderMap) {
    let prefixed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            let name = name.as_str();
            name.starts_with("x-forwarded-") || name.starts_with("proxy-")
        })
        .cloned()
        .collect();
    for name in prefixed {
        headers.remove(name);
    }
    for name in [FORWARDED, VIA, X_REAL_IP] {
        headers.remove(name);
    }
}

/// Whether the fields expect a 100 (Continue), which Oblivious HTTP cannot deliver (RFC 9458 §5.1):
/// by the time it could arrive, the whole request has been sent.
pub fn expects_continue(headers: &HeaderMap) -> bool {
    headers
        .get_all(EXPECT)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .any(|expectation| expectation.trim_ascii().eq_ignore_ascii_case(b"100-continue"))
}

/// Whether `If-None-Match` names `entity_tag`, so that its sender already has what it asks for (RFC
/// 9110 §13.1.2, by the weak comparison).
///
/// `entity_tag` is a strong one, in its quotes.
pub fn names_entity_tag(headers: &HeaderMap, entity_tag: &str) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == entity_tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    /// RFC 9110 §7.6.1: `Connection` and what it names, in any case, in several lines.
    #[test]
    fn connection_fields_go_with_all_they_name() {
        let mut headers = map(&[
            ("connection", "Keep-Alive, X-One"),
            ("connection", "x-two,, ,\tclose"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("te", "trailers, deflate"),
            ("x-one", "1"),
            ("x-two", "2"),
            ("x-two", "3"),
            ("trailer", "x-three"),
            ("x-three", "4"),
        ]);
        strip_connection_fields(&mut headers);
        assert_eq!(headers, map(&[("trailer", "x-three"), ("x-three", "4")]));
    }

    #[test]
    fn a_connection_field_that_is_no_list_of_names_is_removed_all_the_same() {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_bytes(b"\xff, a b, x-one").unwrap());
        headers.insert("x-one", HeaderValue::from_static("1"));
        strip_connection_fields(&mut headers);
        assert!(headers.is_empty());
    }

    /// RFC 9113 §8.2.2: `TE` may stay if it says no more than `trailers`.
    #[test]
    fn te_stays_for_trailers_alone() {
        let mut headers = map(&[("te", "Trailers")]);
        strip_connection_fields(&mut headers);
        assert_eq!(headers, map(&[("te", "Trailers")]));

        let mut headers = map(&[("te", "trailers"), ("te", "gzip")]);
        strip_connection_fields(&mut headers);
        assert!(headers.is_empty());

        let mut headers = map(&[("te", "trailers"), ("connection", "te")]);
        strip_connection_fields(&mut headers);
        assert!(headers.is_empty());
    }

    /// RFC 9458 §6.2, §6.3.
    #[test]
    fn forwarding_fields_go() {
        let mut headers = map(&[
            ("forwarded", "for=192.0.2.1"),
            ("via", "1.1 somewhere"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-for", "192.0.2.2"),
            ("x-forwarded-client-cert", "Hash=1"),
            ("x-real-ip", "192.0.2.1"),
            ("proxy-authorization", "Basic AA=="),
            ("x-forward", "stays"),
            ("accept", "*/*"),
        ]);
        strip_forwarding_fields(&mut headers);
        assert_eq!(headers, map(&[("x-forward", "stays"), ("accept", "*/*")]));
    }

    #[test]
    fn a_media_type_is_one_field() {
        let one = map(&[("content-type", "Message/OHTTP-req; v=1")]);
        assert_eq!(media_type(&one), Some(MediaType::OhttpRequest));
        assert_eq!(media_type(&HeaderMap::new()), None);
        let two =
            map(&[("content-type", "message/ohttp-req"), ("content-type", "message/ohttp-req")]);
        assert_eq!(media_type(&two), None);
        let mut not_text = HeaderMap::new();
        not_text.insert(CONTENT_TYPE, HeaderValue::from_bytes(b"message/ohttp-req\xff").unwrap());
        assert_eq!(media_type(&not_text), None);
    }

    /// RFC 9110 §8.4
    #[test]
    fn identity_is_no_content_coding() {
        assert!(has_content_coding(&map(&[("content-encoding", "gzip")])));
        assert!(has_content_coding(&map(&[("content-encoding", "identity, gzip")])));
        assert!(has_content_coding(&map(&[("content-encoding", ""), ("content-encoding", "br")])));
        assert!(!has_content_coding(&map(&[("content-encoding", " Identity ")])));
        assert!(!has_content_coding(&HeaderMap::new()));
    }

    /// RFC 9458 §5.1
    #[test]
    fn an_expectation_is_found_in_any_case_and_among_others() {
        assert!(expects_continue(&map(&[("expect", "100-Continue")])));
        assert!(expects_continue(&map(&[("expect", "a=b"), ("expect", "c, 100-continue")])));
        assert!(!expects_continue(&map(&[("expect", "100-continues")])));
        assert!(!expects_continue(&HeaderMap::new()));
    }
}
