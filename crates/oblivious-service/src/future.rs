//! The one future type of the services.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;

/// The future that a service returns: a response with body `B`, or an `E`.
///
/// Dropping it drops all that it holds, including the call to an inner service: a client that goes
/// away cancels the work done for it.
pub struct ResponseFuture<B, E> {
    inner: Pin<Box<dyn Future<Output = Result<Response<B>, E>> + Send>>,
}

impl<B, E> ResponseFuture<B, E> {
    /// Boxes `future`.
    pub fn new(future: impl Future<Output = Result<Response<B>, E>> + Send + 'static) -> Self {
        Self { inner: Box::pin(future) }
    }
}

impl<B, E> Future for ResponseFuture<B, E> {
    type Output = Result<Response<B>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.inner.as_mut().poll(cx)
    }
}

impl<B, E> fmt::Debug for ResponseFuture<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
