//! The gateway as a layer and a service.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use oblivious_bhttp::{DecodeOptions, Padding};
use oblivious_service::{BoxError, FullBody, ResponseFuture, Shared, Timeout};
use tower_layer::Layer;
use tower_service::Service;

use crate::{GatewayBody, GatewayKeys, TargetPolicy, exchange};

/// The default of [`GatewayLayer::body_limit`]: 4 MiB.
const DEFAULT_BODY_LIMIT: usize = 4 << 20;
/// The default of [`GatewayLayer::response_limit`]: 16 MiB.
const DEFAULT_RESPONSE_LIMIT: usize = 16 << 20;

/// Puts a gateway round a service that answers requests.
///
/// Without further settings it denies every target, takes encapsulated requests of 4 MiB and
/// responses of 16 MiB, does not pad, and sets no time limit: those need a timer, which only the
/// caller has.
#[derive(Clone, Debug)]
pub struct GatewayLayer {
    config: Config,
}

/// What a gateway has been told.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) keys: Shared<GatewayKeys>,
    pub(crate) policy: TargetPolicy,
    pub(crate) body_limit: usize,
    pub(crate) response_limit: usize,
    pub(crate) request_timeout: Option<Timeout>,
    pub(crate) target_timeout: Option<Timeout>,
    pub(crate) padding: Padding,
    pub(crate) decode_options: DecodeOptions,
}

impl GatewayLayer {
    /// A gateway that decapsulates with `keys`.
    pub fn new(keys: impl Into<Shared<GatewayKeys>>) -> Self {
        Self {
            config: Config {
                keys: keys.into(),
                policy: TargetPolicy::deny_all(),
                body_limit: DEFAULT_BODY_LIMIT,
                response_limit: DEFAULT_RESPONSE_LIMIT,
                request_timeout: None,
                target_timeout: None,
                padding: Padding::default(),
                decode_options: DecodeOptions::default(),
            },
        }
    }

    /// Sets which targets may be asked: an [`Origin`](crate::Origin), or a [`TargetPolicy`]. It
    /// replaces what was set before.
    #[must_use]
    pub fn allow(mut self, policy: impl Into<TargetPolicy>) -> Self {
        self.config.policy = policy.into();
        self
    }

    /// Sets the largest encapsulated request, in bytes; a larger one is answered with a 413.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.config.body_limit = bytes;
        self
    }

    /// Sets the largest content of a target's response, in bytes; a larger one becomes a 502.
    #[must_use]
    pub fn response_limit(mut self, bytes: usize) -> Self {
        self.config.response_limit = bytes;
        self
    }

    /// Sets how long an encapsulated request may take to arrive; a slower one is answered with a
    /// 408.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Timeout) -> Self {
        self.config.request_timeout = Some(timeout);
        self
    }

    /// Sets how long the target may take for its whole answer; a slower one becomes a 504.
    #[must_use]
    pub fn target_timeout(mut self, timeout: Timeout) -> Self {
        self.config.target_timeout = Some(timeout);
        self
    }

    /// Sets how responses are padded, so that their length tells less about them
    /// (RFC 9458 §6.2.3).
    #[must_use]
    pub fn pad_responses(mut self, padding: Padding) -> Self {
        self.config.padding = padding;
        self
    }

    /// Sets the limits, and the leniency, with which decapsulated requests are read.
    #[must_use]
    pub fn decode_options(mut self, options: DecodeOptions) -> Self {
        self.config.decode_options = options;
        self
    }
}

impl<S> Layer<S> for GatewayLayer {
    type Service = Gateway<S>;

    fn layer(&self, target: S) -> Gateway<S> {
        Gateway { config: Arc::new(self.config.clone()), target }
    }
}

/// A gateway round the service `S`, made by [`GatewayLayer`].
///
/// It takes a POST of an encapsulated request at any path, so the path is for a router to decide;
/// `/.well-known/ohttp-gateway` is the one that clients can guess (RFC 9540 §4).
///
/// It is always ready, and waits for the target's readiness within the exchange: even a target
/// that fails to become ready gets its client an encapsulated answer.
#[derive(Clone, Debug)]
pub struct Gateway<S> {
    config: Arc<Config>,
    target: S,
}

impl<S, B, T> Service<Request<B>> for Gateway<S>
where
    S: Service<Request<GatewayBody>, Response = Response<T>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
    T: Body + Send + 'static,
    T::Data: Send,
    T::Error: Into<BoxError>,
{
    type Response = Response<FullBody>;
    type Error = Infallible;
    type Future = ResponseFuture<FullBody, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (config, target) = (Arc::clone(&self.config), self.target.clone());
        ResponseFuture::new(async move { Ok(exchange::serve(&config, target, request).await) })
    }
}
