//! One exchange: a request that goes to the gateway, and the answer that comes back.

use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, VIA};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body::Body;
use oblivious_service::MediaType;
use oblivious_service::{BoxError, Pseudonym, Timeout, has_content_coding, media_type};
use tower_service::Service;

use crate::body::{RelayRequestBody, RelayResponseBody};
use crate::idle::{Fault, Idle, Progress};
use crate::response::{INCREMENTAL, Refusal, answer_to, filter, is_incremental};

/// Checks a client's request and makes of it the one for the gateway, with the type that it has.
///
/// The result is a new request and not the old one with some fields removed: what is not named
/// here does not pass, extensions and the HTTP version included.
pub(crate) fn outgoing<B: Body>(
    request: Request<B>,
    gateway: &Uri,
    pseudonym: &Pseudonym,
    limit: u64,
    progress: Progress,
) -> Result<(Request<RelayRequestBody<B>>, MediaType), Refusal> {
    let (head, body) = request.into_parts();
    if head.method != Method::POST {
        return Err(Refusal::Method);
    }
    if pseudonym.count_in(&head.headers) > 0 {
        return Err(Refusal::Loop);
    }
    let kind = media_type(&head.headers)
        .filter(|&kind| answer_to(kind).is_some())
        .ok_or(Refusal::MediaType)?;
    if has_content_coding(&head.headers) {
        return Err(Refusal::ContentCoding);
    }
    if announced_length(&head.headers).max(body.size_hint().lower()) > limit {
        return Err(Refusal::TooLarge);
    }
    let mut outgoing = Request::new(RelayRequestBody::new(body, limit, progress));
    *outgoing.method_mut() = Method::POST;
    *outgoing.uri_mut() = gateway.clone();
    outgoing.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind.as_str()));
    // Of the `Via` that the client sent, nothing passes.
    outgoing.headers_mut().insert(VIA, pseudonym.value());
    if is_incremental(&head.headers) {
        outgoing.headers_mut().insert(INCREMENTAL, HeaderValue::from_static("?1"));
    }
    Ok((outgoing, kind))
}

/// The length that the client announced; 0 when it did not, or in no way that can be understood.
/// What arrives is counted in any case.
fn announced_length(headers: &HeaderMap) -> u64 {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

/// Sends `request`, which is of the type `sent`, once, and makes of the gateway's answer the one
/// for the client.
pub(crate) async fn exchange<S, B, RB>(
    client: &mut S,
    request: Request<RelayRequestBody<B>>,
    sent: MediaType,
    limit: u64,
    timeout: Option<Timeout>,
    progress: Progress,
    path: &str,
) -> Result<Response<RelayResponseBody<RB>>, Refusal>
where
    S: Service<Request<RelayRequestBody<B>>, Response = Response<RB>>,
    S::Error: Into<BoxError>,
    RB: Body,
{
    let mut idle = Idle::new(timeout, progress);
    let mut call = pin!(client.call(request));
    let answer = poll_fn(|cx| {
        if let Poll::Ready(answer) = call.as_mut().poll(cx) {
            return Poll::Ready(Some(answer));
        }
        let elapsed = idle.poll_elapsed(cx);
        if idle.progress().fault().is_some() {
            // A gateway that got a part of a request has nothing to say worth waiting for.
            return Poll::Ready(None);
        }
        elapsed.map(|()| None)
    })
    .await;
    // When the body of the request failed, whatever the gateway says is said of a part of it.
    match idle.progress().fault() {
        Some(Fault::TooLarge) => return Err(Refusal::TooLarge),
        Some(Fault::Broken) => return Err(Refusal::BodyBroken),
        None => {}
    }
    match answer {
        Some(Ok(response)) => {
            idle.reset();
            filter(response, sent, limit, idle)
        }
        Some(Err(error)) => {
            let error = error.into();
            tracing::warn!(route = path, cause = %Chain(&*error), "request to the gateway failed");
            Err(Refusal::Unreachable)
        }
        None if idle.progress().is_awaiting_client() => Err(Refusal::ClientStalled),
        None => Err(Refusal::GatewayStalled),
    }
}

/// Shows an error with its causes, on one line.
struct Chain<'a>(&'a (dyn Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
