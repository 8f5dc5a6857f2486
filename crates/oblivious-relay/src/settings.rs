//! The settings of a relay, and how it answers with them.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use http::{Method, Request, Response};
use http_body::Body;
use oblivious_service::{BoxError, Clock, Live, Pseudonym, Timeout};
use tower_service::Service;

use crate::batching::{Batch, Batching};
use crate::body::{RelayRequestBody, RelayResponseBody};
use crate::breaker::{Attempt, Breaker};
use crate::delay::Delay;
use crate::exchange::exchange;
use crate::incremental;
use crate::key_fetch::KeyFetch;
use crate::limits::{Excess, Limits, Permits};
use crate::media::Kind;
use crate::observe;
use crate::outgoing::outgoing;
use crate::refusal::{Failure, Refusal};
use crate::route::Route;
use crate::routes::Routes;
use crate::timing::{Deadline, Timing};
use crate::under_way::{Answering, UnderWay};

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) routes: Live<Routes>,
    pub(crate) allow_http: bool,
    pub(crate) body_limit: u64,
    pub(crate) idle_timeout: Option<Timeout>,
    pub(crate) exchange_timeout: Option<Timeout>,
    pub(crate) limits: Limits,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) delay: Option<Delay>,
    pub(crate) batching: Option<Batching>,
    pub(crate) pseudonym: Pseudonym,
    pub(crate) clock: Arc<dyn Clock>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("routes", &self.routes.current())
            .field("body_limit", &self.body_limit)
            .field("idle_timeout", &self.idle_timeout)
            .field("exchange_timeout", &self.exchange_timeout)
            .field("limits", &self.limits)
            .field("breaker", &self.breaker)
            .field("delay", &self.delay)
            .field("batching", &self.batching)
            .field("pseudonym", &self.pseudonym)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// The answer to `request`; without an HTTP client the gateway cannot be asked.
    ///
    /// Its future holds little more than the request: to make and move a larger one takes longer
    /// than most of what it does.
    #[expect(clippy::manual_async_fn, reason = "an async function holds its arguments twice")]
    pub(crate) fn answer<S, B, RB>(
        self: Arc<Self>,
        client: Option<S>,
        request: Request<B>,
    ) -> impl Future<Output = Result<Response<RelayResponseBody<RB>>, Infallible>> + Send + 'static
    where
        S: Service<Request<RelayRequestBody<B>>, Response = Response<RB>>,
        S: Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: Body + Send + 'static,
        RB: Body + Send + 'static,
        RB::Error: Into<BoxError>,
    {
        async move {
            // Every request counts towards the client's limits, even one for a path that does not
            // exist.
            let admitted = self.admit(&request);
            let route = self.routes.current().find(&request).cloned();
            let Some(route) = route else {
                let refusal = admitted.err().unwrap_or(Refusal::NoRoute);
                // The path is not logged: it is the client's text.
                tracing::debug!(status = refusal.status().as_u16(), "no such route");
                observe::count_unrouted(refusal.label());
                return Ok(refusal.into_response(&self.pseudonym));
            };
            let answer = match admitted {
                Ok(permits) => {
                    let undecided = Undecided(&route);
                    let metrics = Arc::clone(&route.metrics);
                    let under_way = UnderWay::new(metrics, permits, self.timing());
                    let answer = if asks_for_keys(&request, &route) {
                        // Seldom and large, so it is boxed and takes no room in every exchange.
                        Box::pin(self.keys(client, request, &route, under_way)).await
                    } else {
                        match self.begin(client, request, &route, under_way) {
                            Ok(Start::Now(called)) => self.relay(called, &route).await,
                            Ok(Start::Later(begun)) => {
                                self.hold(&route.learned.requests).await;
                                let answer = Box::new(self.relay(begun.call(), &route).await);
                                self.hold(&route.learned.answers).await;
                                *answer
                            }
                            Err(refusal) => Err(refusal),
                        }
                        .inspect(|response| relayed(response, &route))
                    };
                    undecided.decided();
                    answer
                }
                Err(refusal) => Err(refusal),
            };
            Ok(answer.unwrap_or_else(|refusal| self.refuse(refusal, &route)))
        }
    }

    fn refuse<B>(&self, refusal: Refusal, route: &Route) -> Response<RelayResponseBody<B>> {
        let (gateway, status) = (route.name(), refusal.status().as_u16());
        route.metrics.outcome(refusal.label());
        if refusal.is_fault() {
            tracing::warn!(gateway, status, "{refusal:?}");
        } else {
            tracing::debug!(gateway, status, "{refusal:?}");
        }
        refusal.into_response(&self.pseudonym)
    }

    /// Checks a request, up to the first thing that has to be waited for.
    fn begin<'a, S, B>(
        &self,
        client: Option<S>,
        request: Request<B>,
        route: &'a Route,
        under_way: UnderWay,
    ) -> Result<Start<'a, S, B>, Refusal>
    where
        S: Service<Request<RelayRequestBody<B>>>,
        B: Body,
    {
        let limit = self.body_limit;
        let (request, kind) = outgoing(request, route, &self.pseudonym, limit, under_way.clone())?;
        let attempt = self.attempt(route)?;
        let client = client.ok_or(Refusal::Unreachable(Failure::Unknown))?;
        let begun = Begun { client, request, kind, attempt, answering: Answering::new(under_way) };
        Ok(match self.delay.is_some() || self.batching.is_some() {
            true => Start::Later(Box::new(begun)),
            false => Start::Now(begun.call()),
        })
    }

    async fn relay<F, E, RB>(
        &self,
        called: Called<'_, F>,
        route: &Route,
    ) -> Result<Response<RelayResponseBody<RB>>, Refusal>
    where
        F: Future<Output = Result<Response<RB>, E>>,
        E: Into<BoxError>,
        RB: Body,
    {
        let Called { call, kind, attempt, answering } = called;
        let answer = exchange(call, kind, route, self.body_limit, answering).await;
        self.conclude(attempt, &answer, route);
        answer
    }

    /// Holds a message of this batch back, if messages are to be held back.
    async fn hold(&self, batch: &Batch) {
        if let Some(delay) = &self.delay {
            delay.hold().await;
        }
        if let Some(batching) = &self.batching {
            // Few relays do this, so it takes no room in the exchanges of the others.
            Box::pin(batch.join(batching)).await;
        }
    }

    /// The limits on the time of an exchange that begins now.
    fn timing(&self) -> Timing {
        let deadline = |limit: &Timeout| Deadline::new(limit.clone(), Arc::clone(&self.clock));
        Timing::new(self.idle_timeout.clone(), self.exchange_timeout.as_ref().map(deadline))
    }

    /// The limit on time that any exchange keeps, however it moves.
    fn shortest_limit(&self) -> Option<&Timeout> {
        [&self.idle_timeout, &self.exchange_timeout]
            .into_iter()
            .flatten()
            .min_by_key(|one| one.limit())
    }

    /// Finds a place for the request among those under way.
    fn admit<B>(&self, request: &Request<B>) -> Result<Permits, Refusal> {
        self.limits.admit(request.extensions()).map_err(|excess| match excess {
            Excess::NoAddress => Refusal::NoAddress,
            Excess::Rate(wait) => Refusal::Rate(wait),
            Excess::Concurrency => {
                Refusal::Busy { incremental: incremental::is_set(request.headers()) }
            }
        })
    }

    fn attempt<'a>(&self, route: &'a Route) -> Result<Option<Attempt<'a>>, Refusal> {
        let Some(breaker) = self.breaker else { return Ok(None) };
        match route.learned.circuit.admit(breaker, self.clock.uptime()) {
            Ok(attempt) => Ok(Some(attempt)),
            Err(wait) => Err(Refusal::Resting(wait)),
        }
    }

    /// Tells the breaker how it went. A client's fault says nothing about the gateway.
    fn conclude<R>(
        &self,
        attempt: Option<Attempt<'_>>,
        answer: &Result<R, Refusal>,
        route: &Route,
    ) {
        let Some(attempt) = attempt else { return };
        match answer {
            Err(Refusal::Unreachable(_) | Refusal::GatewayStalled) => {
                if attempt.failed(self.clock.uptime()) {
                    route.metrics.breaker_open(true);
                }
            }
            Err(Refusal::TooLarge | Refusal::BodyBroken | Refusal::ClientStalled) => drop(attempt),
            Ok(_) | Err(_) => {
                if attempt.succeeded() {
                    route.metrics.breaker_open(false);
                }
            }
        }
    }

    /// The gateway's keys, the same for all clients.
    async fn keys<S, B, RB>(
        &self,
        client: Option<S>,
        request: Request<B>,
        route: &Arc<Route>,
        _under_way: UnderWay,
    ) -> Result<Response<RelayResponseBody<RB>>, Refusal>
    where
        S: Service<Request<RelayRequestBody<B>>, Response = Response<RB>>,
        S: Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: Body + Send + 'static,
        RB: Body + Send + 'static,
        RB::Error: Into<BoxError>,
    {
        if self.pseudonym.count_in(request.headers()) > 0 {
            return Err(Refusal::Loop);
        }
        let client = client.ok_or(Refusal::Unreachable(Failure::Unknown))?;
        let fetch = KeyFetch {
            route: Arc::clone(route),
            via: self.pseudonym.value(),
            // All clients wait for this fetch, so it must end if anything is to end at all.
            timeout: self.shortest_limit().cloned(),
            clock: Arc::clone(&self.clock),
        };
        let cache = &route.learned.key_cache;
        let list = cache.get(&self.clock, || Box::pin(fetch.run(client))).await?;
        route.metrics.outcome("keys");
        Ok(list.answer(request.headers(), self.clock.uptime()))
    }
}

