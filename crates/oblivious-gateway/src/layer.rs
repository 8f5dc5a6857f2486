//! The gateway as a layer and a service.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use oblivious_bhttp::{DecodeOptions, EncodeOptions, Padding};
use oblivious_hpke::{ChunkLimits, UnixSeconds};
use oblivious_service::{
    BinaryHttp, Clock, Live, Payload, Pseudonym, ResponseFuture, SendBody, SystemClock, Timeout,
};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    DatePolicy, EncapsulatedBody, GatewayKeys, MemoryReplayGuard, ReplayCheck, ReplayEntry,
    ReplayError, ReplayGuard, ReplayLoad, Target, TargetPolicy, concurrency::Concurrency,
    config::Config, exchange, nesting::Nesting, payload,
};

/// The default of [`GatewayLayer::request_limit`]: 4 MiB.
const DEFAULT_REQUEST_LIMIT: usize = 4 << 20;
/// The default of [`GatewayLayer::response_limit`]: 16 MiB.
const DEFAULT_RESPONSE_LIMIT: usize = 16 << 20;
/// How many requests the default of [`GatewayLayer::replay_guard`] has room for.
const DEFAULT_GUARD_CAPACITY: usize = 1 << 20;
/// The default of [`GatewayLayer::stream_limit`]: 2 GiB.
const DEFAULT_STREAM_LIMIT: u64 = 2 << 30;

/// Wraps a gateway around a service that answers requests.
///
/// By default it denies every target, accepts encapsulated requests of up to 4 MiB and responses of
/// up to 16 MiB, or 2 GiB of either in chunks, does not pad, and has no time limits, since those
/// need a timer, which the caller provides.
///
/// `P` is what the messages carry: binary HTTP, or the caller's own [`Payload`].
#[derive(Clone, Debug)]
pub struct GatewayLayer<P = BinaryHttp> {
    config: Config,
    payload: P,
    /// Whether the guard is the default one.
    has_default_guard: bool,
}

impl GatewayLayer {
    /// A gateway that decapsulates with `keys`.
    pub fn new(keys: impl Into<Live<GatewayKeys>>) -> Self {
        Self::with_payload(keys.into(), BinaryHttp)
    }

    /// Sets which targets may be asked: an [`Origin`](crate::Origin), or a [`TargetPolicy`]. It
    /// replaces what was set before.
    #[must_use]
    pub fn targets(mut self, policy: impl Into<TargetPolicy>) -> Self {
        self.config.policy = policy.into();
        self
    }

    /// Lets requests that are themselves encapsulated go on to their targets, unless they have
    /// passed this gateway `depth` times before. By default none may: each gets a 508 inside.
    ///
    /// The gateway adds `pseudonym` to the `Via` field of the nested requests that it forwards, and
    /// counts it in the outer fields of what it receives (RFC 9110 §7.6.3). Replicas must use the
    /// same. A relay does not pass `Via` on, so a loop through a relay is not detected: do not
    /// allow relays as targets.
    #[must_use]
    pub fn allow_nesting(mut self, depth: usize, pseudonym: Pseudonym) -> Self {
        self.config.nesting = Nesting::new(depth, pseudonym);
        self
    }

    /// Sets the largest content of a target's response, in bytes; a larger one becomes a 502.
    #[must_use]
    pub fn response_limit(mut self, bytes: usize) -> Self {
        self.config.response_limit = bytes;
        self
    }

    /// Sets the most bytes of a message in chunks: of a request as it arrives, or of an answer
    /// before it is sealed. A longer request is answered with a 413, inside once the answer has
    /// begun; a longer answer is broken off.
    #[must_use]
    pub fn stream_limit(mut self, bytes: u64) -> Self {
        self.config.stream_limit = bytes;
        self
    }

    /// Sets the limits on the size and number of the chunks of a request and an answer.
    #[must_use]
    pub fn chunk_limits(mut self, limits: ChunkLimits) -> Self {
        self.config.chunk_limits = limits;
        self
    }

    /// Refuses requests in chunks: they are answered with a 415.
    #[must_use]
    pub fn without_chunked(mut self) -> Self {
        self.config.chunked = false;
        self
    }

