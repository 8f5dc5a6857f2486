//! The client's side of an exchange in chunks, one step at a time.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame};
use oblivious_bhttp::{
    Content, DecodeOptions, EncodeOptions, Framing, MessageBody, ReadResponse, encode_request_into,
    read_response,
};
use oblivious_gateway::{EncapsulatedBody, GatewayBody};
use oblivious_hpke::{
    ChunkLimits, ChunkOpener, ChunkSealer, PendingChunkedResponse, Provider, Recipient,
};
use oblivious_keys::Preferences;
use oblivious_service::{BoxError, collect};
use tokio::sync::mpsc;
use tower::{Service, ServiceExt};

use super::ring;

/// A body that gives what is sent to it, and counts how often it was asked.
#[derive(Debug)]
pub(crate) struct Pipe {
    receiver: mpsc::UnboundedReceiver<Result<Bytes, BoxError>>,
    pub(crate) taken: Arc<AtomicUsize>,
}

pub(crate) type Sender = mpsc::UnboundedSender<Result<Bytes, BoxError>>;

pub(crate) fn pipe() -> (Sender, Pipe) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Pipe { receiver, taken: Arc::default() })
}

impl Body for Pipe {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let next = self.receiver.poll_recv(cx);
        if let Poll::Ready(Some(Ok(_))) = &next {
            self.taken.fetch_add(1, Ordering::Relaxed);
        }
        next.map(|data| data.map(|data| data.map(Frame::data)))
    }
}

/// Seals a request chunk by chunk.
pub(crate) struct Sealing {
    sealer: Option<ChunkSealer>,
    out: BytesMut,
}

impl Sealing {
    pub(crate) fn start() -> (Self, PendingChunkedResponse) {
        let list = ring().config_list().unwrap();
        let recipient =
            Recipient::select(&list, &Preferences::default(), Provider::default()).unwrap();
        let mut out = BytesMut::new();
        let (sealer, pending) = recipient.start_chunked(&mut out, &limits()).unwrap();
        (Self { sealer: Some(sealer), out }, pending)
    }

    pub(crate) fn chunk(&mut self, data: &[u8]) -> Bytes {
        self.sealer.as_mut().unwrap().seal(data, &mut self.out).unwrap();
        self.out.split().freeze()
    }

    pub(crate) fn finish(&mut self, data: &[u8]) -> Bytes {
        self.sealer.take().unwrap().finish(data, &mut self.out).unwrap();
        self.out.split().freeze()
    }
}

pub(crate) fn limits() -> ChunkLimits {
    ChunkLimits::default()
}

/// The outer request with a body in chunks.
pub(crate) fn outer_chunked<B>(body: B) -> Request<B> {
    Request::post("/gateway")
        .header(header::CONTENT_TYPE, "message/ohttp-chunked-req")
        .header("incremental", "?1")
        .body(body)
        .unwrap()
}

/// Opens a response in chunks while it is read.
pub(crate) struct Opening<B> {
    body: B,
    opener: ChunkOpener,
    over: bool,
}

impl<B> Opening<B> {
    pub(crate) fn new(pending: PendingChunkedResponse, body: B) -> Self {
        Self { body, opener: pending.open(&limits()), over: false }
    }

    /// The response inside, read to its head.
    pub(crate) fn response(self, method: &Method) -> ReadResponse<Self>
    where
        B: Body<Data = Bytes, Error = BoxError> + Unpin,
    {
        read_response(self, method, &DecodeOptions::default())
    }
}

impl<B: Body<Data = Bytes, Error = BoxError> + Unpin> Body for Opening<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        loop {
            if self.over {
                return Poll::Ready(None);
            }
            if let Some(chunk) = self.opener.next_chunk()? {
                self.over = chunk.is_final;
                return Poll::Ready(Some(Ok(Frame::data(chunk.data))));
            }
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(frame) => {
                    let data = frame?.into_data().unwrap();
                    self.opener.push(&data);
                }
                None => self.opener.finish(),
            }
        }
    }
}

/// Reads a response body to its end.
pub(crate) async fn content<B>(body: MessageBody<B>) -> Result<Content, String>
where
    B: Body<Data = Bytes, Error = BoxError> + Unpin,
{
    let body = Box::pin(ErrorText(body));
    collect(body, usize::MAX).await.map_err(|error| format!("{error:?}"))
}

/// Makes the error of a body one that can be boxed.
struct ErrorText<B>(MessageBody<B>);

impl<B: Body<Data = Bytes, Error = BoxError> + Unpin> Body for ErrorText<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = Pin::new(&mut self.0).poll_frame(cx);
        frame.map(|frame| frame.map(|frame| frame.map_err(|error| format!("{error:?}").into())))
    }
}

/// The bytes of a POST with this content.
pub(crate) fn post(content: impl Into<Content>) -> BytesMut {
    let request = Request::post("https://example.com/").body(content.into()).unwrap();
    let mut message = BytesMut::new();
    let options = EncodeOptions::default().with_framing(Framing::IndeterminateLength);
    encode_request_into(&request, &options, &mut message).unwrap();
    message
}

/// The head of a POST whose content is to come.
pub(crate) fn post_head() -> Bytes {
    // Framing, control data, no field, and an empty header section's end.
    let message = post("x");
    message.freeze().slice(..1 + 5 + 6 + 12 + 2 + 1)
}

/// A chunk of content (RFC 9292 §3.2): its length, below 64, and the bytes.
pub(crate) fn piece(data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(data.len()).unwrap();
    assert!((1..64).contains(&length));
    [&[length], data].concat()
}

/// Collects the content and answers with it, and with a trailer.
pub(crate) async fn echo(request: Request<GatewayBody>) -> Result<Response<Content>, BoxError> {
    let content = collect(request.into_body(), usize::MAX).await?;
    let mut trailers = HeaderMap::new();
    trailers.insert("x-length", content.data.len().into());
    Ok(Response::new(content.with_trailers(trailers)))
}

pub(crate) async fn send<S, B>(gateway: S, body: B) -> Response<EncapsulatedBody>
where
    S: Service<Request<B>, Response = Response<EncapsulatedBody>, Error = Infallible>,
{
    gateway.oneshot(outer_chunked(body)).await.unwrap()
}

/// Opens an answer that is encapsulated in chunks.
pub(crate) async fn open(
    pending: PendingChunkedResponse,
    response: Response<EncapsulatedBody>,
) -> Response<MessageBody<Opening<EncapsulatedBody>>> {
    assert_eq!(response.status(), StatusCode::OK);
    let mut fields: Vec<_> = response.headers().keys().map(|name| name.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["cache-control", "content-type", "incremental"]);
    assert_eq!(response.headers()["content-type"], "message/ohttp-chunked-res");
    assert_eq!(response.headers()["cache-control"], "no-store");
    // RFC 10036
    assert_eq!(response.headers()["incremental"], "?1");
    Opening::new(pending, response.into_body()).response(&Method::GET).await.unwrap()
}
