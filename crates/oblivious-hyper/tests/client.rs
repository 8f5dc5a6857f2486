//! A client of Oblivious HTTP over real sockets: its keys, by way of a proxy, and whole exchanges.

use std::{
    convert::Infallible,
    future::{pending, poll_fn},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, Uri};
use http_body::{Body, Frame};
use http_body_util::StreamBody;
use oblivious_client::{
    Agreement, ClientLayer, Demand, FixedKeys, Gateway, KeyCache, KeySource, KeySourceError,
    ReqwestClient, TargetPattern, UrlKeys,
};
use oblivious_gateway::{
    EncapsulatedBody, GatewayBody, GatewayKeys, GatewayLayer, Origin, PublishKeys,
};
use oblivious_hpke::{KeyPair, KeyRing, Provider, UnixSeconds};
use oblivious_hyper::{HttpClient, ProxyError, RequestBody, self_signed, server, tls};
use oblivious_keys::{KemId, SymmetricSuite};
use oblivious_relay::Relay;
use oblivious_service::{BoxError, Content, Live, TokioTimer, collect};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::TlsAcceptor;
use tower::{Layer, Service, ServiceExt, service_fn};

/// Serves on a free port of loopback. Returns the origin, and the authority to trust.
async fn serve<S, R>(service: S) -> (String, String)
where
    S: Service<Request<RequestBody>, Response = Response<R>, Error = Infallible, Future: Send>,
    S: Clone + Send + 'static,
    R: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let (config, ca) = self_signed(&["localhost"]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(server::serve(listener, Some(config), service, pending()));
    (origin, ca)
}

/// The same without TLS.
async fn serve_in_clear<S, R>(service: S) -> String
where
    S: Service<Request<RequestBody>, Response = Response<R>, Error = Infallible, Future: Send>,
    S: Clone + Send + 'static,
    R: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(server::serve(listener, None, service, pending()));
    origin
}

fn keys() -> Live<GatewayKeys> {
    let pair = KeyPair::generate(KemId::X25519_HKDF_SHA256, Provider::default()).unwrap();
    let mut ring = KeyRing::new();
    ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM]).unwrap();
    Live::new(GatewayKeys::from(ring))
}

fn published(keys: &Live<GatewayKeys>) -> Vec<u8> {
    keys.current().published(UnixSeconds::EPOCH).unwrap().list.encode().to_vec()
}

/// A gateway whose target sends back what it gets.
fn echoing(
    keys: Live<GatewayKeys>,
) -> impl Service<
    Request<RequestBody>,
    Response = Response<EncapsulatedBody>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    let echo = service_fn(|request: Request<GatewayBody>| async {
        Ok::<_, Infallible>(Response::new(request.into_body()))
    });
    GatewayLayer::new(keys).targets("https://example.com".parse::<Origin>().unwrap()).layer(echo)
}

/// What a proxy sees of the way out.
type Seen = Arc<Mutex<Vec<u8>>>;

/// A proxy that knows CONNECT, over TLS or not. Returns its address.
async fn proxy(tls: Option<rustls::ServerConfig>) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    let acceptor = tls.map(|tls| TlsAcceptor::from(Arc::new(tls)));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (noted, acceptor) = (Arc::clone(&noted), acceptor.clone());
            tokio::spawn(async move {
                match acceptor {
                    Some(acceptor) => tunnel(acceptor.accept(client).await.unwrap(), noted).await,
                    None => tunnel(client, noted).await,
                }
            });
        }
    });
    (address, seen)
}

async fn tunnel(mut client: impl AsyncRead + AsyncWrite + Unpin, noted: Seen) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let port = String::from_utf8(head.clone()).unwrap();
    let port = port.split([':', ' ']).nth(2).unwrap().parse::<u16>().unwrap();
    noted.lock().unwrap().extend(head);
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    let (mut from_server, mut to_server) = server.split();
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let up = tokio::io::copy(&mut from_client, &mut to_server);
    let down = async {
        let mut buffer = vec![0; 65_536];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            noted.lock().unwrap().extend(&buffer[..length]);
            to_client.write_all(&buffer[..length]).await.unwrap();
            to_client.flush().await.unwrap();
        }
    };
    // TLS may end without a farewell.
    let _ = tokio::join!(up, down);
}

