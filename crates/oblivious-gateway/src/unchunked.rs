//! Exchanges of whole messages (RFC 9458 §4.3 and §4.4).

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, header};
use http_body::Body;
use oblivious_bhttp::{Content, EncodableResponse, Informational, decode_request};
use oblivious_hpke::{Reply, SealError};
use oblivious_service::{BoxError, CollectError, FullBody, MediaType, collect};
use tower_service::Service;

use crate::{
    GatewayBody, InformationalSender, TargetError,
    admit::{Opened, admit, call},
    config::Config,
    nesting::Hops,
    observe::{Exchange, Stage, Stopwatch},
    refusal::{InnerRefusal, OuterRefusal, RequestFault},
};

/// Serves a whole request: everything after its decapsulation is answered inside.
pub(crate) async fn serve<S, B, T>(
    config: &Config,
    target: S,
    body: B,
    hops: Hops,
    exchange: &Exchange,
) -> Result<Response<FullBody>, OuterRefusal>
where
    S: Service<Request<GatewayBody>, Response = Response<T>>,
    S::Error: Into<BoxError>,
    B: Body,
    B::Error: Into<BoxError>,
    T: Body,
    T::Error: Into<BoxError>,
{
    let mut stopwatch = Stopwatch::start();
    let received = receive(config, body).await?;
    stopwatch.end(Stage::Receive);
    let (message, reply) = config.keys.current().ring().at(config.now()).decapsulate(received)?;
    stopwatch.end(Stage::Decapsulate);
    exchange.decapsulated(reply.header().key_id);

    let opened = Opened { header: reply.header(), enc: reply.enc(), hops };
    let answer = answer(config, target, opened, message.freeze(), exchange, &mut stopwatch).await;
    let sealed = answer.and_then(|answer| encapsulate(reply, &answer));
    stopwatch.end(Stage::Encapsulate);
    sealed
}

pub(crate) async fn receive<B>(config: &Config, body: B) -> Result<BytesMut, OuterRefusal>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let collecting = collect(body, config.body_limit);
    let collected = match &config.request_timeout {
        Some(timeout) => timeout.run(collecting).await.map_err(|_| OuterRefusal::TooSlow)?,
        None => collecting.await,
    };
    match collected {
        Ok(collected) => Ok(collected.data),
        Err(CollectError::TooLarge { .. }) => Err(OuterRefusal::TooLarge),
        Err(_) => Err(OuterRefusal::BodyFailed),
    }
}

/// The target's answer to a decapsulated message, or the gateway's own, ready to be encoded.
async fn answer<S, T>(
    config: &Config,
    target: S,
    opened: Opened<'_>,
    message: Bytes,
    exchange: &Exchange,
    stopwatch: &mut Stopwatch,
) -> Result<EncodableResponse, OuterRefusal>
where
    S: Service<Request<GatewayBody>, Response = Response<T>>,
    S::Error: Into<BoxError>,
    T: Body,
    T::Error: Into<BoxError>,
{
    let mut is_head = false;
    let admitting = async {
        let request = decode_request(message, &config.decode_options(config.body_limit as u64))
            .map_err(|error| InnerRefusal::from(RequestFault::from(error)))?;
        is_head = request.method() == Method::HEAD;
        admit(config, opened, request).await
    };
    let admitted = admitting.await;
    stopwatch.end(Stage::Admit);
    let answer = match admitted {
        Ok(request) => {
            let answer = ask(config, target, request.map(GatewayBody::whole)).await;
            stopwatch.end(Stage::Target);
            answer.and_then(|answer| encodable(config, answer, is_head))
        }
        Err(refusal) => Err(refusal),
    };
    exchange.answered(answer.as_ref().map(|answer| answer.get_ref().status()));
    answer
        .or_else(|refusal| encodable(config, refusal.into_response(), is_head))
        .map_err(|_| OuterRefusal::CannotSeal)
}

/// Calls the target and reads its whole response, within the time limit.
async fn ask<S, T>(
    config: &Config,
    target: S,
    mut request: Request<GatewayBody>,
) -> Result<Response<Content>, InnerRefusal>
where
    S: Service<Request<GatewayBody>, Response = Response<T>>,
    S::Error: Into<BoxError>,
    T: Body,
    T::Error: Into<BoxError>,
{
    let informational = InformationalSender::default();
    request.extensions_mut().insert(informational.clone());
    let asking = async {
        let (parts, body) = call(target, request).await?.into_parts();
        let collected =
            collect(body, config.response_limit).await.map_err(|error| match error {
                CollectError::TooLarge { .. } => InnerRefusal::TargetTooLarge,
                error => InnerRefusal::Target(TargetError::of(&error)),
            })?;
        let content = Content { data: collected.data.freeze(), trailers: collected.trailers };
        Ok::<_, InnerRefusal>(Response::from_parts(parts, content))
    };
    let mut response = match &config.target_timeout {
        Some(timeout) => timeout.run(asking).await.map_err(|_| InnerRefusal::TargetTooSlow)??,
        None => asking.await?,
    };
    let informational = informational.take();
    if !informational.is_empty() {
        response.extensions_mut().insert(Informational(informational));
    }
    Ok(response)
}

/// Makes an answer ready to be encoded. Binary HTTP cannot hold all of them: not one with the
/// status 999.
fn encodable(
    config: &Config,
    mut answer: Response<Content>,
    is_head: bool,
) -> Result<EncodableResponse, InnerRefusal> {
    if is_head {
        // RFC 9110 §9.3.2: no content in answer to HEAD, whatever the target service returned.
        *answer.body_mut() = Content::default();
    }
    EncodableResponse::new(answer, &config.encode_options)
        .map_err(|_| InnerRefusal::Target(TargetError::InvalidResponse))
}

/// Writes the answer as binary HTTP and seals it, in one buffer.
fn encapsulate(
    reply: Reply,
    answer: &EncodableResponse,
) -> Result<Response<FullBody>, OuterRefusal> {
    let mut sealed = BytesMut::with_capacity(answer.encoded_len() + reply.overhead());
    let encode = |out: &mut BytesMut| {
        answer.encode_into(out);
        Ok::<_, SealError>(())
    };
    reply.seal_into(&mut sealed, encode).map_err(|_| OuterRefusal::CannotSeal)?;

    let mut response = Response::new(FullBody::from(sealed));
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static(MediaType::OhttpResponse.as_str());
    headers.insert(header::CONTENT_TYPE, content_type);
    // RFC 9458 §6.5.2: an answer is for the request that it was sealed to, and for no other.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
