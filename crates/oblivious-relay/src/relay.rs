//! The relay itself: its settings, and its tower service.

use std::convert::Infallible;
use std::fmt;
use std::mem;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response, Uri};
use http_body::Body;
use oblivious_service::{BoxError, Clock, Live, Pseudonym, ResponseFuture, SystemClock, Timeout};
use tower_service::Service;

use crate::batching::Batching;
use crate::body::{RelayRequestBody, RelayResponseBody};
use crate::breaker::Breaker;
use crate::delay::Delay;
use crate::limits::{ClientPrefixes, Limits, RateLimit};
use crate::route::Route;
use crate::route_error::RouteError;
use crate::routes::Routes;
use crate::settings::Settings;

/// The default of [`Relay::body_limit`]: 16 MiB.
const DEFAULT_BODY_LIMIT: u64 = 16 * 1024 * 1024;

/// A relay (RFC 9458 §6.2): a tower service that passes encapsulated requests on to gateways.
///
/// `S` is the HTTP client, also a tower service, which must have three properties: it sends no
/// request twice, follows no redirects, and adds no header fields beyond what a connection needs.
/// The gateways are fixed in advance; a client cannot name another (RFC 9458 §8.2).
///
/// Clones share the settings and the counts of the limits. A clone per connection or per request is
/// cheap if cloning `S` is.
pub struct Relay<S> {
    client: S,
    /// `poll_ready` found the client broken, so that `call` must not touch it.
    broken: bool,
    settings: Arc<Settings>,
}

