//! Answers, sealed to the client.

use bytes::BytesMut;
use http::{HeaderName, HeaderValue, Response, header};
use oblivious_bhttp::{Content, EncodableResponse, EncodeOptions};
use oblivious_hpke::{Reply, SealError};
use oblivious_service::MediaType;

use crate::{
    EncapsulatedBody, TargetError,
    chunked_answer::ChunkedAnswer,
    concurrency::Permit,
    refusal::{InnerRefusal, OuterRefusal},
};

const INCREMENTAL: HeaderName = HeaderName::from_static("incremental");

/// Makes an answer ready to be written as binary HTTP, which cannot hold every answer, such as one
/// with the status 999.
pub(crate) fn encodable(
    mut answer: Response<Content>,
    is_head: bool,
    options: &EncodeOptions,
) -> Result<EncodableResponse, InnerRefusal> {
    if is_head {
        // RFC 9110 §9.3.2: no content in answer to HEAD, whatever the target service returned.
        *answer.body_mut() = Content::default();
    }
    EncodableResponse::new(answer, options)
        .map_err(|_| InnerRefusal::Target(TargetError::InvalidResponse))
}

/// Writes the answer as binary HTTP and seals it, in one buffer (RFC 9458 §4.4).
pub(crate) fn encapsulate(
    reply: Reply,
    answer: &EncodableResponse,
    permit: Permit,
) -> Result<Response<EncapsulatedBody>, OuterRefusal> {
    let mut sealed = BytesMut::with_capacity(answer.encoded_len() + reply.overhead());
    let encode = |out: &mut BytesMut| {
        answer.encode_into(out);
        Ok::<_, SealError>(())
    };
    reply.seal_into(&mut sealed, encode).map_err(|_| OuterRefusal::CannotSeal)?;
    let body = Content::from(permit.held_by(sealed.freeze()));
    Ok(response(MediaType::OhttpResponse, body.into()))
}

/// An answer that is sealed while it is produced.
pub(crate) fn encapsulate_in_chunks(answer: ChunkedAnswer) -> Response<EncapsulatedBody> {
    let mut response = response(MediaType::OhttpChunkedResponse, answer.into());
    // RFC 10036: intermediaries should not wait for the end.
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
