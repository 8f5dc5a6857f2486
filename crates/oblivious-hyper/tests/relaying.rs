//! The shared plumbing over real sockets: a relay between a client and a gateway, with TLS on
//! both sides.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use oblivious_hyper::server::{PeerAddr, serve};
use oblivious_hyper::{Forward, HttpClient, RequestBody, self_signed, tls};
use oblivious_relay::Relay;
use oblivious_service::{BoxError, Timeout, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tower::{Service, ServiceExt, service_fn};

/// A server in the background, which ends with the test.
struct Server {
    address: SocketAddr,
    /// The authority to trust.
    ca: String,
    stop: oneshot::Sender<()>,
    done: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start<S, B>(service: S) -> Self
    where
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send,
        B: http_body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let (config, ca) = self_signed(&["127.0.0.1", "localhost"]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let stopped = async { _ = stopped.await };
        let done = tokio::spawn(serve(listener, Some(config), service, stopped));
        Self { address, ca, stop, done }
    }

    fn uri(&self, path: &str) -> http::Uri {
        format!("https://localhost:{}{path}", self.address.port()).parse().unwrap()
    }

    fn client(&self) -> HttpClient {
        HttpClient::new(tls::client_config(Some(&self.ca)).unwrap())
    }
}

/// A request to a relay, from a client that has much to tell.
fn sealed(uri: http::Uri, body: impl Into<Body>) -> Request<Body> {
    Request::post(uri)
        .header("content-type", "message/ohttp-req")
        .header("user-agent", "curl/8")
        .header("cookie", "who=me")
        .header("x-forwarded-for", "192.0.2.7")
        .body(body.into())
        .unwrap()
}

fn relay_before(gateway: &Server) -> Relay<HttpClient> {
    Relay::new(gateway.client())
        .route("/gateway", gateway.uri("/gateway"))
        .unwrap()
        .idle_timeout(Timeout::new(Duration::from_secs(30), TokioTimer))
}

async fn echo(request: Request<RequestBody>) -> Result<Response<Full<Bytes>>, Infallible> {
    let data = request.into_body().collect().await.map(|body| body.to_bytes());
    Ok(Response::builder()
        .header("content-type", "message/ohttp-res")
        .header("set-cookie", "who=you")
        .body(Full::new(data.unwrap_or_default()))
        .unwrap())
}

/// RFC 9458 §6.2, on the wire: hyper and TLS add nothing to what the relay leaves out.
#[tokio::test]
async fn a_request_goes_through_and_leaves_the_client_behind() {
    let seen: Arc<Mutex<Vec<(HeaderMap, Version, SocketAddr)>>> = Arc::default();
    let gateway = {
        let seen = seen.clone();
        Server::start(service_fn(move |request: Request<RequestBody>| {
            let peer = request.extensions().get::<PeerAddr>().unwrap().0;
            seen.lock().unwrap().push((request.headers().clone(), request.version(), peer));
            echo(request)
        }))
        .await
    };
    let peers: Arc<Mutex<Vec<SocketAddr>>> = Arc::default();
    let relay = {
        let (peers, relay) = (peers.clone(), relay_before(&gateway));
        Server::start(service_fn(move |request: Request<RequestBody>| {
            peers.lock().unwrap().push(request.extensions().get::<PeerAddr>().unwrap().0);
            relay.clone().oneshot(request)
        }))
        .await
    };

    let client = relay.client();
    let data = vec![7; 1024 * 1024];
    let request = sealed(relay.uri("/gateway?who=me"), data.clone());
    let response = client.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.version(), Version::HTTP_2);
    assert!(!response.headers().contains_key("set-cookie"));
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), data);

    let seen = seen.lock().unwrap();
    let [(headers, version, peer)] = &seen[..] else { panic!("{seen:?}") };
    let mut names: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "content-type", "via"]);
    assert_eq!(*version, Version::HTTP_2);
    // The gateway is connected to the relay, and the relay to the client.
    assert_ne!(*peer, peers.lock().unwrap()[0]);
}

#[tokio::test]
async fn a_router_with_a_relay_in_it_is_served() {
    let gateway = Server::start(service_fn(echo)).await;
    let relay = relay_before(&gateway).body_limit(1000);
    let relay = Server::start(Router::new().fallback_service(relay)).await;
    let client = relay.client();

    let response = client.clone().oneshot(sealed(relay.uri("/gateway"), "x")).await.unwrap();
    assert_eq!(response.status(), 200);
    let response = client.clone().oneshot(sealed(relay.uri("/"), "x")).await.unwrap();
    assert_eq!(response.status(), 404);

    // Of a body without a length, that it is too long is seen only half-way.
    let frame = http_body::Frame::data(Bytes::from_static(&[0; 600]));
    let frames = [Ok::<_, Infallible>(frame), Ok(http_body::Frame::data(vec![0; 600].into()))];
    let body = StreamBody::new(stream(frames));
    let request = sealed(relay.uri("/gateway"), Body::new(body));
    let response = client.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 413);

    // A gateway that is gone.
    gateway.stop.send(()).unwrap();
    gateway.done.await.unwrap();
    let response = client.oneshot(sealed(relay.uri("/gateway"), "x")).await.unwrap();
    assert_eq!(response.status(), 502);
}

/// A stream of what is there already.
fn stream<I: IntoIterator>(items: I) -> impl futures_core::Stream<Item = I::Item>
where
    I::IntoIter: Unpin,
{
    struct Items<I>(I);
    impl<I: Iterator + Unpin> futures_core::Stream for Items<I> {
        type Item = I::Item;
        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<I::Item>> {
            std::task::Poll::Ready(self.0.next())
        }
    }
    Items(items.into_iter())
}

