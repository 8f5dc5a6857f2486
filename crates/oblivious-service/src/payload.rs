//! What the encapsulated messages carry (RFC 9458 §4.6).

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use thiserror::Error;

/// Binary HTTP (RFC 9292): what Oblivious HTTP carries by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BinaryHttp;

/// Messages of another protocol, such as DNS, by the media types of their encapsulated form.
///
/// Besides its media types such a protocol has its own HPKE labels, so that what is sealed for one
/// protocol is never opened as another (RFC 9458 §4.6). They are set together with the keys.
///
/// ```
/// use oblivious_service::Payload;
///
/// let dns = Payload::new("message/example-dns-req", "message/example-dns-res")?;
/// assert_eq!(dns.request(), "message/example-dns-req");
/// # Ok::<(), oblivious_service::PayloadError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    request: HeaderValue,
    response: HeaderValue,
}

impl Payload {
    /// A protocol whose encapsulated requests and responses have these media types. The two may be
    /// the same.
    ///
    /// # Errors
    /// If one of them is not a media type, has parameters, or has a meaning in Oblivious HTTP:
    /// those are for binary HTTP.
    pub fn new(request: &str, response: &str) -> Result<Self, PayloadError> {
        let checked = |text: &str| {
            let plain = parsed(text).is_some_and(|parsed| parsed.params.is_empty());
            if !plain {
                return Err(PayloadError::NoMediaType(text.to_owned()));
            }
            if crate::MediaType::parse(text).is_some() {
                return Err(PayloadError::Taken(text.to_owned()));
            }
            HeaderValue::from_str(text).map_err(|_| PayloadError::NoMediaType(text.to_owned()))
        };
        Ok(Self { request: checked(request)?, response: checked(response)? })
    }

    /// The media type of encapsulated requests.
    pub fn request(&self) -> &HeaderValue {
        &self.request
    }

    /// The media type of encapsulated responses.
    pub fn response(&self) -> &HeaderValue {
        &self.response
    }

    /// Whether these fields are those of an encapsulated request of this protocol: compared as
    /// media types are, and with exactly one `Content-Type`.
    pub fn is_request(&self, headers: &HeaderMap) -> bool {
        has_type(headers, &self.request)
    }

    /// [`is_request`](Self::is_request) for responses.
    pub fn is_response(&self, headers: &HeaderMap) -> bool {
        has_type(headers, &self.response)
    }
}

fn has_type(headers: &HeaderMap, expected: &HeaderValue) -> bool {
    let mut fields = headers.get_all(CONTENT_TYPE).iter();
    let (Some(found), None) = (fields.next(), fields.next()) else { return false };
    let essence = |value: &HeaderValue| {
        let found = parsed(value.to_str().ok()?)?;
        Some(found.essence().to_string().to_ascii_lowercase())
    };
    // Most senders write it exactly like this.
    found == expected || essence(found).is_some_and(|found| Some(found) == essence(expected))
}

fn parsed(text: &str) -> Option<mediatype::MediaType<'_>> {
    mediatype::MediaType::parse(text).ok()
}

/// The media types are not usable for another protocol.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// It is not a media type, or it has parameters.
    #[error("{0:?} is not a media type: write type/subtype, without parameters")]
    NoMediaType(String),
    /// It has a meaning in Oblivious HTTP.
    #[error("{0} is a media type of Oblivious HTTP itself: use the protocol's own")]
    Taken(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9458 §4.6
    #[test]
    fn a_payload_has_media_types_of_its_own() {
        assert!(Payload::new("application/example", "application/example").is_ok());
        for (text, taken) in [
            ("", false),
            ("message", false),
            ("message/a b", false),
            ("message/a; b=c", false),
            ("message/ohttp-req", true),
            ("Message/OHTTP-Res", true),
            ("message/ohttp-chunked-req", true),
            ("message/bhttp", true),
        ] {
            let expected = match taken {
                true => PayloadError::Taken(text.into()),
                false => PayloadError::NoMediaType(text.into()),
            };
            assert_eq!(Payload::new(text, "message/other"), Err(expected.clone()), "{text}");
            assert_eq!(Payload::new("message/other", text), Err(expected), "{text}");
        }
    }

    /// RFC 9110 §8.3.1: neither case nor parameters make a difference.
    #[test]
    fn a_message_is_known_by_its_one_type() {
        let payload = Payload::new("message/a-req", "message/a-res").unwrap();
        let is_request = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_TYPE, HeaderValue::from_static(value));
            }
            payload.is_request(&headers)
        };
        assert!(is_request(&["message/a-req"]));
        assert!(is_request(&["Message/A-Req; b=c"]));
        assert!(!is_request(&["message/a-res"]));
        assert!(!is_request(&["message/a-req", "message/a-req"]));
        assert!(!is_request(&[]));
    }
}
