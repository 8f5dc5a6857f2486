//! Bodies that a test feeds, and a gateway in process for requests in chunks.

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::StreamBody;
use oblivious_client::{Client, ClientLayer};
use oblivious_gateway::{GatewayBody, GatewayKeys, GatewayLayer, Origin};
use oblivious_service::{BoxError, Content, collect};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tower::{Layer, Service};

/// What a fed body gives next.
pub(crate) type Fed = Result<Frame<Bytes>, BoxError>;

/// A body, and where its frames are put in.
pub(crate) fn fed() -> (Sender<Fed>, impl Body<Data = Bytes, Error = BoxError> + Send + Unpin) {
    let (sender, receiver) = channel(1);
    let frames = stream::unfold(receiver, |mut receiver: Receiver<Fed>| async {
        Some((receiver.recv().await?, receiver))
    });
    (sender, StreamBody::new(Box::pin(frames)))
}

pub(crate) fn data(text: &'static str) -> Fed {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

pub(crate) fn trailers(name: &'static str, value: &'static str) -> Fed {
    let value = http::HeaderValue::from_static(value);
    let name = http::HeaderName::from_static(name);
    Ok(Frame::trailers(HeaderMap::from_iter([(name, value)])))
}

pub(crate) fn post<B>(body: B) -> Request<B> {
    Request::post("https://example.com/x").body(body).unwrap()
}

/// Answers once it has all of the request.
pub(crate) async fn collected(
    request: Request<GatewayBody>,
) -> Result<Response<Content>, BoxError> {
    let collected = collect(request.into_body(), 1 << 20).await?;
    Ok(Response::new(Content::from(collected.data)))
}

/// The next of a body.
pub(crate) async fn next<B: Body + Unpin>(
    body: &mut B,
) -> Option<Result<Frame<B::Data>, B::Error>> {
    std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_frame(cx)).await
}

/// The next of a body, as text.
pub(crate) async fn next_text<B: Body<Data = Bytes, Error: std::fmt::Debug> + Unpin>(
    body: &mut B,
) -> String {
    let frame = next(body).await.expect("a frame").expect("no error");
    String::from_utf8(frame.into_data().expect("data").to_vec()).unwrap()
}

/// A client in chunks of a gateway with this target.
pub(crate) fn asking<T, R>(
    layer: ClientLayer,
    target: T,
) -> Client<<GatewayLayer as Layer<T>>::Service>
where
    T: Service<Request<GatewayBody>, Response = Response<R>> + Clone + Send + 'static,
{
    let gateway = GatewayLayer::new(GatewayKeys::from(super::ring(1)))
        .targets("https://example.com".parse::<Origin>().unwrap())
        .layer(target);
    layer.in_chunks().layer(gateway)
}
