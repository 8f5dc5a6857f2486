//! Exchanges in chunks (draft-ietf-ohai-chunked-ohttp): both messages stream.

use std::future::poll_fn;

use bytes::BytesMut;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use oblivious_bhttp::{EncodedBody, Framing, ReadError, read_response};
use oblivious_hpke::{OpeningBody, OpeningError, PendingChunkedResponse, Recipient, SealingBody};
use oblivious_service::{BoxError, MediaType, SendBody, media_type};
use tower_service::Service;

use crate::{
    ClientBody, ClientError, Gateway, OnInformational,
    body::{Opened, OpenedError},
    config::Config,
    erased::{AnyBody, Erased},
    outer::{self, OuterBody},
    progress::{Download, Hold, Progress},
    upload::Upload,
};

/// Sends a request, and opens its response as far as its header.
pub(crate) async fn exchange<S, B, R>(
    config: &Config,
    gateway: &Gateway,
    recipient: &Recipient,
    mut http_client: S,
    request: Request<B>,
    early: Option<&OnInformational>,
) -> Result<Response<ClientBody>, ClientError>
where
    S: Service<Request<OuterBody>, Response = Response<R>, Error: Into<BoxError>>,
    B: SendBody,
    R: SendBody,
{
    let method = request.method().clone();
    let request = request.map(Erased::new);
    let options = config.encode_options.clone().with_framing(Framing::IndeterminateLength);
    let encoded = EncodedBody::from_request(request, &options)?;
    let mut prefix = BytesMut::new();
    let (sealer, pending) = recipient.start_chunked(&mut prefix, &config.chunk_limits)?;
    let progress = Progress::default();
    let hold = Hold::new(&progress);
    let upload = Upload::new(SealingBody::new(prefix, sealer, encoded), progress.clone());
    let content_type = HeaderValue::from_static(MediaType::OhttpChunkedRequest.as_str());
    let outer = outer::request(config, gateway, content_type, OuterBody::chunked(upload));

    let exchanging = async {
        let response =
            http_client.call(outer).await.map_err(|error| ClientError::Relay(error.into()))?;
        let opened = open(config, response, pending, &method, &progress, early).await?;
        let idle_timeout = config.idle_timeout.clone();
        Ok(opened.map(|body| ClientBody::chunked(body, idle_timeout, &progress, hold)))
    };
    let exchanging = progress.watch(config.idle_timeout.as_ref(), exchanging);
    let outcome = match &config.timeout {
        Some(timeout) => timeout.run(exchanging).await.map_err(|_| ClientError::TimedOut)?,
        None => exchanging.await,
    };
    // Without its end a request is incomplete, whatever is answered to it.
    progress.failure().map_or(outcome, Err)
}

/// Opens a response as far as its header.
async fn open(
    config: &Config,
    response: Response<impl SendBody>,
    pending: PendingChunkedResponse,
    method: &Method,
    progress: &Progress,
    early: Option<&OnInformational>,
) -> Result<Response<Opened>, ClientError> {
    let has_type =
        |headers: &HeaderMap| media_type(headers) == Some(MediaType::OhttpChunkedResponse);
    let (parts, body) = response.into_parts();
    if !outer::is_encapsulated(parts.status, &parts.headers, has_type) {
        return Err(outer::not_encapsulated(parts.status, &parts.headers, body).await);
    }
    progress.note();
    let sealed: AnyBody = Box::pin(Erased::new(body));
    let opening = OpeningBody::new(sealed, pending.open(&config.chunk_limits));
    let opened = Download { opening, progress: progress.clone() };
    let mut reading = read_response(opened, method, &config.decode_options);
    if let Some(early) = early {
        while let Some(response) = poll_fn(|cx| reading.poll_informational(cx)).await {
            early.give(response.map_err(head_error)?);
        }
    }
    let opened = reading.await.map_err(head_error)?;
    tracing::debug!("the response in chunks has begun");
    Ok(opened)
}

fn head_error(error: OpenedError) -> ClientError {
    match error {
        ReadError::Body(OpeningError::Body(error)) => ClientError::Relay(error),
        ReadError::Body(OpeningError::Chunk(error)) => error.into(),
        ReadError::Message(error) => error.into(),
        // Neither enum has more variants today.
        _ => ClientError::Relay("the response broke off".into()),
    }
}