    /// Sets how long a message in chunks may stand still: a request that stalls gets a 408 inside,
    /// and an answer that stalls is broken off.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Timeout) -> Self {
        self.config.idle_timeout = Some(timeout);
        self
    }

    /// Sets how long an exchange in chunks may take. What is not complete by then is broken off.
    /// Before the target has answered, the client gets a 504 inside; before the first chunk of the
    /// request has arrived, a 408. The other limits bound whole messages.
    ///
    /// The limit only takes effect when more of the response's body is asked for, so it does not
    /// end an exchange whose client reads nothing: the server needs its own limit on how long it
    /// waits for a reader.
    #[must_use]
    pub fn exchange_timeout(mut self, timeout: Timeout) -> Self {
        self.config.exchange_timeout = Some(timeout);
        self
    }

    /// Sets which dates of requests are accepted (RFC 9458 §6.5.1); others are answered with the
    /// problem `date` inside. By default a date may be five minutes off, or missing.
    #[must_use]
    pub fn dates(mut self, dates: DatePolicy) -> Self {
        self.config.dates = dates;
        self
    }

    /// Sets how responses are padded, so that their length tells less about them
    /// (RFC 9458 §6.2.3).
    ///
    /// [`Padding::ToExact`] is treated as [`Padding::ToMultiple`]: otherwise a longer response
    /// could not be sent at all, after the target has already acted on the request.
    #[must_use]
    pub fn pad_responses(mut self, padding: Padding) -> Self {
        self.config.encode_options.padding = match padding {
            Padding::ToExact(length) => Padding::ToMultiple(length),
            padding => padding,
        };
        self
    }

    /// Sets the limits, and the leniency, with which decapsulated requests are read. Content over
    /// its limit is answered with a 413 inside; anything over another limit, with a 400.
    ///
    /// A limit on content that is left at its default does not count: then
    /// [`request_limit`](Self::request_limit) and [`stream_limit`](Self::stream_limit) bound the content.
    #[must_use]
    pub fn decode_options(mut self, options: DecodeOptions) -> Self {
        self.config.decode_options = options;
        self
    }
}

impl GatewayLayer<Payload> {
    /// A gateway for requests that carry something other than binary HTTP (RFC 9458 §4.6), as
    /// bytes: its service takes the [`Bytes`](bytes::Bytes) of a request and returns those of the
    /// answer.
    ///
    /// The keys must be in a ring [with labels](oblivious_hpke::KeyRing::with_labels) of that
    /// protocol's own. Messages are whole, and there is no policy for targets or dates, since the
    /// gateway cannot read the requests. Nor can it refuse anything inside the encapsulation: a
    /// repeated request gets a 409 in clear, a service that fails a 500. Errors that only the
    /// client may see are for the service to put into its answer.
    pub fn for_payload(keys: impl Into<Live<GatewayKeys>>, payload: Payload) -> Self {
        Self::with_payload(keys.into(), payload)
    }
}

impl<P> GatewayLayer<P> {
    fn with_payload(keys: Live<GatewayKeys>, payload: P) -> Self {
        let started = UnixSeconds::now();
        Self {
            config: Config {
                keys,
                policy: TargetPolicy::deny_all(),
                request_limit: DEFAULT_REQUEST_LIMIT,
                response_limit: DEFAULT_RESPONSE_LIMIT,
                stream_limit: DEFAULT_STREAM_LIMIT,
                chunk_limits: ChunkLimits::default(),
                chunked: true,
                concurrency: Concurrency::new(usize::MAX),
                request_timeout: None,
                target_timeout: None,
                idle_timeout: None,
                exchange_timeout: None,
                clock: Arc::new(SystemClock),
                guard: Some(default_guard(started)),
                dates: DatePolicy::default(),
                nesting: Nesting::new(0, Pseudonym::random("gateway")),
                encode_options: EncodeOptions::default(),
                decode_options: DecodeOptions::default(),
            },
            payload,
            has_default_guard: true,
        }
    }

    /// Sets the largest encapsulated request, in bytes; a larger one is answered with a 413.
    #[must_use]
    pub fn request_limit(mut self, bytes: usize) -> Self {
        self.config.request_limit = bytes;
        self
    }

    /// Sets how many exchanges may be under way at once, over all services that this layer makes;
    /// further requests are answered with a 503 and `Retry-After`. By default there is no limit.
    ///
    /// An exchange is under way until its encapsulated answer has been sent or abandoned: in chunks
    /// until the body of the response is dropped, as a whole until its bytes are.
    #[must_use]
    pub fn concurrency_limit(mut self, exchanges: usize) -> Self {
        self.config.concurrency = Concurrency::new(exchanges);
        self
    }

