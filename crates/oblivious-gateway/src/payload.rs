//! Exchanges that carry something other than binary HTTP (RFC 9458 §4.6): whole messages, whose
//! bytes only the target service reads and writes.

use std::future::poll_fn;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body::Body;
use oblivious_service::{BoxError, Content, Payload, has_content_coding};
use tower_service::Service;
use tracing::Instrument;

use crate::{
    EncapsulatedBody,
    admit::{Opened, guard},
    config::Config,
    nesting::Hops,
    observe::{Observer, Stage, Stopwatch},
    receive::receive,
    refusal::{InnerRefusal, OuterRefusal},
};

/// Serves a request. All errors are reported in clear: inside, only the target service can speak.
pub(crate) async fn serve<S, B>(
    config: &Config,
    payload: &Payload,
    target: S,
    request: Request<B>,
) -> Response<EncapsulatedBody>
where
    S: Service<Bytes, Response = Bytes>,
    B: Body,
    B::Error: Into<BoxError>,
{
    let observer = Observer::begin();
    let span = observer.span();
    let serving = async {
        let sealed = answer(config, payload, target, request, &observer).await;
        match &sealed {
            Ok(_) => observer.payload_answered(),
            Err(refusal) => observer.refused(*refusal),
        }
        sealed.unwrap_or_else(OuterRefusal::into_response).map(EncapsulatedBody::from)
    };
    serving.instrument(span).await
}

async fn answer<S, B>(
    config: &Config,
    payload: &Payload,
    mut target: S,
    request: Request<B>,
    observer: &Observer,
) -> Result<Response<Content>, OuterRefusal>
where
    S: Service<Bytes, Response = Bytes>,
    B: Body,
    B::Error: Into<BoxError>,
{
    if request.method() != Method::POST {
        return Err(OuterRefusal::Method);
    }
    if !payload.is_request(request.headers()) {
        return Err(OuterRefusal::PayloadType);
    }
    if has_content_coding(request.headers()) {
        return Err(OuterRefusal::ContentCoding);
    }
    let permit = config.concurrency.enter().ok_or(OuterRefusal::Busy)?;
    let mut stopwatch = Stopwatch::start();
    let received = receive(config, request.into_body()).await?;
    stopwatch.end(Stage::Receive);
    let (message, reply) = config.keys.current().ring().at(config.now()).decapsulate(received)?;
    stopwatch.end(Stage::Decapsulate);
    observer.decapsulated(reply.header().key_id);

    let opened = Opened { header: reply.header(), enc: reply.enc(), hops: Hops::default() };
    let guarded = guard(config, &opened, &HeaderMap::new()).await;
    stopwatch.end(Stage::Admit);
    guarded.map_err(OuterRefusal::Opened)?;
    let asking = async {
        poll_fn(|cx| target.poll_ready(cx)).await?;
        target.call(message.freeze()).await
    };
    let asked = match &config.target_timeout {
        Some(timeout) => timeout.run(asking).await.map_err(|_| InnerRefusal::TargetTooSlow),
        None => Ok(asking.await),
    };
    stopwatch.end(Stage::Target);
    // The error's text may reveal something about the request, so it is not used.
    let answer = asked.map_err(OuterRefusal::Opened)?.map_err(|_| OuterRefusal::PayloadFailed)?;
    let sealed = reply.seal(&answer).map_err(|_| OuterRefusal::CannotSeal)?;
    stopwatch.end(Stage::Encapsulate);

    let mut response = Response::new(Content::from(permit.held_by(sealed)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, payload.response().clone());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
