//! Large messages in chunks through the real gateway, and how little of them it holds.

#![cfg(target_os = "linux")]

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body as AxumBody;
use axum::routing::{get, post};
use bytes::{Bytes, BytesMut};
use http::{Request, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use oblivious_http::bhttp::{DecodeOptions, EncodeOptions, EncodedBody, Framing, read_response};
use oblivious_http::hpke::{ChunkLimits, ChunkOpener, ChunkSealer, Provider, Recipient};
use oblivious_http::keys::{KeyConfigList, Preferences};
use oblivious_http::service::{BoxError, Content};
use oblivious_hyper::{HttpClient, server, tls};
use tower::ServiceExt;

use crate::programs::Server;
use crate::setup::send;

/// How long the large messages are; builds for debugging encrypt slowly.
const LARGE: u64 = if cfg!(debug_assertions) { 128 << 20 } else { 1 << 30 };

/// How much more memory the gateway may take for them.
const GROWTH: u64 = 32 << 20;

/// So many zero bytes, piece by piece.
pub(crate) struct Zeros(pub(crate) u64);

impl Body for Zeros {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        static PIECE: [u8; 16384] = [0; 16384];
        let length = self.0.min(PIECE.len() as u64);
        self.0 -= length;
        let piece = &PIECE[..usize::try_from(length).unwrap()];
        Poll::Ready((length > 0).then(|| Ok(Frame::data(Bytes::from_static(piece)))))
    }
}

/// Seals a message while it is read.
struct Sealed<B> {
    message: B,
    sealer: Option<ChunkSealer>,
    out: BytesMut,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Sealed<B>
where
    B::Error: std::fmt::Debug,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        while this.sealer.is_some() && this.out.len() < 16384 {
            match std::task::ready!(Pin::new(&mut this.message).poll_frame(cx)) {
                Some(frame) => {
                    let data = frame.unwrap().into_data().unwrap();
                    this.sealer.as_mut().unwrap().seal(&data, &mut this.out).unwrap();
                }
                None => this.sealer.take().unwrap().finish(&[], &mut this.out).unwrap(),
            }
        }
        let out = this.out.split().freeze();
        Poll::Ready((!out.is_empty()).then(|| Ok(Frame::data(out))))
    }
}

/// Opens a message while it is read.
struct Opened<B> {
    body: B,
    opener: ChunkOpener,
    over: bool,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Opened<B>
where
    B::Error: Into<BoxError>,
{
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
                    let data = frame.map_err(Into::into)?.into_data().unwrap_or_default();
                    self.opener.push(&data);
                }
                None => self.opener.finish(),
            }
        }
    }
}

/// A target that sends and takes as much as it is asked to.
async fn target() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let count = async |mut body: AxumBody| {
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            length += frame.unwrap().into_data().map_or(0, |data| data.len() as u64);
        }
        length.to_string()
    };
    let router = Router::new()
        .route("/zeros", get(async || AxumBody::new(Zeros(LARGE))))
        .route("/count", post(count));
    tokio::spawn(server::serve(listener, None, router, std::future::pending()));
    origin
}

fn gateway_for(target: &str) -> Server {
    // Trace logs of a large message are large.
    Server::start_with(
        "gateway",
        &["--generate-key", "--admin", "127.0.0.1:0", "--allow-target", target],
        &[("RUST_LOG", "info")],
    )
}

/// The answer to a request in chunks, read to its head.
pub(crate) async fn exchange<B>(
    gateway: &Server,
    request: Request<B>,
) -> http::Response<impl Body<Data = Bytes, Error: std::fmt::Debug> + Unpin>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Debug + Send,
{
    let keys = Request::get(gateway.url("/ohttp-keys")).body(Content::default()).unwrap();
    let list = KeyConfigList::decode(&send(keys).await.body).unwrap();
    let recipient = Recipient::select(&list, &Preferences::default(), Provider::default()).unwrap();
    let mut out = BytesMut::new();
    let limits = ChunkLimits::default();
    let (sealer, pending) = recipient.start_chunked(&mut out, &limits).unwrap();
    let method = request.method().clone();
    let options = EncodeOptions::default().with_framing(Framing::IndeterminateLength);
    let message = EncodedBody::from_request(request, &options);
    let sealed = Sealed { message: message.unwrap(), sealer: Some(sealer), out };
    let outer = Request::post(gateway.url("/gateway"))
        .header(header::CONTENT_TYPE, "message/ohttp-chunked-req")
        .body(sealed)
        .unwrap();
    let client = HttpClient::new(tls::client_config(None).unwrap());
    let response = client.oneshot(outer).await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "message/ohttp-chunked-res");
    assert_eq!(response.headers()["incremental"], "?1");
    let body = response.into_body();
    let opened = Opened { body, opener: pending.open(&limits), over: false };
    read_response(opened, &method, &DecodeOptions::default()).await.unwrap()
}

