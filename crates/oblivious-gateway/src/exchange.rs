//! One exchange, from the encapsulated request to the encapsulated response.

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, header};
use http_body::Body;
use oblivious_bhttp::{
    Content, EncodeError, Framing, Padding, encode_response_into, encoded_response_len,
};
use oblivious_hpke::{Reply, SealError};
use oblivious_service::{
    BoxError, Clock, CollectError, FullBody, MediaType, SystemClock, collect, media_type,
};
use tower_service::Service;
use tracing::debug;

use crate::{
    GatewayBody,
    answer::answer,
    keys::unix_seconds,
    layer::Config,
    refusal::{InnerRefusal, OuterRefusal},
};

/// Serves a request: what goes wrong before it is decapsulated is answered in clear, everything
/// after encapsulated (RFC 9458 §5.2).
pub(crate) async fn serve<S, B, T>(
    config: &Config,
    target: S,
    request: Request<B>,
) -> Response<FullBody>
where
    S: Service<Request<GatewayBody>, Response = Response<T>>,
    B: Body,
    B::Error: Into<BoxError>,
    T: Body,
    T::Error: Into<BoxError>,
{
    let outcome = match decapsulate(config, request).await {
        Ok((message, reply)) => {
            let key_id = reply.header().key_id;
            let answer = answer(config, target, message).await;
            debug!(key_id, status = answer.status().as_u16(), "request answered");
            encapsulate(reply, answer, &config.padding)
        }
        Err(refusal) => Err(refusal),
    };
    outcome.unwrap_or_else(|refusal| {
        debug!(?refusal, "request refused");
        refusal.into_response()
    })
}

async fn decapsulate<B>(
    config: &Config,
    request: Request<B>,
) -> Result<(Bytes, Reply), OuterRefusal>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    if request.method() != Method::POST {
        return Err(OuterRefusal::Method);
    }
    if media_type(request.headers()) != Some(MediaType::OhttpRequest) {
        return Err(OuterRefusal::MediaType);
    }
    let collecting = collect(request.into_body(), config.body_limit);
    let collected = match &config.request_timeout {
        Some(timeout) => timeout.run(collecting).await.map_err(|_| OuterRefusal::TooSlow)?,
        None => collecting.await,
    };
    let body = collected.map_err(|error| match error {
        CollectError::TooLarge { .. } => OuterRefusal::TooLarge,
        _ => OuterRefusal::BodyFailed,
    })?;
    let now = unix_seconds(SystemClock.now());
    let (message, reply) = config.keys.current().ring().at(now).decapsulate(body.data)?;
    Ok((message.freeze(), reply))
}

/// Writes the answer as binary HTTP and seals it, in one buffer.
fn encapsulate(
    reply: Reply,
    answer: Response<Content>,
    padding: &Padding,
) -> Result<Response<FullBody>, OuterRefusal> {
    // The length is known exactly beforehand, and with it whether binary HTTP can hold the answer.
    let (answer, length) = match encoded_response_len(&answer, FRAMING, padding) {
        Ok(length) => (answer, length),
        Err(_) => {
            let refusal = InnerRefusal::TargetInvalid.into_response();
            let length = encoded_response_len(&refusal, FRAMING, padding).unwrap_or(0);
            (refusal, length)
        }
    };
    let mut sealed = BytesMut::with_capacity(length + reply.overhead());
    reply
        .seal_into(&mut sealed, |out| {
            encode_response_into(&answer, FRAMING, padding, out).map_err(SealFailed::from)
        })
        .map_err(|SealFailed| OuterRefusal::CannotSeal)?;

    let mut response = Response::new(FullBody::from(sealed));
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static(MediaType::OhttpResponse.as_str());
    headers.insert(header::CONTENT_TYPE, content_type);
    // RFC 9458 §6.5.2: an answer is for the request that it was sealed to, and for no other.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A whole message has known lengths.
const FRAMING: Framing = Framing::KnownLength;

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