/// Notes that a response goes to the client now, and not before: when the gateway gave one that is
/// held back is nobody's business.
fn relayed<B>(response: &Response<B>, route: &Route) {
    if response.status().is_success() {
        route.metrics.relayed();
    } else {
        route.metrics.outcome("problem");
    }
    let status = response.status().as_u16();
    tracing::debug!(gateway = route.name(), status, "relayed");
}

fn asks_for_keys<B>(request: &Request<B>, route: &Route) -> bool {
    route.keys.is_some() && matches!(*request.method(), Method::GET | Method::HEAD)
}

/// When a request goes out.
enum Start<'a, S, B>
where
    S: Service<Request<RelayRequestBody<B>>>,
{
    Now(Called<'a, S::Future>),
    /// Messages are held back, which few relays do.
    Later(Box<Begun<'a, S, B>>),
}

/// An exchange that can begin.
struct Begun<'a, S, B> {
    client: S,
    request: Request<RelayRequestBody<B>>,
    kind: Kind,
    attempt: Option<Attempt<'a>>,
    answering: Answering,
}

/// An exchange whose request is on its way.
struct Called<'a, F> {
    call: F,
    kind: Kind,
    attempt: Option<Attempt<'a>>,
    answering: Answering,
}

impl<'a, S, B> Begun<'a, S, B>
where
    S: Service<Request<RelayRequestBody<B>>>,
{
    fn call(mut self) -> Called<'a, S::Future> {
        let call = self.client.call(self.request);
        Called { call, kind: self.kind, attempt: self.attempt, answering: self.answering }
    }
}

/// A request whose outcome is not known yet. If it is dropped without one, its client has left.
struct Undecided<'a>(&'a Route);

impl Undecided<'_> {
    fn decided(self) {
        std::mem::forget(self);
    }
}

impl Drop for Undecided<'_> {
    fn drop(&mut self) {
        self.0.metrics.outcome("client_left");
    }
}
