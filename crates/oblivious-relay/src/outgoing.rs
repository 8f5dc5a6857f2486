//! The request that goes to the gateway.

use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, VIA};
use http::{HeaderMap, Method, Request};
use http_body::Body;
use oblivious_service::{Pseudonym, has_content_coding};

use crate::body::RelayRequestBody;
use crate::incremental;
use crate::media::Kind;
use crate::refusal::Refusal;
use crate::route::Route;
use crate::under_way::UnderWay;

/// Checks a client's request and turns it into the one for the gateway; also returns its kind.
///
/// The result is a new request and not the old one with some fields removed: what is not named
/// here does not pass, extensions and the HTTP version included.
pub(crate) fn outgoing<B: Body>(
    request: Request<B>,
    route: &Route,
    pseudonym: &Pseudonym,
    limit: u64,
    under_way: UnderWay,
) -> Result<(Request<RelayRequestBody<B>>, Kind), Refusal> {
    let (mut head, body) = request.into_parts();
    if head.method != Method::POST {
        return Err(Refusal::Method { keys: route.keys.is_some() });
    }
    if pseudonym.count_in(&head.headers) > 0 {
        return Err(Refusal::Loop);
    }
    let kind = route.media.of_request(&head.headers).ok_or(Refusal::MediaType)?;
    if has_content_coding(&head.headers) {
        return Err(Refusal::ContentCoding);
    }
    if announced_length(&head.headers).max(body.size_hint().lower()) > limit {
        return Err(Refusal::TooLarge);
    }
    let incremental = incremental::is_set(&head.headers);
    let mut outgoing = Request::new(RelayRequestBody::new(body, limit, under_way));
    *outgoing.method_mut() = Method::POST;
    *outgoing.uri_mut() = route.destination().clone();
    // Emptied, only for its memory.
    head.headers.clear();
    *outgoing.headers_mut() = head.headers;
    let headers = outgoing.headers_mut();
    headers.insert(CONTENT_TYPE, route.media.request_type(kind));
    // Nothing of the client's `Via` passes.
    headers.insert(VIA, pseudonym.value());
    if incremental {
        incremental::set(headers);
    }
    if let Some(authorization) = &route.authorization {
        headers.insert(AUTHORIZATION, authorization.value().ok_or(Refusal::NoCredential)?);
    }
    Ok((outgoing, kind))
}

/// The length that the client announced; 0 if it announced none, or none that can be understood.
/// What arrives is counted in any case.
fn announced_length(headers: &HeaderMap) -> u64 {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}
