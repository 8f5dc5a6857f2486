//! Exchanges of whole messages (RFC 9458 §4.3 and §4.4).

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use oblivious_bhttp::{Content, EncodableRequest, decode_response};
use oblivious_hpke::{PendingResponse, Recipient};
use oblivious_service::{
    BoxError, CollectError, MediaType, Payload, SendBody, collect, media_type,
};
use tower_service::Service;

use crate::{
    ClientError, Gateway,
    config::Config,
    outer::{self, OuterBody},
};

/// Reads the body of a request.
pub(crate) async fn read(config: &Config, body: impl SendBody) -> Result<Content, ClientError> {
    collect(body, config.request_limit).await.map_err(|error| match error {
        CollectError::TooLarge { limit } => ClientError::RequestTooLarge { limit },
        CollectError::Body(error) => ClientError::RequestBody(error),
        other => ClientError::RequestBody(other.into()),
    })
}

/// Sends a request and opens its response.
pub(crate) async fn exchange<S, R>(
    config: &Config,
    gateway: &Gateway,
    recipient: &Recipient,
    http_client: S,
    request: &EncodableRequest,
) -> Result<Response<Content>, ClientError>
where
    S: Service<Request<OuterBody>, Response = Response<R>, Error: Into<BoxError>>,
    R: SendBody,
{
    let (sealed, pending) = encapsulate(recipient, request)?;
    let content_type = HeaderValue::from_static(MediaType::OhttpRequest.as_str());
    let outer = outer::request(config, gateway, content_type, Content::from(sealed).into());
    let is_response = |headers: &HeaderMap| media_type(headers) == Some(MediaType::OhttpResponse);
    let sealed = post(config, http_client, outer, is_response).await?;
    let opened = pending.open(sealed)?;
    tracing::debug!(bytes = opened.len(), "the response is opened");
    Ok(decode_response(opened.freeze(), request.get_ref().method(), &config.decode_options)?)
}

/// Sends a request that is not binary HTTP, and opens its response.
pub(crate) async fn exchange_payload<S, R>(
    config: &Config,
    gateway: &Gateway,
    recipient: &Recipient,
    payload: &Payload,
    http_client: S,
    request: &[u8],
) -> Result<Bytes, ClientError>
where
    S: Service<Request<OuterBody>, Response = Response<R>, Error: Into<BoxError>>,
    R: SendBody,
{
    let (sealed, pending) = recipient.encapsulate(request)?;
    let body = Content::from(sealed).into();
    let outer = outer::request(config, gateway, payload.request().clone(), body);
    let is_response = |headers: &HeaderMap| payload.is_response(headers);
    let sealed = post(config, http_client, outer, is_response).await?;
    Ok(pending.open(sealed)?.freeze())
}

/// Writes the request as binary HTTP and seals it, in one buffer; a new HPKE context for every
/// request (RFC 9458 §6.1).
fn encapsulate(
    recipient: &Recipient,
    request: &EncodableRequest,
) -> Result<(BytesMut, PendingResponse), ClientError> {
    let mut sealed = BytesMut::with_capacity(request.encoded_len() + recipient.overhead());
    let pending = recipient.encapsulate_into(&mut sealed, |out| {
        request.encode_into(out);
        Ok::<_, ClientError>(())
    })?;
    tracing::debug!(bytes = sealed.len(), "the request is sealed");
    Ok((sealed, pending))
}

/// Posts the encapsulated request and reads the encapsulated response, within the time limit.
async fn post<S, R>(
    config: &Config,
    mut http_client: S,
    outer: Request<OuterBody>,
    is_response: impl Fn(&HeaderMap) -> bool,
) -> Result<BytesMut, ClientError>
where
    S: Service<Request<OuterBody>, Response = Response<R>, Error: Into<BoxError>>,
    R: SendBody,
{
    let exchanging = async {
        let response =
            http_client.call(outer).await.map_err(|error| ClientError::Relay(error.into()))?;
        let (parts, body) = response.into_parts();
        if !outer::is_encapsulated(parts.status, &parts.headers, is_response) {
            return Err(outer::not_encapsulated(parts.status, &parts.headers, body).await);
        }
        match collect(body, config.response_limit).await {
            Ok(content) => Ok(content.data.into()),
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
