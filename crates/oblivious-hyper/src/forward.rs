//! The target service of a gateway that forwards: an HTTP client that passes on informational
//! responses.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::{MapErr, UnsyncBoxBody};
use oblivious_gateway::{InformationalSender, TargetError};
use oblivious_service::BoxError;
use tokio::time::timeout;
use tower_service::Service;

use crate::bytes_body::BytesBody;
use crate::client::HttpClient;
use crate::http_error::HttpError;
use crate::informational::OnInformational;
use crate::response_body::ResponseBody;

/// How long the end of a request may lag behind its head.
const END_LIMIT: Duration = Duration::from_millis(50);

/// Sends each request to the server that its URI names. Redirects are not followed: they are
/// answers like any other, and the client decides.
///
/// Informational responses reach the client from targets that speak HTTP/1.1; for HTTP/2, hyper
/// does not hand them out.
#[derive(Clone, Debug)]
pub struct Forward {
    http_client: HttpClient,
}

impl Forward {
    /// Forwards with `http_client`.
    pub fn new(http_client: HttpClient) -> Self {
        Self { http_client }
    }
}

impl<B> Service<Request<B>> for Forward
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<TargetBody>;
    type Error = TargetError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<TargetBody>, TargetError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TargetError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if let Some(sender) = request.extensions().get::<InformationalSender>().cloned() {
            let tell = OnInformational::new(move |response| sender.send(response));
            request.extensions_mut().insert(tell);
        }
        let mut http_client = self.http_client.clone();
        if has_content_unannounced(&request) {
            return Box::pin(async move {
                let request = announce_content(request).await?;
                answer(http_client.call(request).await)
            });
        }
        let asking = http_client.call(request);
        Box::pin(async { answer(asking.await) })
    }
}

/// What a target sends, with an error that says what went wrong.
pub type TargetBody = MapErr<ResponseBody, fn(HttpError) -> TargetError>;

fn answer(
    response: Result<Response<ResponseBody>, HttpError>,
) -> Result<Response<TargetBody>, TargetError> {
    match response {
        Ok(response) => Ok(response.map(|body| body.map_err(failed as fn(_) -> _))),
        Err(error) => Err(failed(error)),
    }
}

/// Whether the connection failed, or what came over it.
fn failed(error: HttpError) -> TargetError {
    match error {
        HttpError::Connect(_) => TargetError::Unreachable,
        HttpError::NoResponse(_) | HttpError::BrokeOff(_) | HttpError::RequestBody(_) => {
            TargetError::BrokeOff
        }
        HttpError::Http2(error) if !error.is_parse() => TargetError::BrokeOff,
        _ => TargetError::InvalidResponse,
    }
}

/// Whether it must first be found out if there is content at all.
fn has_content_unannounced<B: Body>(request: &Request<B>) -> bool {
    request.body().size_hint().exact().is_none() && !request.headers().contains_key(CONTENT_LENGTH)
}

/// Says in the header whether there is content (RFC 9112 §6.3), as far as is known.
///
/// For GET and HEAD this waits for the content to begin: to many servers even an empty content is one
/// too many. For other methods it only waits as long as a request without content takes to
/// end: a client may send content only after it has seen what the target says.
async fn announce_content<B>(
    request: Request<B>,
) -> Result<Request<UnsyncBoxBody<Bytes, BoxError>>, TargetError>
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (mut parts, body) = request.into_parts();
    let waits = matches!(parts.method, Method::GET | Method::HEAD);
    let mut rest = Box::pin(BytesBody::new(body));
    let first = poll_fn(|cx| rest.as_mut().poll_frame(cx));
    let first = if waits { Ok(first.await) } else { timeout(END_LIMIT, first).await };
    let body = match first.map(Option::transpose) {
        // The gateway itself knows what was wrong with the request.
        Ok(Err(_)) => return Err(TargetError::Other),
        Ok(Ok(None)) => UnsyncBoxBody::default(),
        Ok(Ok(first)) => UnsyncBoxBody::new(Begun { first, rest }),
        Err(_) => UnsyncBoxBody::new(Begun { first: None, rest }),
    };
    if waits && !body.is_end_stream() {
        parts.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
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