/// The resident memory of a process, in bytes.
pub(crate) fn memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_take_little_memory() {
    let target = target().await;
    let gateway = gateway_for(&target);
    let get = || Request::get(format!("{target}/zeros")).body(Zeros(0)).unwrap();
    let post = |length| Request::post(format!("{target}/count")).body(Zeros(length)).unwrap();
    // What the first exchange takes for good is not of the message.
    exchange(&gateway, post(1)).await;
    let before = memory(&gateway);

    let mut answer = exchange(&gateway, get()).await.into_body();
    let (mut length, mut most) = (0, 0);
    while let Some(frame) = answer.frame().await {
        length += frame.unwrap().into_data().unwrap().len() as u64;
        if length % (16 << 20) < 16384 {
            most = most.max(memory(&gateway));
        }
    }
    assert_eq!(length, LARGE);

    let answer = exchange(&gateway, post(LARGE)).await.into_body();
    most = most.max(memory(&gateway));
    assert_eq!(answer.collect().await.unwrap().to_bytes(), LARGE.to_string());
    most = most.max(memory(&gateway));
    let growth = most.saturating_sub(before);
    eprintln!("{LARGE} bytes each way: memory grew by {growth} bytes");
    assert!(growth < GROWTH, "{growth}");
}

/// Back-pressure, to the target and through all sockets.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_reading_stops_the_target() {
    let target = target().await;
    let gateway = gateway_for(&target);
    exchange(&gateway, Request::post(format!("{target}/count")).body(Zeros(1)).unwrap()).await;
    let before = memory(&gateway);
    let request = Request::get(format!("{target}/zeros")).body(Zeros(0)).unwrap();
    let mut answer = exchange(&gateway, request).await.into_body();
    answer.frame().await.unwrap().unwrap();
    // Long enough for a gateway that does not wait to have taken all of it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let growth = memory(&gateway).saturating_sub(before);
    assert!(growth < GROWTH, "{growth}");
    assert!(answer.frame().await.unwrap().is_ok(), "and then it goes on");
}

/// Whoever sends garbage takes time, and no memory.
#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_leave_no_trace() {
    let gateway = gateway_for("https://example.com");
    let rounds = if cfg!(debug_assertions) { 10 } else { 100 };
    let client = HttpClient::new(tls::client_config(None).unwrap());
    let keys = Request::get(gateway.url("/ohttp-keys")).body(Content::default()).unwrap();
    let header = send(keys).await.body.slice(2..3);
    let bad = |number: usize| {
        let mut body = vec![7; number % 500];
        if let Some(start) = body.get_mut(..7) {
            start.copy_from_slice(&[header[0], 0, 0x20, 0, 1, 0, 1]);
        }
        let kind = ["message/ohttp-req", "message/ohttp-chunked-req", "text/plain"][number % 3];
        Request::post(gateway.url("/gateway"))
            .header(header::CONTENT_TYPE, kind)
            .body(Content::from(body))
            .unwrap()
    };
    let mut after_first = 0;
    for round in 0..rounds {
        for number in 0..1000 {
            let response = client.clone().oneshot(bad(number)).await.unwrap();
            assert!(response.status().is_client_error());
            response.into_body().collect().await.unwrap();
        }
        if round == 0 {
            after_first = memory(&gateway);
        }
    }
    let growth = memory(&gateway).saturating_sub(after_first);
    assert!(growth < 4 << 20, "{growth}");
}
