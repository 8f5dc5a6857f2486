//! No request gets out of a gateway to where it must not go: sealed requests, real sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Empty;
use oblivious_bhttp::{Content, DecodeOptions, decode_response};
use oblivious_gateway::{GatewayKeys, GatewayLayer, Rewrite, TargetPolicy, TargetRule};
use oblivious_hpke::{KeyPair, KeyRing, Provider, Recipient};
use oblivious_hyper::{Forward, HttpClient, HttpError, Resolver, tls};
use oblivious_keys::{KemId, Preferences, SymmetricSuite};
use oblivious_service::collect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};

/// A socket that counts the connections it gets, and answers each with the same bytes.
struct Target {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Target {
    async fn start(ip: &str, answer: &'static str) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = Self { address, connections: Arc::default() };
        target.listen(listener, answer);
        target
    }

    /// Listens at the same port of the IPv6 loopback too, where there is one.
    async fn also_ipv6(self) -> Self {
        if let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, self.address.port())).await {
            self.listen(listener, OK);
        }
        self
    }

    fn listen(&self, listener: TcpListener, answer: &'static str) {
        let counter = Arc::clone(&self.connections);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    _ = stream.read(&mut [0; 4096]).await;
                    _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

fn rule(text: &str) -> TargetRule {
    text.parse().unwrap()
}

/// A resolver that gives the same addresses for every name.
fn resolver(addresses: &[&str]) -> Resolver {
    let addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
    Arc::new(move |_| {
        let addresses = addresses.clone();
        Box::pin(async move { Ok(addresses) })
    })
}

/// What comes back, sealed, for a sealed message to a gateway that forwards.
async fn ask(policy: &TargetPolicy, resolver: Resolver, message: &[u8]) -> Response<Content> {
    let pair = KeyPair::generate(KemId::X25519_HKDF_SHA256, Provider::default()).unwrap();
    let mut ring = KeyRing::new();
    ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM]).unwrap();
    let list = ring.config_list().unwrap();
    let target = HttpClient::guarded_with_resolver(
        policy.clone(),
        tls::client_config(None).unwrap(),
        resolver,
    );
    let gateway = GatewayLayer::new(GatewayKeys::from(ring))
        .targets(policy.clone())
        .without_replay_guard()
        .layer(Forward::new(target));

    let recipient = Recipient::select(&list, &Preferences::default(), Provider::default()).unwrap();
    let (sealed, pending) = recipient.encapsulate(message).unwrap();
    let request = Request::post("/gateway")
        .header(CONTENT_TYPE, "message/ohttp-req")
        .body(Content::from(sealed))
        .unwrap();
    let response = gateway.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "only what is inside differs");
    let sealed = collect(response.into_body(), usize::MAX).await.unwrap().data;
    let answer = pending.open(sealed.into()).unwrap().freeze();
    decode_response(answer, &Method::GET, &DecodeOptions::default()).unwrap()
}

/// A request in binary HTTP, written by hand so that it can be wrong.
fn message(method: &str, scheme: &str, authority: &str, path: &str, host: Option<&str>) -> Vec<u8> {
    let put = |message: &mut Vec<u8>, text: &str| {
        message.push(u8::try_from(text.len()).ok().filter(|&length| length < 64).unwrap());
        message.extend(text.as_bytes());
    };
    let mut fields = Vec::new();
    if let Some(host) = host {
        put(&mut fields, "host");
        put(&mut fields, host);
    }
    let mut message = vec![0];
    for text in [method, scheme, authority, path] {
        put(&mut message, text);
    }
    message.push(u8::try_from(fields.len()).unwrap());
    message.extend(fields);
    message
}

/// What the target answers to a GET of `uri`; `None` if the gateway answers in its place.
async fn get(policy: &TargetPolicy, resolver: Resolver, uri: &str) -> Option<Response<Content>> {
    let (scheme, rest) = uri.split_once("://").unwrap();
    let (authority, path) = rest.split_at(rest.find('/').unwrap());
    let response = ask(policy, resolver, &message("GET", scheme, authority, path, None)).await;
    (!matches!(response.status().as_u16(), 400 | 403 | 502)).then_some(response)
}

#[tokio::test]
async fn a_name_does_not_lead_inside() {
    let forbidden = Target::start("127.0.0.1", OK).await.also_ipv6().await;
    let port = forbidden.address.port();
    let uri = format!("http://target.example:{port}/");
    let policy = TargetPolicy::from(rule(&uri));
    for address in ["127.0.0.1", "::ffff:127.0.0.1", "::1", "0.0.0.0", "::"] {
        assert!(get(&policy, resolver(&[address]), &uri).await.is_none(), "{address}");
    }
    assert_eq!(forbidden.connections(), 0);

    let policy = TargetPolicy::from(rule(&uri).internal(true));
    let answer = get(&policy, resolver(&["127.0.0.1"]), &uri).await.unwrap();
    assert_eq!((answer.status(), forbidden.connections()), (StatusCode::OK, 1));
}