impl<S> Relay<S> {
    /// A relay that has no routes yet, and sends requests with `client`. It has a random
    /// [pseudonym](Self::pseudonym), the same for all its clones.
    pub fn new(client: S) -> Self {
        let settings = Settings {
            routes: Live::new(Routes::new()),
            allow_http: false,
            body_limit: DEFAULT_BODY_LIMIT,
            idle_timeout: None,
            exchange_timeout: None,
            limits: Limits::default(),
            breaker: None,
            delay: None,
            batching: None,
            pseudonym: Pseudonym::random("relay"),
            clock: Arc::new(SystemClock),
        };
        Self { client, broken: false, settings: Arc::new(settings) }
    }

    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }

    /// Serves these routes instead of the present ones. With a [`Live`](oblivious_service::Live)
    /// they can be replaced while the relay runs.
    #[must_use]
    pub fn routes(self, routes: impl Into<Live<Routes>>) -> Self {
        self.set(|settings| settings.routes = routes.into())
    }

    /// Adds a plain route for exactly `path` to `gateway`, for all clones of this relay; see
    /// [`Route`] for other kinds.
    ///
    /// Of a request's URI only the path counts; its query is not passed on.
    ///
    /// # Errors
    ///
    /// [`RouteError`] if the path is not valid or already has a route, or if the gateway is not an
    /// absolute `https` URI.
    pub fn route(self, path: &str, gateway: Uri) -> Result<Self, RouteError> {
        let route = Route::path(path, gateway)?;
        let route = if self.settings.allow_http { route.allow_http() } else { route };
        let mut routes = Routes::clone(&self.settings.routes.current());
        routes.add(route)?;
        self.settings.routes.replace(routes);
        Ok(self)
    }

    /// Allows `http` URIs for gateways that are added with [`route`](Self::route) after this call.
    /// See [`Route::allow_http`].
    #[must_use]
    pub fn allow_http_gateways(self) -> Self {
        self.set(|settings| settings.allow_http = true)
    }

    /// The most bytes that a body may have, in either direction. 16 MiB by default.
    ///
    /// Bodies are not held in memory, however long they are.
    #[must_use]
    pub fn body_limit(self, bytes: u64) -> Self {
        self.set(|settings| settings.body_limit = bytes)
    }

    /// How long an exchange may stand still: how long no data may pass in either direction before
    /// both its request and its answer are over. No limit by default.
    #[must_use]
    pub fn idle_timeout(self, timeout: Timeout) -> Self {
        self.set(|settings| settings.idle_timeout = Some(timeout))
    }

    /// How long an exchange may take in all, from the head of the request to the end of request and
    /// answer, whichever is later. By default, as long as something [moves](Self::idle_timeout).
    ///
    /// A request that has not been answered by then gets a 504, or a 408 if the client is being
    /// waited for; an answer that has begun breaks off, and so does a request whose answer is over.
    ///
    /// Both limits are noticed when a body is asked for more, so they do not end an exchange whose
    /// client takes nothing of the answer: what serves that body needs a limit of its own on how
    /// long it waits for a reader, as the server of `oblivious-hyper` has. Likewise a gateway that
    /// has answered, takes nothing more of the request, and does not say so: that is for the HTTP
    /// client to end, as that of `oblivious-hyper` does over HTTP/1.1.
    #[must_use]
    pub fn exchange_timeout(self, limit: Timeout) -> Self {
        self.set(|settings| settings.exchange_timeout = Some(limit))
    }

    /// How often each client may ask; no limit by default.
    ///
    /// The server identifies the client with a [`ClientAddress`](oblivious_service::ClientAddress)
    /// in the extensions of the request. Without it the answer is a 500, since the limit could not
    /// be applied.
    #[must_use]
    pub fn rate_limit(self, limit: RateLimit) -> Self {
        self.set(|settings| settings.limits.set_rate(limit, Arc::clone(&settings.clock)))
    }

    /// How many exchanges may be under way, each until both its request and its answer are over.
    /// Further requests get a 503, or a 429 if they are to be passed on
    /// [incrementally](crate#what-passes) (RFC 10036). No limit by default.
    #[must_use]
    pub fn concurrency_limit(self, most: NonZeroUsize) -> Self {
        self.set(|settings| settings.limits.set_overall(most))
    }

    /// The same for each client separately. The client must be known, as for
    /// [`rate_limit`](Self::rate_limit).
    #[must_use]
    pub fn client_concurrency_limit(self, most: NonZeroU32) -> Self {
        self.set(|settings| settings.limits.set_per_client(most))
    }

    /// Which addresses count as one client for these limits.
    #[must_use]
    pub fn client_prefixes(self, prefixes: ClientPrefixes) -> Self {
        self.set(|settings| settings.limits.prefixes = prefixes)
    }

    /// When to stop asking a gateway that does not answer; never by default. Each route counts
    /// separately.
    #[must_use]
    pub fn breaker(self, breaker: Breaker) -> Self {
        self.set(|settings| settings.breaker = Some(breaker))
    }

    /// Delays requests and answers, so that the times at which they come and go do not reveal who
    /// asked for what. No delay by default.
    #[must_use]
    pub fn delay(self, delay: Delay) -> Self {
        self.set(|settings| settings.delay = Some(delay))
    }

    /// Holds requests and answers until there are several, and lets those go together in random
    /// order, so that their order does not reveal it either. No batches by default. With a
    /// [delay](Self::delay) as well, that comes first.
    #[must_use]
    pub fn batching(self, batching: Batching) -> Self {
        self.set(|settings| settings.batching = Some(batching))
    }

    /// The pseudonym in the `Via` field of every request to a gateway (RFC 9110 §7.6.3), and in
    /// the `Proxy-Status` field of the relay's own answers (RFC 9209).
    ///
    /// A request that already has it has come back, and gets a 508: otherwise a relay with a route
    /// to itself would loop forever. All replicas of a relay need the same pseudonym for that,
    /// since a request can come back to any of them; so do relays with routes to each other. It is
    /// the same for all clients, so it identifies the relay to a gateway, but says nothing about
    /// the client.
    #[must_use]
    pub fn pseudonym(self, pseudonym: Pseudonym) -> Self {
        self.set(|settings| settings.pseudonym = pseudonym)
    }

    /// The clock that measures rates, pauses, the age of keys and how long an exchange takes in all;
    /// by default the system's.
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(clock);
        self.set(|settings| {
            settings.limits.set_clock(Arc::clone(&clock));
            settings.clock = clock;
        })
    }
}

impl<S, B, RB> Service<Request<B>> for Relay<S>
where
    S: Service<Request<RelayRequestBody<B>>, Response = Response<RB>>,
    S: Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
    RB: Body + Send + 'static,
    RB::Error: Into<BoxError>,
{
    type Response = Response<RelayResponseBody<RB>>;
    type Error = Infallible;
    type Future = ResponseFuture<RelayResponseBody<RB>, Infallible>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.broken = ready!(self.client.poll_ready(cx)).is_err();
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let settings = self.settings.clone();
        // Readiness belongs to the client that was polled: that one makes the call, and a clone
        // takes its place.
        let clone = self.client.clone();
        let client = mem::replace(&mut self.client, clone);
        let broken = mem::take(&mut self.broken);
        ResponseFuture::new(settings.answer((!broken).then_some(client), request))
    }
}

impl<S: Clone> Clone for Relay<S> {
    fn clone(&self) -> Self {
        // Each clone asks its own client whether it is ready.
        Self { client: self.client.clone(), broken: false, settings: self.settings.clone() }
    }
}

impl<S> fmt::Debug for Relay<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("settings", &self.settings).finish_non_exhaustive()
    }
}
