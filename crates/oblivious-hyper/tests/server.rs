//! The limits and the TLS of the server, over real sockets.

use std::collections::HashSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::{Router, routing::any};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use oblivious_hyper::server::{Options, serve_with};
use oblivious_hyper::{HttpClient, RequestBody, Workers, self_signed, tls};
use oblivious_service::{BoxError, Live};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower::{Service, ServiceExt, service_fn};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// A body without an end, which tells when it is dropped: the channel closes.
struct Endless(#[expect(dead_code)] mpsc::Sender<()>);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 16 * 1024])))))
    }
}

/// A server whose one answer never ends, its address, and what tells that the answer was dropped.
async fn endless(options: Options) -> (SocketAddr, mpsc::Receiver<()>) {
    let (held, dropped) = mpsc::channel(1);
    let held = Arc::new(Mutex::new(Some(held)));
    let endless = service_fn(move |_: Request<RequestBody>| {
        let body = Endless(held.lock().unwrap().take().unwrap());
        async { Ok::<_, Infallible>(Response::new(body)) }
    });
    (start(options, endless).await, dropped)
}

/// A server without an end, and its address.
async fn start<S, B>(options: Options, service: S) -> SocketAddr
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve_with(listener, options, service, std::future::pending()));
    address
}

/// An HTTP/2 connection, and what is ready when it has been closed.
async fn http2_to(address: SocketAddr) -> (http2::SendRequest<Empty<Bytes>>, JoinHandle<()>) {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    (sender, tokio::spawn(async { drop(connection.await) }))
}

fn get() -> Request<Empty<Bytes>> {
    Request::get("http://a/").header("host", "a").body(Empty::new()).unwrap()
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_cut_off() {
    let options = Options { write_timeout: Duration::from_millis(200), ..Options::default() };
    let (address, mut dropped) = endless(options).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert_eq!(timeout(LONG, dropped.recv()).await, Ok(None));
}

/// It never stands still, and would take the rest of the day.
#[tokio::test]
async fn a_reader_that_takes_a_byte_now_and_then_is_cut_off() {
    let app = Router::new().route("/", any(|| async { vec![b'x'; 32 << 20] }));
    let exchange_timeout = Duration::from_millis(300);
    let address = start(Options { exchange_timeout, ..Options::default() }, app).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    for _ in 0..10 {
        stream.read_u8().await.unwrap();
        tokio::time::sleep(exchange_timeout / 5).await;
    }
    let mut rest = Vec::new();
    let _ = timeout(LONG, stream.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.len() < 32 << 20, "{}", rest.len());
}

/// The limit is that of an exchange, and not that of the connection it comes by.
#[tokio::test]
async fn each_exchange_of_a_connection_has_a_time_of_its_own() {
    let app = Router::new().route("/", any(|| async { "hello" }));
    let exchange_timeout = Duration::from_secs(2);
    let address = start(Options { exchange_timeout, ..Options::default() }, app).await;
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..6 {
        sender.ready().await.unwrap();
        let answer = sender.send_request(get()).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "hello");
        tokio::time::sleep(exchange_timeout / 3).await;
    }
}

/// The connection is alive, and takes all that is sent; but the stream may send no more.
#[tokio::test]
async fn a_stream_that_is_given_no_window_is_cut_off() {
    let workers = Some(Workers::start(None).unwrap());
    let exchange_timeout = Duration::from_millis(200);
    let (address, mut dropped) =
        endless(Options { exchange_timeout, workers, ..Options::default() }).await;
    let (mut sender, _) = http2_to(address).await;
    // Held, and never read.
    let response = sender.send_request(get()).await.unwrap();
    assert_eq!(timeout(LONG, dropped.recv()).await, Ok(None));
    assert!(response.into_body().collect().await.is_err(), "it must not look complete");
}

/// What is longer than the window comes in one frame, and must not wait in the server's memory
/// instead.
#[tokio::test]
async fn an_answer_that_finds_no_window_is_cut_off() {
    let app = Router::new().route("/", any(|| async { vec![b'x'; 8 << 20] }));
    let write_timeout = Duration::from_millis(200);
    let address = start(Options { write_timeout, ..Options::default() }, app).await;
    let (mut sender, _) = http2_to(address).await;
    let unread = sender.send_request(get()).await.unwrap();
    let read = sender.send_request(get()).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(read.to_bytes().len(), 8 << 20, "who reads gets all");
    tokio::time::sleep(4 * write_timeout).await;
    assert!(unread.into_body().collect().await.is_err(), "it must not come complete");
}

