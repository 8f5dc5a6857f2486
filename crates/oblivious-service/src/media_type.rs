//! The media types that Oblivious HTTP uses.

use std::fmt;

use http::HeaderValue;

/// A media type that has a meaning in Oblivious HTTP.
///
/// Types are compared without regard to case and parameters are parsed and then ignored (RFC 9110
/// §8.3.1): `Message/OHTTP-Req; a=b` is [`OhttpRequest`](Self::OhttpRequest), while
/// `message/ohttp-req-2` and a value that is not a media type are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MediaType {
    /// `message/ohttp-req`: an encapsulated request (RFC 9458 §9.2).
    OhttpRequest,
    /// `message/ohttp-res`: an encapsulated response (RFC 9458 §9.3).
    OhttpResponse,
    /// `message/ohttp-chunked-req`: a request encapsulated in chunks
    /// (draft-ietf-ohai-chunked-ohttp).
    OhttpChunkedRequest,
    /// `message/ohttp-chunked-res`: a response encapsulated in chunks
    /// (draft-ietf-ohai-chunked-ohttp).
    OhttpChunkedResponse,
    /// `application/ohttp-keys`: a list of key configurations (RFC 9458 §9.1).
    OhttpKeys,
    /// `message/bhttp`: a binary HTTP message (RFC 9292 §7).
    BinaryHttp,
    /// `application/problem+json`: a problem document (RFC 9457 §3).
    ProblemJson,
}

impl MediaType {
    const ALL: [Self; 7] = [
        Self::OhttpRequest,
        Self::OhttpResponse,
        Self::OhttpChunkedRequest,
        Self::OhttpChunkedResponse,
        Self::OhttpKeys,
        Self::BinaryHttp,
        Self::ProblemJson,
    ];

    /// The type as it is written in a `Content-Type` field, without parameters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OhttpRequest => "message/ohttp-req",
            Self::OhttpResponse => "message/ohttp-res",
            Self::OhttpChunkedRequest => "message/ohttp-chunked-req",
            Self::OhttpChunkedResponse => "message/ohttp-chunked-res",
            Self::OhttpKeys => "application/ohttp-keys",
            Self::BinaryHttp => "message/bhttp",
            Self::ProblemJson => "application/problem+json",
        }
    }

    /// Reads the value of a `Content-Type` field.
    ///
    /// Returns `None` for a value that is not a media type, and for every type not listed here.
    pub fn parse(value: &str) -> Option<Self> {
        let value = value.trim_matches([' ', '\t']);
        // What nearly every message carries, without parsing.
        if let Some(exact) = Self::ALL.into_iter().find(|known| known.as_str() == value) {
            return Some(exact);
        }
        let parsed = mediatype::MediaType::parse(value).ok()?;
        let essence = parsed.essence();
        Self::ALL.into_iter().find(|known| {
            // Every type above parses; the comparison ignores case.
            mediatype::MediaType::parse(known.as_str()).is_ok_and(|known| known == essence)
        })
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<MediaType> for HeaderValue {
    fn from(media_type: MediaType) -> Self {
        Self::from_static(media_type.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_reads_back() {
        for known in MediaType::ALL {
            assert_eq!(MediaType::parse(known.as_str()), Some(known));
            assert_eq!(MediaType::parse(&known.as_str().to_uppercase()), Some(known));
        }
    }

    /// RFC 9110 §8.3.1: type and subtype are case-insensitive; parameters may follow.
    #[test]
    fn case_and_parameters_make_no_difference() {
        for value in [
            "Message/OHTTP-req",
            "message/ohttp-req;v=1",
            "message/ohttp-req ; v=\"a;b\"",
            " message/ohttp-req\t",
        ] {
            assert_eq!(MediaType::parse(value), Some(MediaType::OhttpRequest), "{value:?}");
        }
    }

    #[test]
    fn a_type_is_parsed_and_not_matched_by_its_parts() {
        for value in [
            "",
            "message",
            "message/ohttp-req2",
            "message/ohttp-reqmessage/ohttp-req",
            "text/plain; a=message/ohttp-req",
            "text/plain, message/ohttp-req",
            "message/ohttp-req, message/ohttp-req",
            "message/ohttp-req; bad parameter",
            "application/problem",
            "application/problem+xml",
        ] {
            assert_eq!(MediaType::parse(value), None, "{value:?}");
        }
    }
}
