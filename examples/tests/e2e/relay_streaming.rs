//! Large messages through the real relay, slow readers and slow writers, and how little of them it
//! holds. Client and gateway are played here: to a relay, what is encapsulated could be anything.

#![cfg(target_os = "linux")]

use std::time::Duration;

use axum::Router;
use axum::body::Body as AxumBody;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use futures::channel::mpsc;
use futures::{SinkExt, StreamExt, TryStreamExt};
use http::{Request, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use oblivious_http::service::BoxError;
use oblivious_hyper::{HttpClient, server, tls};
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::programs::Server;
use crate::streaming::{Zeros, memory};
use crate::tls::certificate;

/// How long the large messages are; builds for debugging are slow.
const LARGE: u64 = if cfg!(debug_assertions) { 128 << 20 } else { 1 << 30 };

/// How much more memory the relay may take for them.
const GROWTH: u64 = 16 << 20;

/// A relay, between a client and a gateway that are played here.
struct Between {
    relay: Server,
    url: String,
    client: HttpClient,
}

impl Between {
    /// In clear over HTTP/1.1, or with TLS over HTTP/2 on both sides.
    async fn start(with_tls: bool, arguments: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = certificate(&format!("relay-streaming-{port}"));
        let config = || tls::server_config(own.cert.path().as_ref(), own.key.path().as_ref(), None);
        let server_tls = with_tls.then(|| config().unwrap());
        tokio::spawn(server::serve(listener, server_tls, gateway(), std::future::pending()));

        let limit = (4 * LARGE).to_string();
        let limits = ["--body-limit", &limit];
        // Trace logs of a large message are large.
        let start = |fixed: &[&str]| {
            let arguments = [&limits[..], fixed, arguments].concat();
            Server::start_with("relay", &arguments, &[("RUST_LOG", "info")])
        };
        let relay = if with_tls {
            let gateway = format!("https://localhost:{port}/");
            let files = [own.cert.path(), own.key.path(), own.ca.path()];
            let [cert, key, ca] = files;
            start(&["--tls-cert", cert, "--tls-key", key, "--ca", ca, "--gateway", &gateway])
        } else {
            start(&["--gateway", &format!("http://127.0.0.1:{port}/"), "--allow-http-gateway"])
        };
        let url = match with_tls {
            true => {
                format!("https://localhost:{}/gateway", relay.origin.rsplit_once(':').unwrap().1)
            }
            false => relay.url("/gateway"),
        };
        let ca = std::fs::read_to_string(own.ca.path()).unwrap();
        let client = HttpClient::new(tls::client_config(Some(&ca)).unwrap());
        Self { relay, url, client }
    }

    /// Asks the gateway for so many bytes, and sends it a body.
    async fn ask<B>(
        &self,
        wanted: u64,
        body: B,
    ) -> Response<impl Body<Data = Bytes, Error: std::fmt::Debug> + Send + Unpin + use<B>>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        // What the gateway is to do cannot be in a field: the relay passes none on.
        let wanted = Bytes::copy_from_slice(&wanted.to_be_bytes());
        let request = Request::post(&self.url)
            .header(header::CONTENT_TYPE, "message/ohttp-chunked-req")
            .header("incremental", "?1")
            .body(chained(Full::new(wanted), body))
            .unwrap();
        let response = self.client.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        response
    }
}

/// The frames of one body, and then those of another.
fn chained<A, B>(first: A, next: B) -> impl Body<Data = Bytes, Error = BoxError> + Send + 'static
where
    A: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let next = TryStreamExt::map_err(BodyStream::new(next), Into::into);
    StreamBody::new(TryStreamExt::map_err(BodyStream::new(first), Into::into).chain(next))
}

/// A body that is sent bit by bit, and ends with its sender.
fn piped() -> (mpsc::Sender<Bytes>, impl Body<Data = Bytes, Error = BoxError> + Send + 'static) {
    let (sender, receiver) = mpsc::channel(0);
    (sender, StreamBody::new(receiver.map(|data| Ok(Frame::data(data)))))
}

