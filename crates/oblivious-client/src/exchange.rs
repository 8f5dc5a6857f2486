//! One exchange, from a request to its response.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use oblivious_bhttp::{Content, EncodableRequest, decode_response};
use oblivious_hpke::PendingResponse;
use oblivious_service::{
    BoxError, Clock, CollectError, FullBody, MediaType, Payload, Problem, collect,
    expects_continue, has_content_coding, media_type,
};
use tower_service::Service;

use crate::{ClientError, config::Config};

/// More of an answer that is not encapsulated is not read.
const MAX_PROBLEM: usize = 16 << 10;

/// Sends a request and opens its response.
pub(crate) async fn send<S, B, R>(
    config: &Config,
    http_client: S,
    request: Request<B>,
) -> Result<Response<Content>, ClientError>
where
    S: Service<Request<FullBody>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Body,
    B::Error: Into<BoxError>,
    R: Body,
    R::Error: Into<BoxError>,
{
    let request = prepare(config, request).await?;
    let (outer, pending) = encapsulate(config, &request)?;
    let is_response = |headers: &HeaderMap| media_type(headers) == Some(MediaType::OhttpResponse);
    let sealed = exchange(config, http_client, outer, is_response).await?;
    let opened = pending.open(sealed)?;
    let method = request.get_ref().method();
    Ok(decode_response(opened.freeze(), method, &config.decode_options)?)
}

/// Sends a request that is no binary HTTP, and opens its response.
pub(crate) async fn send_payload<S, R>(
    config: &Config,
    payload: &Payload,
    http_client: S,
    request: &[u8],
) -> Result<Bytes, ClientError>
where
    S: Service<Request<FullBody>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body,
    R::Error: Into<BoxError>,
{
    if request.len() > config.request_limit {
        return Err(ClientError::RequestTooLarge { limit: config.request_limit });
    }
    let (sealed, pending) = config.recipient.current().encapsulate(request)?;
    let outer = outer(config, FullBody::from(sealed), payload.request().clone());
    let is_response = |headers: &HeaderMap| payload.is_response(headers);
    let sealed = exchange(config, http_client, outer, is_response).await?;
    Ok(pending.open(sealed)?.freeze())
}

/// Reads the request's body and makes its header fit to be encapsulated.
async fn prepare<B>(config: &Config, request: Request<B>) -> Result<EncodableRequest, ClientError>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let (mut parts, body) = request.into_parts();
    // RFC 9458 §5.1: such a request could only wait in vain.
    if expects_continue(&parts.headers) {
        return Err(ClientError::ExpectContinue);
    }
    // RFC 9458 §6.5.1
    if let Some(clock) = &config.clock
        && !parts.headers.contains_key(header::DATE)
    {
        let date = httpdate::fmt_http_date(clock.now());
        let date = HeaderValue::try_from(date).expect("a date is a field value");
        parts.headers.insert(header::DATE, date);
    }
    let collected = collect(body, config.request_limit).await.map_err(|error| match error {
        CollectError::TooLarge { limit } => ClientError::RequestTooLarge { limit },
        CollectError::Body(error) => ClientError::RequestBody(error),
        other => ClientError::RequestBody(other.into()),
    })?;
    let content = Content { data: collected.data.freeze(), trailers: collected.trailers };
    let request = Request::from_parts(parts, content);
    Ok(EncodableRequest::new(request, &config.encode_options)?)
}

/// Writes the request as binary HTTP and seals it, in one buffer; a new HPKE context for every
/// request (RFC 9458 §6.1).
fn encapsulate(
    config: &Config,
    request: &EncodableRequest,
) -> Result<(Request<FullBody>, PendingResponse), ClientError> {
    let recipient = config.recipient.current();
    let mut sealed = BytesMut::with_capacity(request.encoded_len() + recipient.overhead());
    let pending = recipient.encapsulate_into(&mut sealed, |out| {
        request.encode_into(out);
        Ok::<_, ClientError>(())
    })?;
    let content_type = HeaderValue::from_static(MediaType::OhttpRequest.as_str());
    Ok((outer(config, FullBody::from(sealed), content_type), pending))
}

/// The request to the relay.
fn outer(config: &Config, sealed: FullBody, content_type: HeaderValue) -> Request<FullBody> {
    let mut outer = Request::new(sealed);
    *outer.method_mut() = Method::POST;
    *outer.uri_mut() = config.relay.clone();
    outer.headers_mut().insert(header::CONTENT_TYPE, content_type);
    outer
}

/// Posts the encapsulated request and reads the encapsulated response, in the time that there is.
async fn exchange<S, R>(
    config: &Config,
    mut http_client: S,
    outer: Request<FullBody>,
    is_response: impl Fn(&HeaderMap) -> bool,
) -> Result<BytesMut, ClientError>
where
    S: Service<Request<FullBody>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body,
    R::Error: Into<BoxError>,
{
    let exchanging = async {
        let response =
            http_client.call(outer).await.map_err(|error| ClientError::Relay(error.into()))?;
        let (parts, body) = response.into_parts();
        let encapsulated = parts.status == StatusCode::OK
            && is_response(&parts.headers)
            && !has_content_coding(&parts.headers);
        if !encapsulated {
            return Err(not_encapsulated(parts.status, media_type(&parts.headers), body).await);
        }
        match collect(body, config.response_limit).await {
            Ok(collected) => Ok(collected.data),
            Err(CollectError::TooLarge { limit }) => Err(ClientError::ResponseTooLarge { limit }),
            Err(CollectError::Body(error)) => Err(ClientError::Relay(error)),
            Err(other) => Err(ClientError::Relay(other.into())),
        }
    };
    match &config.timeout {
        Some(timeout) => timeout.run(exchanging).await.map_err(|_| ClientError::TimedOut)?,
        None => exchanging.await,
    }
}

/// What an answer outside of the encapsulation means (RFC 9458 §5.3): peers send the key's problem
/// with different statuses, so its type is the signal.
async fn not_encapsulated<R>(
    status: StatusCode,
    media_type: Option<MediaType>,
    body: R,
) -> ClientError
where
    R: Body,
    R::Error: Into<BoxError>,
{
    if status.is_client_error()
        && media_type == Some(MediaType::ProblemJson)
        && let Ok(document) = collect(body, MAX_PROBLEM).await
        && Problem::parse(&document.data) == Some(Problem::OhttpKey)
    {
        return ClientError::KeyRejected;
    }
    ClientError::NotEncapsulated { status }
}
