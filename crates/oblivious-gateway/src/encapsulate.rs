//! Answers, sealed to the client.

use bytes::BytesMut;
use http::{HeaderName, HeaderValue, Response, header};
use oblivious_bhttp::{
    Content, EncodeError, Framing, Padding, encode_response_into, encoded_response_len,
};
use oblivious_hpke::{Reply, SealError};
use oblivious_service::{FullBody, MediaType};

use crate::{
    EncapsulatedBody, TargetError,
    chunked_answer::ChunkedAnswer,
    concurrency::Permit,
    refusal::{InnerRefusal, OuterRefusal},
};

/// A whole message has known lengths.
const FRAMING: Framing = Framing::KnownLength;

const INCREMENTAL: HeaderName = HeaderName::from_static("incremental");

/// Refuses an answer that binary HTTP cannot hold, such as one with the status 999.
pub(crate) fn encodable(
    answer: Response<Content>,
    padding: &Padding,
) -> Result<Response<Content>, InnerRefusal> {
    match encoded_response_len(&answer, FRAMING, padding) {
        Ok(_) => Ok(answer),
        Err(_) => Err(InnerRefusal::Target(TargetError::InvalidResponse)),
    }
}

/// Writes the answer as binary HTTP and seals it, in one buffer (RFC 9458 §4.4).
pub(crate) fn encapsulate(
    reply: Reply,
    answer: Response<Content>,
    padding: &Padding,
    permit: Permit,
) -> Result<Response<EncapsulatedBody>, OuterRefusal> {
    // Known exactly beforehand.
    let length = encoded_response_len(&answer, FRAMING, padding).unwrap_or(0);
    let mut sealed = BytesMut::with_capacity(length + reply.overhead());
    reply
        .seal_into(&mut sealed, |out| {
            encode_response_into(&answer, FRAMING, padding, out).map_err(SealFailed::from)
        })
        .map_err(|SealFailed| OuterRefusal::CannotSeal)?;
    let body = FullBody::from(permit.held_by(sealed.freeze()));
    Ok(response(MediaType::OhttpResponse, body.into()))
}

/// An answer that is sealed while it is made.
pub(crate) fn encapsulate_in_chunks(answer: ChunkedAnswer) -> Response<EncapsulatedBody> {
    let mut response = response(MediaType::OhttpChunkedResponse, answer.into());
    // RFC 10036: whoever passes this on should not wait for its end.
    response.headers_mut().insert(INCREMENTAL, HeaderValue::from_static("?1"));
    response
}

fn response(content_type: MediaType, body: EncapsulatedBody) -> Response<EncapsulatedBody> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type.into());
    // RFC 9458 §6.5.2: an answer is for the request that it was sealed to, and for no other.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer was known to be encodable, so what is left is a generator without randomness.
struct SealFailed;

impl From<SealError> for SealFailed {
    fn from(_: SealError) -> Self {
        Self
    }
}

impl From<EncodeError> for SealFailed {
    fn from(_: EncodeError) -> Self {
        Self
    }
}