/// RFC 9540 §6: a proxy hides the address, and TLS ends at the gateway.
#[tokio::test]
async fn keys_come_through_a_proxy_that_cannot_read_them() {
    let keys = keys();
    let (origin, ca) = serve(PublishKeys::new(keys.clone())).await;
    let (own, own_ca) = self_signed(&["localhost"]).unwrap();
    for (scheme, tls) in [("http", None), ("https", Some(own))] {
        let (address, seen) = proxy(tls).await;
        let proxy = format!("{scheme}://localhost:{}", address.port()).parse().unwrap();
        let tls = tls::client_config(Some(&format!("{ca}{own_ca}"))).unwrap();
        let http_client = HttpClient::through_proxy(tls, proxy).unwrap();
        let source = UrlKeys::new(format!("{origin}/ohttp-keys").parse().unwrap(), http_client);
        let fetched = source.unwrap().fetch(Demand::Cached).await.unwrap();
        assert_eq!(fetched.list, published(&keys));
        let seen = seen.lock().unwrap();
        let port = origin.rsplit(':').next().unwrap();
        assert!(seen.starts_with(format!("CONNECT localhost:{port} HTTP/1.1\r\n").as_bytes()));
        let list = published(&keys);
        assert!(!seen.windows(list.len()).any(|window| window == list), "it is encrypted");
    }
}