/// The look-up that is checked is the only one, whatever the next would say.
#[tokio::test]
async fn an_answer_that_changes_is_asked_for_once() {
    let forbidden = Target::start("127.0.0.1", OK).await;
    let uri = format!("http://target.example:{}/", forbidden.address.port());
    let policy = TargetPolicy::from(rule(&uri));
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    // 240.0.0.1 is refused as well, so the first answer cannot lead out of this machine.
    let changing: Resolver = Arc::new(move |_| {
        let first = counter.fetch_add(1, Ordering::SeqCst) == 0;
        let address = if first { Ipv4Addr::new(240, 0, 0, 1) } else { Ipv4Addr::LOCALHOST };
        Box::pin(async move { Ok(vec![IpAddr::V4(address)]) })
    });
    assert!(get(&policy, changing.clone(), &uri).await.is_none());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(get(&policy, changing, &uri).await.is_none());
    assert_eq!((asked.load(Ordering::SeqCst), forbidden.connections()), (2, 0));
}

/// What was checked is connected to, and not what the next look-up would have said.
#[tokio::test]
async fn the_address_connected_to_is_one_that_was_checked() {
    let checked = Target::start("127.0.0.1", OK).await;
    let port = checked.address.port();
    let uri = format!("http://target.example:{port}/");
    let later = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let policy = TargetPolicy::from(rule(&uri).internal(true));
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let changing: Resolver = Arc::new(move |_| {
        let last = u8::try_from(counter.fetch_add(1, Ordering::SeqCst)).unwrap() + 1;
        Box::pin(async move { Ok(vec![IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))]) })
    });
    assert_eq!(get(&policy, changing, &uri).await.unwrap().status(), StatusCode::OK);
    assert_eq!((asked.load(Ordering::SeqCst), checked.connections()), (1, 1));
    drop(later);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    const REDIRECT: &str = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest/\r\n\
                            content-length: 0\r\nconnection: close\r\n\r\n";
    let target = Target::start("127.0.0.1", REDIRECT).await;
    let uri = format!("http://{}/", target.address);
    let policy = TargetPolicy::from(rule(&uri));
    let answer = get(&policy, resolver(&[]), &uri).await.unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!(answer.headers()["location"], "http://169.254.169.254/latest/");
    assert_eq!(target.connections(), 1);
}

#[tokio::test]
async fn no_spelling_of_an_address_leads_inside() {
    let forbidden = Target::start("127.0.0.1", OK).await.also_ipv6().await;
    let port = forbidden.address.port();
    let policy: TargetPolicy =
        [rule(&format!("http://target.example:{port}")), rule(&format!("http://127.0.0.2:{port}"))]
            .into_iter()
            .collect();
    for authority in [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[::1]",
        "localhost",
        "127.0.0.1.",
        "target.example@127.0.0.1",
        "127.0.0.1#target.example",
        "169.254.169.254",
    ] {
        let uri = format!("http://{authority}:{port}/");
        assert!(get(&policy, resolver(&["127.0.0.1"]), &uri).await.is_none(), "{uri}");
    }
    assert_eq!(forbidden.connections(), 0);
    // Nor does the connector go there if it is asked without the policy's consent.
    let tls = tls::client_config(None).unwrap();
    for authority in ["127.0.0.1", "127.1", "[::ffff:127.0.0.1]", "localhost"] {
        let request = Request::get(format!("http://{authority}:{port}/"));
        let request = request.body(Empty::<bytes::Bytes>::new()).unwrap();
        let client = HttpClient::guarded(policy.clone(), tls.clone());
        assert!(client.oneshot(request).await.is_err(), "{authority}");
    }
    assert_eq!(forbidden.connections(), 0);
}

#[tokio::test]
async fn a_rewrite_leads_to_where_the_operator_says() {
    let target = Target::start("127.0.0.1", OK).await;
    let to = format!("http://localhost:{}", target.address.port()).parse().unwrap();
    let policy = TargetPolicy::from(rule("https://target.example"))
        .rewrite(Rewrite::new("target.example", to).unwrap());
    let answer = get(&policy, resolver(&["127.0.0.1"]), "https://target.example/").await.unwrap();
    assert_eq!((answer.status(), target.connections()), (StatusCode::OK, 1));
}

