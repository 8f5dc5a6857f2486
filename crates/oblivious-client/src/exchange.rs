//! One request, from the caller to the answer.

use std::future::poll_fn;

use bytes::Bytes;
use http::{Request, Response, request};
use oblivious_bhttp::{Content, EncodableRequest, Informational};
use oblivious_service::{BoxError, Payload, SendBody};
use tower_service::Service;

use crate::{
    ClientBody, ClientBodyError, ClientError, Gateway, OnInformational,
    body::Peeked,
    chunked,
    config::Config,
    date::{self, Correction, Sent},
    keys::{InUse, Refresh},
    outer::OuterBody,
    rules, whole,
};

/// The longest refusal of a date, in bytes.
const MAX_PROBLEM: usize = 16 << 10;

/// Sends a request and opens its response.
pub(crate) async fn send<S, B, R>(
    config: &Config,
    http_client: S,
    request: Request<B>,
) -> Result<Response<ClientBody>, ClientError>
where
    S: Service<Request<OuterBody>, Response = Response<R>, Error: Into<BoxError>> + Clone,
    B: SendBody,
    R: SendBody,
{
    let gateway = config.gateway_for(request.uri())?;
    let (mut parts, body) = request.into_parts();
    rules::apply(config, &mut parts.headers)?;
    let early = parts.extensions.remove::<OnInformational>();
    let early = early.as_ref();
    match config.in_chunks {
        true => in_chunks(config, gateway, http_client, parts, body, early).await,
        false => as_whole(config, gateway, http_client, parts, body, early).await,
    }
}

/// Sends a request that is not binary HTTP, and opens its response.
pub(crate) async fn send_payload<S, R>(
    config: &Config,
    payload: &Payload,
    http_client: S,
    request: &[u8],
) -> Result<Bytes, ClientError>
where
    S: Service<Request<OuterBody>, Response = Response<R>, Error: Into<BoxError>>,
    R: SendBody,
{
    if request.len() > config.request_limit {
        return Err(ClientError::RequestTooLarge { limit: config.request_limit });
    }
    // Such a client always has a gateway, and these requests name no targets.
    let gateway = config.gateways.first().ok_or(ClientError::NoGateway)?;
    let keys = keys(gateway).await?;
    let recipient = &keys.current.recipient;
    let exchange =
        whole::exchange_payload(config, gateway, recipient, payload, http_client, request);
    noting(gateway, &keys, exchange).await
}

async fn as_whole<S, B, R>(
    config: &Config,
    gateway: &Gateway,
    http_client: S,
    parts: request::Parts,
    body: B,
    early: Option<&OnInformational>,
) -> Result<Response<ClientBody>, ClientError>
where
    S: Service<Request<OuterBody>, Response = Response<R>, Error: Into<BoxError>> + Clone,
    B: SendBody,
    R: SendBody,
{
    let content = whole::read(config, body).await?;
    let request = Request::from_parts(parts, content);
    let again = http_client.clone();
    let (mut response, request, sent) =
        one_whole(config, gateway, http_client, request, None).await?;
    if let Some(correction) = date::correction(config, sent, &response) {
        let again = ready(again).await?;
        (response, ..) = one_whole(config, gateway, again, request, Some(correction)).await?;
    }
    if let Some(early) = early
        && let Some(Informational(responses)) = response.extensions_mut().remove()
    {
        responses.into_iter().for_each(|response| early.give(response));
    }
    Ok(response.map(ClientBody::whole))
}