#[tokio::test]
async fn a_peer_that_never_gives_any_window_is_cut_off() {
    let options = Options { write_timeout: Duration::from_millis(200), ..Options::default() };
    let (address, mut dropped) = endless(options).await;
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let mut client = http2::Builder::new(TokioExecutor::new());
    let client = client.initial_stream_window_size(0).handshake(stream).await;
    let (mut sender, connection) = client.unwrap();
    tokio::spawn(connection);
    let _unread = sender.send_request(get()).await.unwrap();
    assert_eq!(timeout(LONG, dropped.recv()).await, Ok(None));
}

#[tokio::test]
async fn an_http2_connection_without_requests_is_closed_and_one_with_is_not() {
    let head_timeout = Duration::from_millis(200);
    let slow = move || async move {
        tokio::time::sleep(4 * head_timeout).await;
        "slow"
    };
    let app = Router::new().route("/", any(slow));
    let address = start(Options { head_timeout, ..Options::default() }, app).await;
    let (mut sender, closed) = http2_to(address).await;
    let answer = sender.send_request(get()).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "slow");
    timeout(LONG, closed).await.unwrap().unwrap();
}

/// One connection may be all that a relay has: its requests are spread, and each is waited for at
/// the end, wherever it runs.
#[tokio::test]
async fn the_streams_of_a_connection_keep_all_workers_busy_and_finish() {
    // A few stay with the connection.
    const STREAMS: usize = 8;
    let begun = Arc::new(Barrier::new(STREAMS + 1));
    let go_on = Arc::new(Barrier::new(STREAMS + 1));
    let (begin, wait) = (begun.clone(), go_on.clone());
    let answer = move || async move {
        begin.wait().await;
        wait.wait().await;
        format!("{:?}", std::thread::current().id())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let workers = Some(Workers::start(NonZeroUsize::new(2)).unwrap());
    let app = Router::new().route("/", any(answer));
    let (stop, stopped) = oneshot::channel::<()>();
    let server =
        tokio::spawn(serve_with(listener, Options { workers, ..Options::default() }, app, async {
            drop(stopped.await)
        }));
    let (mut sender, _) = http2_to(address).await;
    let asked = [0; STREAMS].map(|_| tokio::spawn(sender.send_request(get())));
    timeout(LONG, begun.wait()).await.unwrap();
    stop.send(()).unwrap();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    timeout(LONG, go_on.wait()).await.unwrap();
    let mut threads = HashSet::new();
    for answer in asked {
        let answer = answer.await.unwrap().unwrap();
        threads.insert(answer.into_body().collect().await.unwrap().to_bytes());
    }
    assert_eq!(threads.len(), 2);
    drop(sender);
    timeout(LONG, server).await.unwrap().unwrap();
}

#[tokio::test]
async fn every_worker_answers() {
    let workers = Workers::start(NonZeroUsize::new(2)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = Options { workers: Some(workers), ..Options::default() };
    let thread = || async { format!("{:?}", std::thread::current().id()) };
    let app = Router::new().route("/", any(thread));
    tokio::spawn(serve_with(listener, options, app, std::future::pending()));
    let mut threads = HashSet::new();
    let mut connections = Vec::new();
    for _ in 0..2 {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut sender, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get("/").header("host", "a").body(Empty::<Bytes>::new());
        let response = sender.send_request(request.unwrap()).await.unwrap();
        threads.insert(response.into_body().collect().await.unwrap().to_bytes());
        connections.push(sender);
    }
    assert_eq!(threads.len(), 2);
}

#[tokio::test]
async fn a_connection_too_many_waits_for_one_to_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = Options { max_connections: 1, ..Options::default() };
    let app = Router::new().route("/", any(|| async { "served" }));
    tokio::spawn(serve_with(listener, options, app, std::future::pending()));
    let mut buffer = [0; 1024];
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert_ne!(first.read(&mut buffer).await.unwrap(), 0);
    let mut second = TcpStream::connect(address).await.unwrap();
    second.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert!(timeout(Duration::from_millis(200), second.read(&mut buffer)).await.is_err());
    drop(first);
    assert_ne!(timeout(LONG, second.read(&mut buffer)).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_replaced_certificate_is_shown_to_new_connections() {
    let (old, old_ca) = self_signed(&["localhost"]).unwrap();
    let (new, new_ca) = self_signed(&["localhost"]).unwrap();
    let config = Live::new(old);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let options = Options { tls: Some(config.clone()), ..Options::default() };
    let app = Router::new().route("/", any(|| async { "served" }));
    tokio::spawn(serve_with(listener, options, app, std::future::pending()));
    // Each trusts one authority only, and connects anew.
    let trusted = async |ca: &str| {
        let client = HttpClient::new(tls::client_config(Some(ca)).unwrap());
        let request = Request::get(&uri).body(axum::body::Body::empty()).unwrap();
        client.oneshot(request).await.is_ok()
    };
    assert!(trusted(&old_ca).await && !trusted(&new_ca).await);
    config.replace(new);
    assert!(trusted(&new_ca).await && !trusted(&old_ca).await);
}
