//! The client as a layer and a service.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use oblivious_bhttp::{DecodeOptions, EncodeOptions, Padding};
use oblivious_hpke::ChunkLimits;
use oblivious_service::{
    BinaryHttp, BoxError, Clock, Payload, ResponseFuture, SendBody, SystemClock, Timeout,
};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    ClientBody, ClientError, Gateway,
    config::Config,
    exchange,
    outer::{self, OuterBody, OuterFieldError},
};

/// The default of [`ClientLayer::request_limit`]: 16 MiB.
const DEFAULT_REQUEST_LIMIT: usize = 16 << 20;
/// The default of [`ClientLayer::response_limit`]: 64 MiB.
const DEFAULT_RESPONSE_LIMIT: usize = 64 << 20;

/// Sends requests through a relay to a gateway, with a service that can POST to the relay.
///
/// By default messages are whole, requests have at most 16 MiB and responses 64 MiB; nothing is
/// padded; requests without a `Date` get one; neither cookies nor credentials are sent; and there
/// is no time limit, since that needs a timer, which the caller provides.
///
/// `P` is what the messages carry: binary HTTP, or the caller's own [`Payload`].
#[derive(Clone)]
pub struct ClientLayer<P = BinaryHttp> {
    config: Config,
    payload: P,
}

impl ClientLayer {
    /// A client that sends this gateway the requests that it may serve.
    pub fn new(gateway: Gateway) -> Self {
        Self::with_payload(gateway, BinaryHttp)
    }

    /// Adds another gateway. A request goes to the first one that may serve its target.
    #[must_use]
    pub fn gateway(mut self, gateway: Gateway) -> Self {
        self.config.gateways.push(gateway);
        self
    }

    /// Sends and receives in chunks (draft-ietf-ohai-chunked-ohttp): bodies stream both ways, with
    /// only a chunk or two in memory, and the response can begin before the request has ended. This
    /// holds for all requests of this client; there is no fallback from chunks to whole messages or
    /// back. The gateway and the relay must support it.
    ///
    /// Streams tell more than whole messages: relay and gateway see when each part comes, and how
    /// long it is. And if what comes back decides what is sent next within one request, both can
    /// measure how far away the client is (§7.2 of the draft): avoid that, unless you know that it
    /// does no harm.
    #[must_use]
    pub fn in_chunks(mut self) -> Self {
        self.config.in_chunks = true;
        self
    }

    /// Sends `Cookie` fields of requests instead of refusing such requests. The target can then
    /// link all requests that have the same cookie, whichever relay they come through.
    #[must_use]
    pub fn allow_cookies(mut self) -> Self {
        self.config.allow_cookies = true;
        self
    }

    /// Sends `Authorization` and `Proxy-Authorization` fields of requests instead of refusing such
    /// requests. The target can then link all requests that have the same credentials, and may know
    /// whose they are.
    #[must_use]
    pub fn allow_authorization(mut self) -> Self {
        self.config.allow_authorization = true;
        self
    }

    /// Sets the clock for the `Date` of requests, by which the gateway can refuse old ones (RFC
    /// 9458 §6.5.1).
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

    /// Sets how exact the `Date` of requests is, in whole seconds: it is rounded down to a multiple
    /// of this time. A client can be recognized by a clock that is a few seconds off (RFC 9458
    /// §6.8); a date to the minute hides that. The gateway's window must be longer. One second by
    /// default.
    #[must_use]
    pub fn date_precision(mut self, precision: Duration) -> Self {
        self.config.date_precision = precision;
        self
    }

    /// Leaves it to the caller to repeat a request that the gateway refuses for its `Date`.
    ///
    /// Otherwise it is sent once more, with the gateway's date and sealed anew, if this client
    /// added the date, the clocks really differ, and the content is still available: always in
    /// whole messages, in chunks only if there is none (RFC 9458 §6.5.2). The gateway's date is
    /// used for no other request.
    #[must_use]
    pub fn without_date_correction(mut self) -> Self {
        self.config.correct_date = false;
        self
    }

    /// Sets how requests are padded, so that their length tells less about them
    /// (RFC 9458 §6.2.3).
    #[must_use]
    pub fn pad_requests(mut self, padding: Padding) -> Self {
        self.config.encode_options = self.config.encode_options.with_padding(padding);
        self
    }

