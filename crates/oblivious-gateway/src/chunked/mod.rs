//! Exchanges in chunks (draft-ietf-ohai-chunked-ohttp): both messages stream, and memory is bounded
//! by a chunk, whatever the length of the messages.

mod any_body;
mod deadline;
mod idle;
mod request;
mod response;
mod target_time;

use std::sync::Arc;

use bytes::BytesMut;
use http::{HeaderName, HeaderValue, Method, Response, header};
use http_body::Body;
use oblivious_bhttp::read_request;
use oblivious_service::{BoxError, MediaType, Sleep, Timeout};
use tower_service::Service;
use tracing::Instrument;

use crate::{
    EncapsulatedBody, GatewayBody, InformationalSender,
    admit::{Opened, admit, call},
    concurrency::Permit,
    config::Config,
    nesting::Hops,
    observe::{Exchange, Stage, Stopwatch},
    refusal::{Fault, InnerRefusal, OuterRefusal, RequestFault},
};

use any_body::{AnyBody, any_body};
use deadline::until;
pub(crate) use request::OpenedRequest;
pub(crate) use response::ChunkedAnswer;
use response::{Asked, Settings};
pub(crate) use target_time::Renewal;
use target_time::TargetTime;

const INCREMENTAL: HeaderName = HeaderName::from_static("incremental");

/// Serves a request in chunks. The response begins once the first chunk has been opened: all that
/// can go wrong later is told inside, or breaks it off.
pub(crate) async fn serve<S, B, T>(
    config: Arc<Config>,
    target: S,
    body: B,
    hops: Hops,
    exchange: &Arc<Exchange>,
    permit: Permit,
) -> Result<Response<EncapsulatedBody>, OuterRefusal>
where
    S: Service<http::Request<GatewayBody>, Response = Response<T>> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
    T: Body + Send + 'static,
    T::Data: Send,
    T::Error: Into<BoxError>,
{
    let mut deadline = config.exchange_timeout.as_ref().map(Timeout::start);
    let mut stopwatch = Stopwatch::start();
    let starting = async {
        let starting = OpenedRequest::start(any_body(body), &config);
        match &config.request_timeout {
            Some(timeout) => timeout.run(starting).await.map_err(|_| OuterRefusal::TooSlow)?,
            None => starting.await,
        }
    };
    let started = until(&mut deadline, starting).await;
    let (opened, reply) = started.ok_or(OuterRefusal::TooSlow)??;
    stopwatch.end(Stage::Receive);
    exchange.decapsulated(reply.header().key_id);

    let (header, enc) = (reply.header(), reply.enc().to_vec());
    let mut out = BytesMut::new();
    let sealer =
        reply.start(&mut out, &config.chunk_limits).map_err(|_| OuterRefusal::CannotSeal)?;
    let informational = InformationalSender::default();
    let asking = {
        let (config, informational) = (Arc::clone(&config), informational.clone());
        async move {
            let identity = Opened { header, enc: &enc, hops };
            ask(&config, target, opened, identity, informational, stopwatch, deadline).await
        }
    };
    let answer = ChunkedAnswer::new(
        Box::pin(asking.instrument(exchange.span())),
        informational,
        sealer,
        out,
        Settings {
            padding: config.encode_options.padding.clone(),
            limit: config.stream_limit,
            idle: config.idle_timeout.clone(),
        },
        Arc::clone(exchange),
        permit,
    );

    let mut response = Response::new(EncapsulatedBody::from(answer));
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static(MediaType::OhttpChunkedResponse.as_str());
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // RFC 10036: whoever passes this on should not wait for its end.
    headers.insert(INCREMENTAL, HeaderValue::from_static("?1"));
    Ok(response)
}

/// The target's answer to a request whose first chunk has been opened, or the gateway's own.
async fn ask<S, T>(
    config: &Config,
    target: S,
    opened: OpenedRequest,
    identity: Opened<'_>,
    informational: InformationalSender,
    stopwatch: Stopwatch,
    mut deadline: Option<Sleep>,
) -> Asked
where
    S: Service<http::Request<GatewayBody>, Response = Response<T>>,
    S::Error: Into<BoxError>,
    T: Body + Send + 'static,
    T::Data: Send,
    T::Error: Into<BoxError>,
{
    let mut is_head = false;
    let asking =
        ask_target(config, target, opened, identity, informational, stopwatch, &mut is_head);
    let answer = until(&mut deadline, asking).await;
    Asked { answer: answer.unwrap_or(Err(InnerRefusal::TargetTooSlow)), is_head, deadline }
}

async fn ask_target<S, T>(
    config: &Config,
    target: S,
    opened: OpenedRequest,
    identity: Opened<'_>,
    informational: InformationalSender,
    mut stopwatch: Stopwatch,
    is_head: &mut bool,
) -> Result<Response<AnyBody>, InnerRefusal>
where
    S: Service<http::Request<GatewayBody>, Response = Response<T>>,
    S::Error: Into<BoxError>,
    T: Body + Send + 'static,
    T::Data: Send,
    T::Error: Into<BoxError>,
{
    let fault = Fault::default();
    let time = config.target_timeout.clone().map(TargetTime::new);
    let renewal = time.as_ref().map(TargetTime::renewal).unwrap_or_default();
    let request = read_request(opened, &config.decode_options(config.stream_limit))
        .await
        .map_err(|error| InnerRefusal::from(RequestFault::from(error)))?;
    *is_head = request.method() == Method::HEAD;
    let mut request = admit(config, identity, request)
        .await?
        .map(|message| GatewayBody::streamed(message, fault.clone(), renewal));
    request.extensions_mut().insert(informational);
    stopwatch.end(Stage::Admit);
    let calling = call(target, request);
    let answered = match time {
        Some(time) => time.run(calling).await.unwrap_or(Err(InnerRefusal::TargetTooSlow)),
        None => calling.await,
    };
    stopwatch.end(Stage::Target);
    // A target that failed because the request did is not to blame.
    let response = answered.map_err(|refusal| fault.noted().map_or(refusal, InnerRefusal::from))?;
    Ok(response.map(any_body))
}