/// RFC 9292 §3.4, RFC 9458 §6.3: `A` and `F` stand for the ports of a target that is allowed and
/// of one that is not.
#[tokio::test]
async fn no_trick_with_the_control_data_gets_out() {
    let allowed = Target::start("127.0.0.1", OK).await;
    let forbidden = Target::start("127.0.0.1", OK).await;
    let ports = |text: &str| {
        let text = text.replace(":A", &format!(":{}", allowed.address.port()));
        text.replace(":F", &format!(":{}", forbidden.address.port()))
    };
    let policy = TargetPolicy::from(rule(&ports("http://localhost:A")).internal(true));
    for (method, scheme, authority, path, host) in [
        ("GET", "http", "", "/", Some("localhost:F")),
        ("GET", "http", "", "/", None),
        ("GET", "http", "", "/", Some("localhost:A@localhost:F")),
        ("GET", "http", "localhost:F", "/", Some("localhost:A")),
        ("GET", "http", "localhost:A@localhost:F", "/", None),
        ("GET", "http", "user@localhost:A", "/", None),
        ("GET", "http", "localhost:A:F", "/", None),
        ("GET", "http", "localhost", "/", None),
        ("GET", "http", "localhost:", "/", None),
        ("GET", "http", "localhost:+A", "/", None),
        ("GET", "http", "localhost:F#localhost:A", "/", None),
        ("GET", "http", "localhost:F/localhost:A", "/", None),
        ("GET", "http", "localhost:F\\localhost:A", "/", None),
        ("GET", "http", "localhost:A", "@localhost:F/", None),
        ("GET", "http", "localhost:A", ":80@localhost:F/", None),
        ("GET", "http", "localhost:A", "http://localhost:F/", None),
        ("GET", "http", "localhost:A", "/#fragment", None),
        ("GET", "http", "localhost:A", "*", None),
        ("GET", "http", "localhost:A", "", None),
        ("GET", "https", "localhost:A", "/", None),
        ("GET", "ftp", "localhost:A", "/", None),
        ("GET", "", "localhost:A", "/", None),
        ("CONNECT", "http", "localhost:A", "/", None),
        ("CONNECT", "", "localhost:F", "", None),
        ("CONNECT", "", "localhost:A", "", None),
        ("TRACE", "http", "localhost:A", "/", None),
    ] {
        let host = host.map(ports);
        let message = message(method, scheme, &ports(authority), &ports(path), host.as_deref());
        let status = ask(&policy, resolver(&["127.0.0.1"]), &message).await.status();
        let case = format!("{method} {scheme} {authority} {path} {host:?}");
        assert!(matches!(status.as_u16(), 400 | 403), "{case}: {status}");
    }
    assert_eq!((allowed.connections(), forbidden.connections()), (0, 0));

    // A `host` beside an authority leads nowhere, and a path is a path.
    for (path, host) in
        [("/", Some("localhost:F")), ("//localhost:F/", None), ("/@localhost:F", None)]
    {
        let host = host.map(ports);
        let message = message("GET", "http", &ports("localhost:A"), &ports(path), host.as_deref());
        ask(&policy, resolver(&["127.0.0.1"]), &message).await;
    }
    assert_eq!(forbidden.connections(), 0);
}

/// A target that is allowed over https is not asked over http.
#[tokio::test]
async fn https_does_not_become_http() {
    let target = Target::start("127.0.0.1", OK).await;
    let port = target.address.port();
    let policy = TargetPolicy::from(rule(&format!("https://localhost:{port}")).internal(true));
    let uri = format!("http://localhost:{port}/");
    assert!(get(&policy, resolver(&["127.0.0.1"]), &uri).await.is_none());
    assert_eq!(target.connections(), 0);
}

/// What a rewrite leads to is inside, and a rule for everything outside does not open it.
#[tokio::test]
async fn the_destination_of_a_rewrite_cannot_be_asked_for() {
    let inside = Target::start("127.0.0.1", OK).await;
    let port = inside.address.port();
    let to = format!("http://backend.example.com:{port}");
    let policy = TargetPolicy::from(rule(&format!("http://*.example.com:{port}")))
        .rewrite(Rewrite::new(&format!("api.example.com:{port}"), to.parse().unwrap()).unwrap());
    let resolver = || resolver(&["127.0.0.1"]);
    assert!(get(&policy, resolver(), &format!("{to}/admin")).await.is_none());
    assert_eq!(inside.connections(), 0);
    let api = format!("http://api.example.com:{port}/");
    assert!(get(&policy, resolver(), &api).await.is_some());
    assert_eq!(inside.connections(), 1);
}

/// Whoever waits for the connection may be gone by then, and hyper goes on with it alone.
#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_in_its_handshake_is_let_go() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("https://{}/", listener.local_addr().unwrap());
    let silent = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Up to the end of the connection.
        std::io::Read::read_to_end(&mut stream, &mut Vec::new())
    });
    let mut config = tls::client_config(None).unwrap();
    // What a caller has set for other uses does no harm.
    config.alpn_protocols = vec![b"h2".to_vec()];
    let request = Request::get(origin).body(Empty::<bytes::Bytes>::new()).unwrap();
    let error = HttpClient::new(config).oneshot(request).await.unwrap_err();
    assert!(matches!(error, HttpError::Connect(_)));
    let ended = tokio::task::spawn_blocking(|| silent.join().unwrap()).await.unwrap();
    assert!(ended.is_ok(), "{ended:?}");
}