    /// Sets how long a whole encapsulated request, or the first chunk of one in chunks, may take to
    /// arrive; a slower one is answered with a 408.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Timeout) -> Self {
        self.config.request_timeout = Some(timeout);
        self
    }

    /// Sets how long the target may take for its whole answer, or, if the request is in chunks, for
    /// the head of its answer; a slower one becomes a 504.
    ///
    /// For a request in chunks the time starts again whenever the target has read a part of it, so
    /// a long request may take its time to arrive. A client that pauses for longer than this limit
    /// looks like a target that does not answer, unless [`idle_timeout`](Self::idle_timeout) is
    /// shorter.
    #[must_use]
    pub fn target_timeout(mut self, timeout: Timeout) -> Self {
        self.config.target_timeout = Some(timeout);
        self
    }

    /// Sets what remembers requests, so that none is served twice (RFC 9458 §6.5). A request that
    /// was seen before is answered with a 409 inside; if the guard cannot tell, with a 503 inside.
    ///
    /// By default it is a [`MemoryReplayGuard`] with room for 2^20 requests. That suits keys that
    /// retire, or [required dates](DatePolicy::with_required_date): with neither, requests are
    /// remembered forever, and after 2^20 of them every request gets a 503 until the process is
    /// restarted. See [how to size a guard](MemoryReplayGuard#how-to-size-it).
    #[must_use]
    pub fn replay_guard(mut self, guard: impl ReplayGuard) -> Self {
        self.config.guard = Some(Arc::new(guard));
        self.has_default_guard = false;
        self
    }

    /// Serves a request as often as it is sent, whoever sends it. Only for targets where that does
    /// no harm. A warning is logged.
    #[must_use]
    pub fn without_replay_guard(mut self) -> Self {
        tracing::warn!("no replay protection: a relay can have a request processed more than once");
        self.config.guard = None;
        self.has_default_guard = false;
        self
    }

    /// Sets the clock that decides which keys and dates are valid. By default it is the system's.
    ///
    /// A default guard is made anew, starting at the time of this clock. A [`MemoryReplayGuard`] of
    /// your own must have been started with the time of this clock as well: while its start lies in
    /// the future, every date is refused and nothing is forgotten.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        if self.has_default_guard {
            self.config.guard = Some(default_guard(clock.now().into()));
        }
        self.config.clock = Arc::new(clock);
        self
    }
}

/// The default guard.
fn default_guard(started: UnixSeconds) -> Arc<dyn ReplayGuard> {
    match MemoryReplayGuard::new(DEFAULT_GUARD_CAPACITY, started) {
        Ok(guard) => Arc::new(guard),
        Err(error) => {
            tracing::error!(%error, "no replay guard: requests are refused");
            Arc::new(NoGuard)
        }
    }
}

/// Takes the place of a guard that could not be made.
struct NoGuard;

impl ReplayGuard for NoGuard {
    fn check_and_insert(&self, _: ReplayEntry<'_>) -> ReplayCheck {
        ReplayCheck::Ready(Err(ReplayError::Unavailable))
    }

    fn remembers_since(&self) -> Option<UnixSeconds> {
        None
    }

    fn load(&self) -> Option<ReplayLoad> {
        None
    }
}

impl<S, P: Clone> Layer<S> for GatewayLayer<P> {
    type Service = Gateway<S, P>;

    fn layer(&self, target: S) -> Gateway<S, P> {
        let (config, payload) = (Arc::new(self.config.clone()), self.payload.clone());
        Gateway { config, payload, target }
    }
}

/// A gateway around the service `S`, made by [`GatewayLayer`].
///
/// It accepts a POST of an encapsulated request at any path, so a router decides on the path;
/// `/.well-known/ohttp-gateway` is the one that clients can guess (RFC 9540 §5).
///
/// It is always ready, and waits for the target's readiness within the exchange: even a target
/// that fails to become ready gets its client an encapsulated answer.
#[derive(Clone, Debug)]
pub struct Gateway<S, P = BinaryHttp> {
    config: Arc<Config>,
    payload: P,
    target: S,
}

impl<S: Target, B: SendBody> Service<Request<B>> for Gateway<S, BinaryHttp> {
    type Response = Response<EncapsulatedBody>;
    type Error = Infallible;
    type Future = ResponseFuture<EncapsulatedBody, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (config, target) = (Arc::clone(&self.config), self.target.clone());
        ResponseFuture::new(async move { Ok(exchange::serve(config, target, request).await) })
    }
}

impl<S, B> Service<Request<B>> for Gateway<S, Payload>
where
    S: Service<Bytes, Response = Bytes, Future: Send> + Clone + Send + 'static,
    B: SendBody,
{
    type Response = Response<EncapsulatedBody>;
    type Error = Infallible;
    type Future = ResponseFuture<EncapsulatedBody, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { config, payload, target } = self;
        let (config, payload) = (Arc::clone(config), payload.clone());
        let target = target.clone();
        ResponseFuture::new(
            async move { Ok(payload::serve(&config, &payload, target, request).await) },
        )
    }
}
