//! The client as a layer and a service.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Body;
use oblivious_bhttp::{Content, DecodeOptions, EncodeOptions, Padding};
use oblivious_hpke::Recipient;
use oblivious_service::{
    BinaryHttp, BoxError, Clock, FullBody, Live, Payload, ResponseFuture, SystemClock, Timeout,
};
use tower_layer::Layer;
use tower_service::Service;

use crate::{ClientError, config::Config, exchange};

/// The default of [`ClientLayer::request_limit`]: 16 MiB.
const DEFAULT_REQUEST_LIMIT: usize = 16 << 20;
/// The default of [`ClientLayer::response_limit`]: 64 MiB.
const DEFAULT_RESPONSE_LIMIT: usize = 64 << 20;

/// Sends requests through a relay to a gateway, by way of a service that can POST to the relay.
///
/// Without further settings it takes requests of 16 MiB and responses of 64 MiB, does not pad,
/// adds a `Date` to requests that have none, and sets no time limit: it needs a timer, which
/// the caller brings.
///
/// `P` is what the messages carry: binary HTTP, or a [`Payload`] of the caller's.
#[derive(Clone)]
pub struct ClientLayer<P = BinaryHttp> {
    config: Config,
    payload: P,
}

impl ClientLayer {
    /// A client that posts to `relay` what it seals to `recipient`.
    ///
    /// To exchange the gateway's key while the client is in use, keep a clone of the [`Live`]
    /// recipient and replace what is in it.
    pub fn new(relay: Uri, recipient: impl Into<Live<Recipient>>) -> Self {
        Self::with_payload(relay, recipient.into(), BinaryHttp)
    }

    /// Sets the clock for the `Date` that requests carry so that the gateway can refuse old ones
    /// (RFC 9458 §6.5.1).
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.config.clock = Some(Arc::new(clock));
        self
    }

    /// Adds no `Date` to requests. A gateway that guards against replay may refuse them.
    #[must_use]
    pub fn without_date(mut self) -> Self {
        self.config.clock = None;
        self
    }

    /// Sets how requests are padded, so that their length tells less about them
    /// (RFC 9458 §6.2.3).
    #[must_use]
    pub fn pad_requests(mut self, padding: Padding) -> Self {
        self.config.encode_options.padding = padding;
        self
    }

    /// Sets the limits, and the leniency, with which decapsulated responses are read.
    #[must_use]
    pub fn decode_options(mut self, options: DecodeOptions) -> Self {
        self.config.decode_options = options;
        self
    }
}

impl ClientLayer<Payload> {
    /// A client for requests that carry something else than binary HTTP (RFC 9458 §4.6), as bytes:
    /// it takes the [`Bytes`] of a request and returns those of the answer.
    ///
    /// The recipient must have been made [with labels](Recipient::with_labels) of that protocol's
    /// own, and the relay must pass the media types of the payload. Messages are whole, and neither
    /// padded nor dated: that is for who writes them.
    pub fn for_payload(
        relay: Uri,
        recipient: impl Into<Live<Recipient>>,
        payload: Payload,
    ) -> Self {
        Self::with_payload(relay, recipient.into(), payload)
    }
}

impl<P> ClientLayer<P> {
    fn with_payload(relay: Uri, recipient: Live<Recipient>, payload: P) -> Self {
        Self {
            config: Config {
                relay,
                recipient,
                request_limit: DEFAULT_REQUEST_LIMIT,
                response_limit: DEFAULT_RESPONSE_LIMIT,
                timeout: None,
                clock: Some(Arc::new(SystemClock)),
                encode_options: EncodeOptions::default(),
                decode_options: DecodeOptions::default(),
            },
            payload,
        }
    }

    /// Sets the longest content of a request, in bytes.
    #[must_use]
    pub fn request_limit(mut self, bytes: usize) -> Self {
        self.config.request_limit = bytes;
        self
    }

    /// Sets the largest encapsulated response, in bytes.
    #[must_use]
    pub fn response_limit(mut self, bytes: usize) -> Self {
        self.config.response_limit = bytes;
        self
    }

    /// Sets how long an exchange may take, from the encapsulated request to the whole response.
    #[must_use]
    pub fn timeout(mut self, timeout: Timeout) -> Self {
        self.config.timeout = Some(timeout);
        self
    }
}

impl<P> std::fmt::Debug for ClientLayer<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientLayer").finish_non_exhaustive()
    }
}

impl<S, P: Clone> Layer<S> for ClientLayer<P> {
    type Service = Client<S, P>;

    fn layer(&self, http_client: S) -> Client<S, P> {
        let (config, payload) = (Arc::new(self.config.clone()), self.payload.clone());
        Client { config, payload, http_client }
    }
}

/// A client over the service `S`, made by [`ClientLayer`].
///
/// A request needs an absolute URI; its response carries informational responses as the extension
/// [`Informational`](oblivious_bhttp::Informational).
#[derive(Clone)]
pub struct Client<S, P = BinaryHttp> {
    config: Arc<Config>,
    payload: P,
    http_client: S,
}

impl<S: Clone, P> Client<S, P> {
    /// The inner service, which is ready; a clone takes its place, to become ready in its turn.
    fn take_ready(&mut self) -> S {
        let clone = self.http_client.clone();
        std::mem::replace(&mut self.http_client, clone)
    }
}

impl<S, P> std::fmt::Debug for Client<S, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for Client<S, BinaryHttp>
where
    S: Service<Request<FullBody>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
    R: Body + Send + 'static,
    R::Data: Send,
    R::Error: Into<BoxError>,
{
    type Response = Response<Content>;
    type Error = ClientError;
    type Future = ResponseFuture<Content, ClientError>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        self.http_client.poll_ready(cx).map_err(|error| ClientError::Relay(error.into()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (config, http_client) = (Arc::clone(&self.config), self.take_ready());
        ResponseFuture::new(async move { exchange::send(&config, http_client, request).await })
    }
}

impl<S, R> Service<Bytes> for Client<S, Payload>
where
    S: Service<Request<FullBody>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    R: Body + Send + 'static,
    R::Data: Send,
    R::Error: Into<BoxError>,
{
    type Response = Bytes;
    type Error = ClientError;
    type Future = Pin<Box<dyn Future<Output = Result<Bytes, ClientError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        self.http_client.poll_ready(cx).map_err(|error| ClientError::Relay(error.into()))
    }

    fn call(&mut self, request: Bytes) -> Self::Future {
        let (config, http_client) = (Arc::clone(&self.config), self.take_ready());
        let payload = self.payload.clone();
        Box::pin(
            async move { exchange::send_payload(&config, &payload, http_client, &request).await },
        )
    }
}
