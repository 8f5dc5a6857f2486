//! The target service of a gateway that forwards: an HTTP client that passes on informational
//! responses.

use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Error, ResponseFuture};
use oblivious_http::gateway::InformationalSender;
use oblivious_http::service::BoxError;
use tower_service::Service;

use crate::http_client::HttpClient;

/// Sends each request to the server that its URI names. Redirects are not followed: they are
/// answers like any other, for the client to decide on.
///
/// Informational responses reach the client from targets that speak HTTP/1.1; for HTTP/2, hyper
/// does not hand them out.
#[derive(Clone, Debug)]
pub struct Forward {
    http_client: HttpClient,
}

impl Forward {
    /// Forwards by way of `http_client`.
    pub fn new(http_client: HttpClient) -> Self {
        Self { http_client }
    }
}

impl<B> Service<Request<B>> for Forward
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Incoming>;
    type Error = Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> ResponseFuture {
        if let Some(sender) = request.extensions().get::<InformationalSender>().cloned() {
            hyper::ext::on_informational(&mut request, move |received| {
                let mut response = Response::new(());
                *response.status_mut() = received.status();
                *response.headers_mut() = received.headers().clone();
                sender.send(response);
            });
        }
        self.http_client.call(request)
    }
}
