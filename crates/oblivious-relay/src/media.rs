//! The media types of messages on a route.

use http::{HeaderMap, HeaderValue};
use oblivious_service::{MediaType, Payload, media_type};

/// Which of a route's protocols an exchange uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `message/ohttp-req`, `message/ohttp-res`
    Whole,
    /// `message/ohttp-chunked-req`, `message/ohttp-chunked-res`
    Chunked,
    /// One of the protocols that the route adds.
    Added(usize),
}

/// What a route accepts besides the two forms of Oblivious HTTP itself (RFC 9458 §4.6).
#[derive(Clone, Debug, Default)]
pub(crate) struct Media {
    added: Vec<Payload>,
}

impl Media {
    pub(crate) fn add(&mut self, payload: Payload) {
        self.added.push(payload);
    }

    /// `None` for what this route does not know as an encapsulated request.
    pub(crate) fn of_request(&self, headers: &HeaderMap) -> Option<Kind> {
        match media_type(headers) {
            Some(MediaType::OhttpRequest) => Some(Kind::Whole),
            Some(MediaType::OhttpChunkedRequest) => Some(Kind::Chunked),
            Some(_) => None,
            None => self.added.iter().position(|added| added.is_request(headers)).map(Kind::Added),
        }
    }

    /// Whether these are the fields of an answer to a request of this kind.
    pub(crate) fn is_answer(&self, kind: Kind, headers: &HeaderMap) -> bool {
        match kind {
            Kind::Whole => media_type(headers) == Some(MediaType::OhttpResponse),
            Kind::Chunked => media_type(headers) == Some(MediaType::OhttpChunkedResponse),
            Kind::Added(index) => self.added[index].is_response(headers),
        }
    }

    /// The type as the relay writes it, whatever the client's spelling.
    pub(crate) fn request_type(&self, kind: Kind) -> HeaderValue {
        match kind {
            Kind::Whole => MediaType::OhttpRequest.into(),
            Kind::Chunked => MediaType::OhttpChunkedRequest.into(),
            Kind::Added(index) => self.added[index].request().clone(),
        }
    }

    pub(crate) fn response_type(&self, kind: Kind) -> HeaderValue {
        match kind {
            Kind::Whole => MediaType::OhttpResponse.into(),
            Kind::Chunked => MediaType::OhttpChunkedResponse.into(),
            Kind::Added(index) => self.added[index].response().clone(),
        }
    }
}