async fn in_chunks<S, B, R>(
    config: &Config,
    gateway: &Gateway,
    http_client: S,
    parts: request::Parts,
    body: B,
    early: Option<&OnInformational>,
) -> Result<Response<ClientBody>, ClientError>
where
    S: Service<Request<OuterBody>, Response = Response<R>, Error: Into<BoxError>> + Clone,
    B: SendBody,
    R: SendBody,
{
    // What has been sent cannot be recovered, unless there was no content.
    let again = body.is_end_stream().then(|| (http_client.clone(), repeated(&parts)));
    let request = Request::from_parts(parts, body);
    let (response, sent) =
        one_in_chunks(config, gateway, http_client, request, None, early).await?;
    let Some((again, request)) = again.filter(|_| response.status().is_client_error()) else {
        return Ok(response);
    };
    let (parts, body) = response.into_parts();
    let content = match body.peek(MAX_PROBLEM).await.map_err(broke_off)? {
        Peeked::All(content) => content,
        Peeked::Rest(body) => return Ok(Response::from_parts(parts, body)),
    };
    let response = Response::from_parts(parts, content);
    let correction = date::correction(config, sent, &response);
    if correction.is_none() {
        return Ok(response.map(ClientBody::whole));
    }
    let again = ready(again).await?;
    let (response, _) = one_in_chunks(config, gateway, again, request, correction, early).await?;
    Ok(response)
}

/// One exchange, dated and sealed afresh once there are keys. Gives the request back.
async fn one_whole<S, R>(
    config: &Config,
    gateway: &Gateway,
    http_client: S,
    mut request: Request<Content>,
    correction: Option<Correction>,
) -> Result<(Response<Content>, Request<Content>, Option<Sent>), ClientError>
where
    S: Service<Request<OuterBody>, Response = Response<R>, Error: Into<BoxError>>,
    R: SendBody,
{
    let keys = keys(gateway).await?;
    let sent = date::set(config, request.headers_mut(), correction);
    let request = EncodableRequest::new(request, &config.encode_options)?;
    let recipient = &keys.current.recipient;
    let exchange = whole::exchange(config, gateway, recipient, http_client, &request);
    let response = noting(gateway, &keys, exchange).await?;
    Ok((response, request.into_inner(), sent))
}

/// One exchange, dated and sealed afresh once there are keys.
async fn one_in_chunks<S, B, R>(
    config: &Config,
    gateway: &Gateway,
    http_client: S,
    mut request: Request<B>,
    correction: Option<Correction>,
    early: Option<&OnInformational>,
) -> Result<(Response<ClientBody>, Option<Sent>), ClientError>
where
    S: Service<Request<OuterBody>, Response = Response<R>, Error: Into<BoxError>>,
    B: SendBody,
    R: SendBody,
{
    let keys = keys(gateway).await?;
    let sent = date::set(config, request.headers_mut(), correction);
    let recipient = &keys.current.recipient;
    let exchange = chunked::exchange(config, gateway, recipient, http_client, request, early);
    Ok((noting(gateway, &keys, exchange).await?, sent))
}

/// The same request, without content.
fn repeated(parts: &request::Parts) -> Request<Content> {
    let mut request = Request::new(Content::default());
    *request.method_mut() = parts.method.clone();
    *request.uri_mut() = parts.uri.clone();
    *request.headers_mut() = parts.headers.clone();
    request
}

async fn keys(gateway: &Gateway) -> Result<InUse, ClientError> {
    gateway.keys.in_use().await.map_err(ClientError::Keys)
}

/// Does an exchange with keys of the gateway, and notes if they seem to be stale.
async fn noting<T>(
    gateway: &Gateway,
    InUse { current, refresh }: &InUse,
    exchange: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    let outcome = Refresh::beside(refresh.clone(), exchange).await;
    // RFC 9458 §5.3
    if let Err(ClientError::KeyRejected | ClientError::NotEncapsulated { .. }) = &outcome {
        gateway.keys.note_stale(current);
    }
    outcome
}

/// The answer to a request without content, as far as it was read.
fn broke_off(error: ClientBodyError) -> ClientError {
    match error {
        ClientBodyError::Relay(error) => ClientError::Relay(error),
        ClientBodyError::Open(error) => error.into(),
        ClientBodyError::Invalid(error) => error.into(),
        ClientBodyError::TimedOut => ClientError::TimedOut,
    }
}

async fn ready<S, R>(mut http_client: S) -> Result<S, ClientError>
where
    S: Service<Request<OuterBody>, Response = Response<R>, Error: Into<BoxError>>,
{
    let ready = poll_fn(|cx| http_client.poll_ready(cx)).await;
    ready.map_err(|error| ClientError::Relay(error.into()))?;
    Ok(http_client)
}