/// The proxy has to show that it is the one that is meant, as any server has to.
#[tokio::test]
async fn a_proxy_over_tls_needs_a_certificate_that_is_trusted() {
    let (origin, ca) = serve(PublishKeys::new(keys())).await;
    let (own, _) = self_signed(&["localhost"]).unwrap();
    let (address, seen) = proxy(Some(own)).await;
    let proxy = format!("https://localhost:{}", address.port()).parse().unwrap();
    let http_client = HttpClient::through_proxy(tls::client_config(Some(&ca)).unwrap(), proxy);
    let source =
        UrlKeys::new(format!("{origin}/ohttp-keys").parse().unwrap(), http_client.unwrap());
    let error = source.unwrap().fetch(Demand::Cached).await.unwrap_err();
    assert!(matches!(error, KeySourceError::Unreachable { .. }), "{error:?}");
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_proxy_is_refused() {
    let client = |uri: &str| {
        let tls = tls::client_config(None).unwrap();
        HttpClient::through_proxy(tls, uri.parse().unwrap())
    };
    for uri in ["ftp://proxy.example:8080", "/proxy", "http://me:secret@proxy.example:8080"] {
        assert_eq!(client(uri).unwrap_err(), ProxyError, "{uri}");
    }
    // Nobody there.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let http_client = client(&format!("http://{closed}")).unwrap();
    let source = UrlKeys::new(Uri::from_static("https://gateway.example/"), http_client).unwrap();
    let error = source.fetch(Demand::Cached).await.unwrap_err();
    assert!(matches!(error, KeySourceError::Unreachable { .. }));
}

/// By way of the HTTP client reqwest, without TLS, whole and in chunks.
#[tokio::test]
async fn reqwest_fetches_keys_and_posts() {
    let keys = keys();
    let gateway = serve_in_clear(echoing(keys.clone())).await;
    let published = serve_in_clear(PublishKeys::new(keys)).await;
    // Whoever builds reqwest with TLS and without a provider has to install one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http_client = ReqwestClient::new(reqwest::Client::builder()).unwrap();
    let source = UrlKeys::allowing_http(published.parse().unwrap(), http_client.clone()).unwrap();
    let cache = KeyCache::new(source, TokioTimer);
    let gateway = Gateway::allowing_http(gateway.parse().unwrap(), cache).unwrap();
    let whole = ClientLayer::new(gateway.allow(TargetPattern::any_https()));
    for layer in [whole.clone(), whole.in_chunks()] {
        let question = "hello ".repeat(10_000);
        let request = Request::post("https://example.com/x").body(Content::from(question.clone()));
        let response = layer.layer(http_client.clone()).oneshot(request.unwrap()).await.unwrap();
        let answer = collect(response.into_body(), 1 << 20).await.unwrap().data;
        assert_eq!(answer, question);
    }
}

/// All parties over TLS: keys from two servers that agree, then a whole exchange and one in chunks.
#[tokio::test]
async fn a_client_with_keys_that_agree_asks_through_relay_and_gateway() {
    let keys = keys();
    let target = service_fn(|request: Request<GatewayBody>| async {
        let body = collect(request.into_body(), 1 << 20).await.unwrap().data;
        Ok::<_, Infallible>(Response::new(Content::from(body)))
    });
    let gateway = GatewayLayer::new(keys.clone())
        .targets("https://example.com".parse::<Origin>().unwrap())
        .layer(target);
    let (gateway, gateway_ca) = serve(gateway).await;
    let (direct, direct_ca) = serve(PublishKeys::new(keys.clone())).await;
    let (mirror, mirror_ca) = serve(PublishKeys::new(keys)).await;
    let to_gateway = HttpClient::new(tls::client_config(Some(&gateway_ca)).unwrap());
    let relay = Relay::new(to_gateway).route("/gateway", gateway.parse().unwrap()).unwrap();
    let (relay, relay_ca) = serve(relay).await;

    let authorities = [relay_ca, direct_ca, mirror_ca].concat();
    let http_client = HttpClient::new(tls::client_config(Some(&authorities)).unwrap());
    let source = |origin: &str| -> Box<dyn KeySource> {
        let uri = format!("{origin}/ohttp-keys").parse().unwrap();
        Box::new(UrlKeys::new(uri, http_client.clone()).unwrap())
    };
    let sources = [source(&direct), source(&mirror)];
    let cache = KeyCache::new(Agreement::of_all(sources).unwrap(), TokioTimer);
    let relay_uri: Uri = format!("{relay}/gateway").parse().unwrap();
    let gateway = Gateway::new(relay_uri, cache).unwrap().allow(TargetPattern::any_https());
    let whole = ClientLayer::new(gateway);
    for layer in [whole.clone(), whole.in_chunks()] {
        let client = layer.layer(http_client.clone());
        let question = "hello ".repeat(10_000);
        let request = Request::post("https://example.com/x").body(Content::from(question.clone()));
        let response = client.oneshot(request.unwrap()).await.unwrap();
        let answer = collect(response.into_body(), 1 << 20).await.unwrap().data;
        assert_eq!(answer, question);
    }
}

/// RFC 9458 §6.5: over HTTP/2 too, what is still to be sent ends with who gives up the answer.
#[tokio::test]
async fn an_upload_ends_with_its_exchange() {
    let keys = keys();
    let (gateway, ca) = serve(echoing(keys.clone())).await;
    let cache = KeyCache::new(FixedKeys::new(published(&keys)).unwrap(), TokioTimer);
    let gateway = Gateway::new(gateway.parse().unwrap(), cache).unwrap();
    let client = ClientLayer::new(gateway.allow(TargetPattern::any_https()))
        .in_chunks()
        .layer(HttpClient::new(tls::client_config(Some(&ca)).unwrap()));

    let (feed, fed) = mpsc::channel(1);
    let frames = stream::unfold(fed, |mut fed: mpsc::Receiver<Bytes>| async {
        Some((Ok::<_, Infallible>(Frame::data(fed.recv().await?)), fed))
    });
    feed.send(Bytes::from_static(b"one")).await.unwrap();
    let request = Request::post("https://example.com/x").body(StreamBody::new(frames)).unwrap();
    let mut answer = client.oneshot(request).await.unwrap().into_body();
    let first = poll_fn(|cx| Pin::new(&mut answer).poll_frame(cx)).await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "one");
    assert!(!feed.is_closed());
    drop(answer);
    let closed = tokio::time::timeout(Duration::from_secs(10), feed.closed());
    closed.await.expect("the upload ends");
}