/// A client that is not yet through with sending gets the answer all the same, instead of a
/// connection that was reset under it.
#[tokio::test]
async fn an_early_answer_leaves_the_connection_whole() {
    let early = service_fn(|_| async { Ok(Response::new(Full::new(Bytes::from("early")))) });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    tokio::spawn(serve(listener, None, early, std::future::pending()));
    for _ in 0..3 {
        stream
            .write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\nbegin")
            .await
            .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"early") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "connection closed");
        }
        stream.write_all(&[0; 100_000 - 5]).await.unwrap();
    }
}

/// RFC 9458 §6.5: no request is sent twice, not even when its connection breaks.
#[tokio::test]
async fn a_request_on_a_broken_connection_is_not_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = format!("http://{}/gateway", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(0));
    let counted = requests.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            // One good answer, then the connection breaks at the second request.
            let mut buffer = [0; 4096];
            for answer in [
                &b"HTTP/1.1 200 OK\r\ncontent-type: message/ohttp-res\r\ncontent-length: 0\r\n\r\n"
                    [..],
                b"",
            ] {
                if stream.read(&mut buffer).await.unwrap_or(0) == 0 {
                    break;
                }
                *counted.lock().unwrap() += 1;
                stream.write_all(answer).await.unwrap();
            }
        }
    });
    let relay = Relay::new(HttpClient::new(tls::client_config(None).unwrap()))
        .allow_http_gateways()
        .route("/gateway", gateway.parse().unwrap())
        .unwrap();
    let send = || relay.clone().oneshot(sealed("/gateway".parse().unwrap(), ""));
    assert_eq!(send().await.unwrap().status(), 200);
    assert_eq!(send().await.unwrap().status(), 502);
    assert_eq!(*requests.lock().unwrap(), 2);
}

/// A client that goes away is noticed at the gateway.
#[tokio::test]
async fn a_client_that_goes_away_cancels_the_call_to_the_gateway() {
    let (called, mut calls) = tokio::sync::mpsc::channel::<oneshot::Receiver<()>>(1);
    let gateway = Server::start(service_fn(move |_: Request<RequestBody>| {
        let called = called.clone();
        async move {
            // Dropped with this future.
            let (_held, dropped) = oneshot::channel::<()>();
            called.send(dropped).await.unwrap();
            std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>().await
        }
    }))
    .await;
    let relay = Server::start(relay_before(&gateway)).await;
    let exchange = tokio::spawn(relay.client().oneshot(sealed(relay.uri("/gateway"), "x")));
    let dropped = calls.recv().await.unwrap();
    exchange.abort();
    // Ready, with an error, as soon as the other half is gone.
    assert!(dropped.await.is_err());
}

#[tokio::test]
async fn shutdown_waits_for_what_is_under_way() {
    let (called, mut calls) = tokio::sync::mpsc::channel(1);
    let server = Server::start(service_fn(move |request: Request<RequestBody>| {
        let called = called.clone();
        async move {
            let (go, gone) = oneshot::channel::<()>();
            called.send(go).await.unwrap();
            gone.await.unwrap();
            echo(request).await
        }
    }))
    .await;
    let exchange = tokio::spawn(server.client().oneshot(sealed(server.uri("/"), "x")));
    let go = calls.recv().await.unwrap();
    server.stop.send(()).unwrap();
    go.send(()).unwrap();
    assert_eq!(exchange.await.unwrap().unwrap().status(), 200);
    server.done.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

/// Connections that say nothing, or stop in the middle of something, are closed; and the server
/// serves on.
#[tokio::test(start_paused = true)]
async fn silent_connections_are_closed() {
    let server = Server::start(service_fn(echo)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plain = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, None, service_fn(echo), std::future::pending()));
    for (address, start) in [
        (server.address, &b""[..]),
        (server.address, b"\x16\x03\x01"),
        (plain, b""),
        // So begin HTTP/2 and requests with the method PATCH.
        (plain, b"P"),
        (plain, b"POST / HTTP/1.1\r\nhost: x\r\n"),
        (plain, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(start).await.unwrap();
        // Time is paused: it jumps to the next deadline when nothing else happens.
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(120), stream.read_to_end(&mut rest));
        assert!(ended.await.is_ok(), "{start:?}");
    }
    let request = sealed(format!("http://{plain}/").parse().unwrap(), "x");
    assert_eq!(server.client().oneshot(request).await.unwrap().status(), 200);
}

/// RFC 9112 §6.3: a request whose length is not known beforehand has its content all the same,
/// whatever its method, and one without content does not pretend to have any.
#[tokio::test]
async fn content_of_unknown_length_arrives_with_every_method() {
    let echo = |method: Method, headers: HeaderMap, body: Bytes| async move {
        let coding = headers.get("transfer-encoding").map(|value| value.to_str().unwrap());
        format!("{method} {coding:?} {}", std::str::from_utf8(&body).unwrap())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    let app = Router::new().route("/", axum::routing::any(echo));
    tokio::spawn(serve(listener, None, app, std::future::pending()));
    let forward = Forward::new(HttpClient::new(tls::client_config(None).unwrap()));
    let frames = |texts: &[&'static str]| {
        let frames = texts.iter().map(|text| Ok::<_, Infallible>(Frame::data(Bytes::from(*text))));
        StreamBody::new(stream(frames.collect::<Vec<_>>()))
    };
    for (method, content, expected) in [
        (Method::GET, &["some", " content"][..], "GET Some(\"chunked\") some content"),
        (Method::POST, &["some", " content"], "POST Some(\"chunked\") some content"),
        (Method::GET, &[], "GET None "),
    ] {
        let request = Request::builder().method(method).uri(&uri).body(frames(content)).unwrap();
        let answer = forward.clone().oneshot(request).await.unwrap();
        let answer = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(answer, expected);
    }
}
