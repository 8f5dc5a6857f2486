//! The relay itself: its settings, and the tower service that it is.

use std::convert::Infallible;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response, Uri};
use http_body::Body;
use oblivious_service::{BoxError, Pseudonym, ResponseFuture, Timeout};
use tower_service::Service;

use crate::body::{RelayRequestBody, RelayResponseBody};
use crate::exchange::{exchange, outgoing};
use crate::idle::Progress;
use crate::response::Refusal;
use crate::route::{RouteError, Routes};

/// The limit on bodies unless [`Relay::body_limit`] sets another: 16 MiB.
const DEFAULT_BODY_LIMIT: u64 = 16 * 1024 * 1024;

/// A relay (RFC 9458 §6.2): a tower service that passes encapsulated requests on to gateways.
///
/// `S` is the HTTP client, a tower service as well, which has to have three properties: it sends
/// no request twice, it follows no redirects, and it adds no header fields beyond what a
/// connection needs. Each gateway is known beforehand; there is no way for a client to name
/// another (RFC 9458 §8.2).
///
/// Clones share the settings. A clone per connection or per request is cheap if one of `S` is.
pub struct Relay<S> {
    client: S,
    /// `poll_ready` found the client broken, so that `call` must not touch it.
    broken: bool,
    settings: Arc<Settings>,
}

#[derive(Clone, Debug)]
struct Settings {
    routes: Routes,
    allow_http: bool,
    body_limit: u64,
    timeout: Option<Timeout>,
    pseudonym: Pseudonym,
}

impl<S> Relay<S> {
    /// A relay that has no routes yet, and sends requests with `client`. It has a random
    /// [pseudonym](Self::pseudonym), the same for all its clones.
    pub fn new(client: S) -> Self {
        let settings = Settings {
            routes: Routes::default(),
            allow_http: false,
            body_limit: DEFAULT_BODY_LIMIT,
            timeout: None,
            pseudonym: Pseudonym::random("relay"),
        };
        Self { client, broken: false, settings: Arc::new(settings) }
    }

    /// Passes requests for exactly `path` on to `gateway`.
    ///
    /// Of a request's URI only the path counts; its query is not passed on.
    ///
    /// # Errors
    ///
    /// [`RouteError`] when the path is none or has a route already, or when the gateway is no
    /// absolute `https` URI.
    pub fn route(mut self, path: &str, gateway: Uri) -> Result<Self, RouteError> {
        let settings = Arc::make_mut(&mut self.settings);
        settings.routes.add(path, gateway, settings.allow_http)?;
        Ok(self)
    }

    /// Allows routes that are added after this call to name `http` gateways.
    ///
    /// RFC 9458 §6 asks for HTTPS: without it anyone on the way can match who asked with what
    /// the gateway got. This is for tests, and for gateways behind a proxy on the same machine.
    #[must_use]
    pub fn allow_http_gateways(mut self) -> Self {
        Arc::make_mut(&mut self.settings).allow_http = true;
        self
    }

    /// The most bytes that a body may have, in either direction. 16 MiB without this call.
    ///
    /// Bodies are not held in memory, however long they are.
    #[must_use]
    pub fn body_limit(mut self, bytes: u64) -> Self {
        Arc::make_mut(&mut self.settings).body_limit = bytes;
        self
    }

    /// How long an exchange may stand still: how long no data may pass in either direction before
    /// the gateway has answered in full. No limit without this call.
    #[must_use]
    pub fn timeout(mut self, timeout: Timeout) -> Self {
        Arc::make_mut(&mut self.settings).timeout = Some(timeout);
        self
    }

    /// The pseudonym in the `Via` field of every request to a gateway (RFC 9110 §7.6.3).
    ///
    /// A request that has it already has come back to where it was, and gets a 508: otherwise a
    /// relay with a route to itself would go on forever. Replicas of one relay need one pseudonym
    /// for that, since a request can come back to any of them; so do relays with routes to each
    /// other. It is the same for all clients, so it tells a gateway who the relay is, and of the
    /// client nothing.
    #[must_use]
    pub fn pseudonym(mut self, pseudonym: Pseudonym) -> Self {
        Arc::make_mut(&mut self.settings).pseudonym = pseudonym;
        self
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
        // Readiness belongs to the one client that was asked: that one makes the call, and a
        // clone takes its place.
        let clone = self.client.clone();
        let mut client = mem::replace(&mut self.client, clone);
        let broken = mem::take(&mut self.broken);
        ResponseFuture::new(async move {
            let client = (!broken).then_some(&mut client);
            Ok(settings.answer(client, request).await)
        })
    }
}

impl Settings {
    /// The answer to `request`; without a client, there is none to be had from the gateway.
    async fn answer<S, B, RB>(
        &self,
        client: Option<&mut S>,
        request: Request<B>,
    ) -> Response<RelayResponseBody<RB>>
    where
        S: Service<Request<RelayRequestBody<B>>, Response = Response<RB>>,
        S::Error: Into<BoxError>,
        B: Body,
        RB: Body,
    {
        let Some(route) = self.routes.find(request.uri().path()) else {
            // The path is not logged: it is the client's text.
            tracing::debug!(status = 404, "no such route");
            return Refusal::NoRoute.into_response();
        };
        let (path, limit, timeout) = (&*route.path, self.body_limit, self.timeout.clone());
        let progress = Progress::default();
        let outgoing = outgoing(request, &route.gateway, &self.pseudonym, limit, progress.clone());
        let answer = match (outgoing, client) {
            (Ok((request, kind)), Some(client)) => {
                exchange(client, request, kind, limit, timeout, progress, path).await
            }
            (Ok(_), None) => Err(Refusal::Unreachable),
            (Err(refusal), _) => Err(refusal),
        };
        match answer {
            Ok(response) => {
                tracing::debug!(route = path, status = response.status().as_u16(), "relayed");
                response
            }
            Err(refusal) => {
                let status = refusal.status();
                if status.is_server_error() {
                    tracing::warn!(route = path, status = status.as_u16(), "{refusal:?}");
                } else {
                    tracing::debug!(route = path, status = status.as_u16(), "{refusal:?}");
                }
                refusal.into_response()
            }
        }
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