/// Sends as many bytes as the first eight of the request say, and after them how many more of the
/// request there were, once it has read them.
fn gateway() -> Router {
    let answer = async |mut request: AxumBody| {
        let mut first = Vec::new();
        while first.len() < 8 {
            let frame = request.frame().await.unwrap().unwrap();
            first.extend_from_slice(&frame.into_data().unwrap());
        }
        let wanted = u64::from_be_bytes(first[..8].try_into().unwrap());
        let mut length = first.len() as u64 - 8;
        let (mut sender, counted) = piped();
        tokio::spawn(async move {
            while let Some(Ok(frame)) = request.frame().await {
                length += frame.into_data().map_or(0, |data| data.len() as u64);
            }
            let _ = sender.send(Bytes::from(length.to_string())).await;
        });
        Response::builder()
            .header(header::CONTENT_TYPE, "message/ohttp-chunked-res")
            .header("incremental", "?1")
            .body(AxumBody::new(chained(Zeros(wanted), counted)))
            .unwrap()
    };
    Router::new().route("/", post(answer))
}

/// Over both versions of HTTP, with TLS and without.
#[tokio::test(flavor = "multi_thread")]
async fn large_messages_take_little_memory_in_the_relay() {
    for with_tls in [false, true] {
        let between = Between::start(with_tls, &[]).await;
        // What the first exchange takes for good is not of the message.
        between.ask(1, Zeros(1)).await.into_body().collect().await.unwrap();
        let before = memory(&between.relay);

        let (mut length, mut most) = (0, 0);
        let mut answer = between.ask(LARGE, Zeros(0)).await.into_body();
        while let Some(frame) = answer.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            if length / (16 << 20) != (length + data.len() as u64) / (16 << 20) {
                most = most.max(memory(&between.relay));
            }
            length += data.len() as u64;
        }
        assert_eq!(length, LARGE + 1, "and the number of bytes sent, which was 0");

        let counted = tokio::spawn({
            let answer = between.ask(0, Zeros(LARGE)).await.into_body();
            async { answer.collect().await.unwrap().to_bytes() }
        });
        while !counted.is_finished() {
            most = most.max(memory(&between.relay));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(counted.await.unwrap(), LARGE.to_string());
        let growth = most.saturating_sub(before);
        eprintln!("{LARGE} bytes each way, TLS: {with_tls}: memory grew by {growth} bytes");
        assert!(growth < GROWTH, "{growth}");
    }
}

/// Back-pressure, to the gateway and through all sockets.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_reading_stops_the_gateway() {
    for with_tls in [false, true] {
        let between = Between::start(with_tls, &[]).await;
        between.ask(1, Zeros(1)).await.into_body().collect().await.unwrap();
        let before = memory(&between.relay);
        let mut answer = between.ask(LARGE, Zeros(0)).await.into_body();
        answer.frame().await.unwrap().unwrap();
        // Long enough for a relay that does not wait to have taken all of it.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let growth = memory(&between.relay).saturating_sub(before);
        assert!(growth < GROWTH, "{growth}");
        // It goes on for a reader that is slow and does not stop.
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            answer.frame().await.unwrap().unwrap();
        }
    }
}

async fn send_piece(client: &mut mpsc::Sender<Bytes>) {
    client.send(Bytes::from_static(&[0; 1000])).await.unwrap();
}

/// A client that is slow is served as long as it does not stop, for longer than the limit.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_writes_slowly_is_served_and_one_that_stops_is_not() {
    for with_tls in [false, true] {
        let between = Between::start(with_tls, &["--idle-timeout", "0.6"]).await;
        let (mut client, body) = piped();
        let mut answer = between.ask(1, body).await.into_body();
        assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap().len(), 1);
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            send_piece(&mut client).await;
        }
        drop(client);
        assert_eq!(answer.collect().await.unwrap().to_bytes(), "10000");

        let (mut client, body) = piped();
        let mut answer = between.ask(1, body).await.into_body();
        answer.frame().await.unwrap().unwrap();
        send_piece(&mut client).await;
        let stopped = tokio::time::timeout(Duration::from_secs(10), answer.collect()).await;
        assert!(stopped.unwrap().is_err(), "the answer breaks off");
    }
}
