//! The target service of a gateway that forwards: an HTTP client that passes on informational
//! responses.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use oblivious_http::gateway::InformationalSender;
use oblivious_http::service::BoxError;
use tower_service::Service;

use crate::http_client::HttpClient;
use crate::pieces::Pieces;

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
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if let Some(sender) = request.extensions().get::<InformationalSender>().cloned() {
            hyper::ext::on_informational(&mut request, move |received| {
                let mut response = Response::new(());
                *response.status_mut() = received.status();
                *response.headers_mut() = received.headers().clone();
                sender.send(response);
            });
        }
        let mut http_client = self.http_client.clone();
        if has_content_unannounced(&request) {
            return Box::pin(async move {
                let request = announce_content(request).await?;
                Ok(http_client.call(request).await?)
            });
        }
        let answer = http_client.call(request);
        Box::pin(async { Ok(answer.await?) })
    }
}

/// Whether hyper would take a body whose length is not known for none at all: it does so over
/// HTTP/1.1 for the methods that seldom have one.
fn has_content_unannounced<B: Body>(request: &Request<B>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
        && request.body().size_hint().exact().is_none()
        && !request.headers().contains_key(CONTENT_LENGTH)
}

/// Waits for the beginning of the body, and says in the header whether there is content
/// (RFC 9112 §6.3).
async fn announce_content<B>(
    request: Request<B>,
) -> Result<Request<UnsyncBoxBody<Bytes, BoxError>>, BoxError>
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (mut parts, body) = request.into_parts();
    let mut rest = Box::pin(Pieces::whole(body));
    let first = poll_fn(|cx| rest.as_mut().poll_frame(cx)).await.transpose()?;
    let body = match first {
        None => UnsyncBoxBody::default(),
        Some(_) => {
            parts.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            UnsyncBoxBody::new(Begun { first, rest })
        }
    };
    Ok(Request::from_parts(parts, body))
}

/// A body whose first frame has been read already.
struct Begun<B> {
    first: Option<Frame<Bytes>>,
    rest: Pin<Box<B>>,
}

impl<B: Body<Data = Bytes>> Body for Begun<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => self.rest.as_mut().poll_frame(cx),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
