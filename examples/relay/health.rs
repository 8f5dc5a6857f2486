//! The path that says that the program runs.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use oblivious_http::relay::RelayResponseBody;
use oblivious_http::service::{Content, ResponseFuture};
use tower_service::Service;

/// Answers requests for one path, and leaves all others to a relay.
///
/// A router would do the same, but it allocates several times for each request that it passes on.
#[derive(Clone)]
pub(crate) struct WithHealth<S> {
    path: Arc<str>,
    relay: S,
}

impl<S> WithHealth<S> {
    pub(crate) fn new(path: &str, relay: S) -> Self {
        Self { path: path.into(), relay }
    }
}

impl<S, A, B> Service<Request<A>> for WithHealth<S>
where
    S: Service<Request<A>, Response = Response<RelayResponseBody<B>>, Error = Infallible>,
    S: Service<Request<A>, Future = ResponseFuture<RelayResponseBody<B>, Infallible>>,
    B: Send + 'static,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.relay.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        if request.uri().path() == &*self.path {
            return ResponseFuture::new(ready(Ok(health(request.method()))));
        }
        self.relay.call(request)
    }
}

fn health<B>(method: &Method) -> Response<RelayResponseBody<B>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut response = Response::new(Content::default().into());
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let mut response = Response::new(Content::from("ok\n").into());
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}