    /// Sets the limits, and the leniency, with which decapsulated responses are read.
    #[must_use]
    pub fn decode_options(mut self, options: DecodeOptions) -> Self {
        self.config.decode_options = options;
        self
    }

    /// Sets how long chunks of responses may be, and how many there may be in a message.
    #[must_use]
    pub fn chunk_limits(mut self, limits: ChunkLimits) -> Self {
        self.config.chunk_limits = limits;
        self
    }

    /// Sets how long an exchange in chunks may stand still, that is, how long no part of the
    /// request may be taken, and no chunk of the response arrive while one is waited for. Those with
    /// informational responses count.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Timeout) -> Self {
        self.config.idle_timeout = Some(timeout);
        self
    }
}

impl ClientLayer<Payload> {
    /// A client for requests that carry something other than binary HTTP (RFC 9458 §4.6), as bytes:
    /// it takes the [`Bytes`] of a request and returns those of the answer.
    ///
    /// The keys must have that protocol's own labels: see
    /// [`KeyCacheBuilder::labels`](crate::KeyCacheBuilder::labels) and
    /// [`Recipient::with_labels`](oblivious_hpke::Recipient::with_labels). The relay must pass the
    /// media types of the payload. Messages are whole, and neither padded nor dated: their author
    /// has to do that. The gateway's allowed targets have no meaning here.
    pub fn for_payload(gateway: Gateway, payload: Payload) -> Self {
        Self::with_payload(gateway, payload)
    }
}

impl<P> ClientLayer<P> {
    fn with_payload(gateway: Gateway, payload: P) -> Self {
        Self {
            config: Config {
                gateways: vec![gateway],
                outer_fields: HeaderMap::new(),
                in_chunks: false,
                allow_cookies: false,
                allow_authorization: false,
                request_limit: DEFAULT_REQUEST_LIMIT,
                response_limit: DEFAULT_RESPONSE_LIMIT,
                timeout: None,
                idle_timeout: None,
                clock: Some(Arc::new(SystemClock)),
                date_precision: Duration::from_secs(1),
                correct_date: true,
                encode_options: EncodeOptions::default(),
                decode_options: DecodeOptions::default(),
                chunk_limits: ChunkLimits::default(),
            },
            payload,
        }
    }

    /// Adds a field to every outer request, for a relay that requires one. It must be the same for
    /// all users, so that it reveals nothing about any of them, and be unrelated to what is
    /// encapsulated (RFC 9458 §5).
    ///
    /// # Errors
    /// If the client or its transport sets the field, or it exists to tell clients apart.
    pub fn outer_field(
        mut self,
        name: HeaderName,
        value: HeaderValue,
    ) -> Result<Self, OuterFieldError> {
        outer::add_field(&mut self.config.outer_fields, name, value)?;
        Ok(self)
    }

    /// Sets the longest content of a whole request, in bytes.
    #[must_use]
    pub fn request_limit(mut self, bytes: usize) -> Self {
        self.config.request_limit = bytes;
        self
    }

    /// Sets the largest encapsulated whole response, in bytes. For those in chunks see
    /// [`decode_options`](ClientLayer::decode_options).
    #[must_use]
    pub fn response_limit(mut self, bytes: usize) -> Self {
        self.config.response_limit = bytes;
        self
    }

    /// Sets how long an exchange may take, from the encapsulated request to the whole response, or
    /// in chunks to the header of the response.
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
/// A request needs an absolute URI. Informational responses go to the request's extension
/// [`OnInformational`](crate::OnInformational), or else into the response's extension
/// [`Informational`](oblivious_bhttp::Informational).
///
/// Dropping the future, or the response's body before its end, ends the exchange with the relay, and
/// whatever of the request is still to be sent.
#[derive(Clone)]
pub struct Client<S, P = BinaryHttp> {
    config: Arc<Config>,
    payload: P,
    http_client: S,
}

impl<S: Clone, P> Client<S, P> {
    /// The inner service, which is ready; a clone takes its place and becomes ready in turn.
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
    S: Service<Request<OuterBody>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: SendBody,
    R: SendBody,
{
    type Response = Response<ClientBody>;
    type Error = ClientError;
    type Future = ResponseFuture<ClientBody, ClientError>;

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
    S: Service<Request<OuterBody>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    R: SendBody,
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
