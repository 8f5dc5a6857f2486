//! Several gateways that work as one, and one that comes back.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode, header};
use oblivious_http::bhttp::{
    Content, DecodeOptions, EncodeOptions, decode_response, encode_request_into,
};
use oblivious_http::hpke::{PendingResponse, Provider, Recipient};
use oblivious_http::keys::{KeyConfigList, Preferences};
use oblivious_http::service::collect;
use oblivious_hyper::HttpClient;
use tower::ServiceExt;

use crate::programs::{Server, program};
use crate::setup::{TempFile, send};
use crate::target::Target;
use crate::tls::{Certificate, certificate};

pub(crate) fn encoded(request: &Request<Content>) -> BytesMut {
    let mut message = BytesMut::new();
    encode_request_into(request, &EncodeOptions::default(), &mut message).unwrap();
    message
}

pub(crate) fn opened(pending: PendingResponse, sealed: Bytes) -> Response<Content> {
    let answer = pending.open(sealed.into()).unwrap().freeze();
    decode_response(answer, &Method::POST, &DecodeOptions::default()).unwrap()
}

pub(crate) fn post(gateway: &str, sealed: Bytes) -> Request<Content> {
    Request::post(format!("{gateway}/gateway"))
        .header(header::CONTENT_TYPE, "message/ohttp-req")
        .body(Content::from(sealed))
        .unwrap()
}

async fn keys(gateway: &Server) -> Bytes {
    let request = Request::get(gateway.url("/ohttp-keys")).body(Content::default()).unwrap();
    send(request).await.body
}

pub(crate) async fn recipient(gateway: &Server) -> Recipient {
    let list = KeyConfigList::decode(&keys(gateway).await).unwrap();
    Recipient::select(&list, &Preferences::default(), Provider::default()).unwrap()
}

/// A Redis of its own, ended when this is dropped; `None` where there is no program for it, but
/// where `TEST_DATABASE` is set that fails the test.
struct Redis {
    process: Child,
    port: u16,
}

impl Redis {
    fn start() -> Option<Self> {
        Self::start_with("--port", &[])
    }

    /// One that is reached over TLS alone.
    fn start_with_tls(Certificate { cert, key, ca }: &Certificate) -> Option<Self> {
        let (cert, key, ca) = (cert.path(), key.path(), ca.path());
        let files = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca];
        let tls = [&files[..], &["--port", "0", "--tls-auth-clients", "no"]].concat();
        Self::start_with("--tls-port", &tls)
    }

    fn start_with(port_name: &str, arguments: &[&str]) -> Option<Self> {
        // Someone else may take the port before it does.
        let redis = (0..3).find_map(|_| Self::try_start(port_name, arguments));
        assert!(
            redis.is_some() || std::env::var_os("TEST_DATABASE").is_none(),
            "there is no redis-server or valkey-server that takes {port_name}, and TEST_DATABASE \
             is set"
        );
        redis
    }

    fn try_start(port_name: &str, arguments: &[&str]) -> Option<Self> {
        // There is no way to ask it which one it took.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let start = |program: &&str| {
            Command::new(program)
                .args([port_name, &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
                .args(arguments)
                .stdout(Stdio::null())
                .spawn()
                .ok()
        };
        let mut process = ["redis-server", "valkey-server"].iter().find_map(start)?;
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            // Not every build of it has TLS.
            if process.try_wait().unwrap().is_some() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { process, port })
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// RFC 9458 §6.5: a copy is refused, whichever replica it reaches.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_has_accepted_another_refuses() {
    let Some(mut redis) = Redis::start() else {
        eprintln!("skipped: there is no redis-server to be found");
        return;
    };
    let target = Target::start().await;
    let seed = TempFile::new("replicas-seed", "a7".repeat(32));
    let url = format!("redis://127.0.0.1:{}/0", redis.port);
    let arguments =
        ["--seed-file", seed.path(), "--allow-target", &target.origin, "--redis-url", &url];
    let replicas = [0, 1].map(|_| Server::start("gateway", &arguments));
    let recipient = recipient(&replicas[0]).await;
    let seal = |content: &str| {
        let request = Request::post(target.url("/length")).body(Content::from(content.to_owned()));
        recipient.encapsulate(&encoded(&request.unwrap())).unwrap()
    };

    for (first, second) in [(0, 1), (1, 0), (0, 0)] {
        let (sealed, pending) = seal("some content");
        let accepted = send(post(&replicas[first].origin, sealed.clone())).await;
        assert_eq!(accepted.status, StatusCode::OK);
        let copy = send(post(&replicas[second].origin, sealed)).await;
        assert_eq!(opened(pending, copy.body).status(), StatusCode::CONFLICT);
    }
    let (sealed, pending) = seal("other content");
    let answer = opened(pending, send(post(&replicas[1].origin, sealed)).await.body);
    assert_eq!((answer.status(), &answer.body().data[..]), (StatusCode::OK, &b"13"[..]));

    // Without its Redis a replica cannot tell, and serves nothing.
    redis.process.kill().unwrap();
    redis.process.wait().unwrap();
    let (sealed, pending) = seal("too late");
    let answer = opened(pending, send(post(&replicas[0].origin, sealed)).await.body);
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
}

/// What becomes of the guard in memory is said at the start: that it fills forever, or what rate it
/// withstands.
#[test]
fn the_capacity_of_a_guard_is_told_at_the_start() {
    let seed = TempFile::new("capacity-seed", "a1".repeat(32));
    let key = TempFile::new("capacity-key", format!("1 x25519 {}", "3c".repeat(32)));
    let starting = |arguments: &[&str]| {
        let own = ["--allow-target", "https://a.test", "--seed-file", seed.path(), "--check"];
        let output = program("gateway").args(own).args(arguments).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let endless = "remembered forever";
    for arguments in [&[][..], &["--rotate", "--key-file", key.path()]] {
        let said = starting(arguments);
        assert!(said.contains(endless) && said.contains("--require-date"), "{said}");
    }
    let elsewhere = starting(&["--redis-url", "redis://localhost"]);
    assert!(!elsewhere.contains(endless), "{elsewhere}");
    // 2^20 requests: two windows of 300 s and 60 s of skew; one day, two hours and twice the skew.
    for (arguments, rate) in [("--require-date", 1588), ("--rotate", 11)] {
        let said = starting(&[arguments]);
        assert!(said.contains(&format!("requests_per_second={rate}\n")), "{said}");
        assert!(!said.contains(endless), "{said}");
    }
}

/// A Redis elsewhere, with a certificate that the system trusts.
#[tokio::test(flavor = "multi_thread")]
async fn redis_is_reached_over_tls() {
    let certificate = certificate("redis");
    let Some(redis) = Redis::start_with_tls(&certificate) else {
        eprintln!("skipped: there is no redis-server with TLS to be found");
        return;
    };
    let url = format!("rediss://localhost:{}/0", redis.port);
    let arguments = ["--generate-key", "--allow-target", "https://a.test", "--redis-url", &url];
    let status = async |environment: &[(&str, &str)]| {
        let gateway = Server::start_with("gateway", &arguments, environment);
        let request = Request::post("https://b.test/").body(Content::default()).unwrap();
        let (sealed, pending) = recipient(&gateway).await.encapsulate(&encoded(&request)).unwrap();
        opened(pending, send(post(&gateway.origin, sealed)).await.body).status()
    };
    // What the guard lets pass is refused by the policy.
    assert_eq!(status(&[("SSL_CERT_FILE", certificate.ca.path())]).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&[]).await, StatusCode::SERVICE_UNAVAILABLE, "it is not trusted");
}

/// Replicas agree without talking, and so does a gateway with the one that it was before.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_from_one_file_publish_the_same_keys() {
    let state = TempFile::new("state-one", "");
    std::fs::remove_file(state.path()).unwrap();
    let arguments = |path| ["--state-file", path, "--allow-target", "https://example.com"];
    let refused = program("gateway").args(arguments(state.path())).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "nothing is made unasked");

    let made = [&arguments(state.path())[..], &["--create-state", "--kem", "x25519,x-wing"]];
    let first = Server::start("gateway", &made.concat());
    let copy = TempFile::new("state-two", std::fs::read(state.path()).unwrap());
    let both = [&arguments(copy.path())[..], &["--kem", "x25519,x-wing"]];
    let second = Server::start("gateway", &both.concat());
    let published = keys(&first).await;
    assert_eq!(KeyConfigList::decode(&published).unwrap().configs().len(), 2);
    assert_eq!(published, keys(&second).await);

    drop(first);
    let again = Server::start("gateway", &made.concat());
    assert_eq!(published, keys(&again).await, "after a restart");

    let seed = TempFile::new("schedule-seed", "b8".repeat(32));
    let rotating = ["--seed-file", seed.path(), "--rotate", "--allow-target", "https://a.test"];
    let [one, two] = [0, 1].map(|_| Server::start("gateway", &rotating));
    assert_eq!(keys(&one).await, keys(&two).await);
}

/// A key for five seconds, accepted for four more: one that copies may have and three of grace.
const QUICK: [&str; 8] =
    ["--key-interval", "5", "--key-max-age", "1", "--key-grace", "3", "--key-skew", "0.001"];

/// Asks until it is so.
async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < limit, "it never came to be");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What a gateway says in clear to a request that is sealed to this key.
async fn status(gateway: &Server, recipient: &Recipient) -> StatusCode {
    let request = Request::post("https://example.com/").body(Content::default()).unwrap();
    let (sealed, _) = recipient.encapsulate(&encoded(&request)).unwrap();
    send(post(&gateway.origin, sealed)).await.status
}

/// Sees two replicas through a rotation, until both refuse the old key; returns that.
async fn rotate(replicas: &[Server; 2]) -> Recipient {
    let [one, two] = replicas;
    // It must not be about to change.
    let published = keys(one).await;
    until(async || keys(one).await != published).await;
    let (published, old) = (keys(one).await, recipient(one).await);
    until(async || keys(two).await == published).await;

    until(async || keys(one).await != published).await;
    let changed = Instant::now();
    let new = recipient(one).await;
    for replica in replicas {
        // The other one may be some milliseconds behind in what it publishes, never in what it
        // accepts.
        assert_eq!(status(replica, &new).await, StatusCode::OK);
        assert_eq!(status(replica, &old).await, StatusCode::OK);
    }
    until(async || keys(one).await == keys(two).await).await;
    for replica in replicas {
        until(async || status(replica, &old).await != StatusCode::OK).await;
        assert_eq!(status(replica, &old).await, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert!(changed.elapsed() > Duration::from_secs(2), "copies and grace have their time");
    old
}

/// RFC 9458 §6.4 and §6.6: replicas that know the same rotate without talking to each other.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_from_one_state_file_rotate_as_one_and_forget() {
    let state = TempFile::new("rotating-one", "");
    std::fs::remove_file(state.path()).unwrap();
    let start = |path: &str| {
        let own = ["--state-file", path, "--create-state", "--allow-target", "https://a.test"];
        Server::start("gateway", &[&own[..], &QUICK].concat())
    };
    let one = start(state.path());
    let copy = TempFile::new("rotating-two", std::fs::read(state.path()).unwrap());
    let two = start(copy.path());
    let replicas = [one, two];
    let old = rotate(&replicas).await;
    // What is left on the disk does not open what was sealed to the old key.
    drop(replicas);
    for path in [state.path(), copy.path()] {
        assert_eq!(status(&start(path), &old).await, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_from_one_seed_rotate_as_one() {
    let seed = TempFile::new("rotating-seed", "eb".repeat(32));
    let own = ["--seed-file", seed.path(), "--rotate", "--allow-target", "https://a.test"];
    rotate(&[0, 1].map(|_| Server::start("gateway", &[&own[..], &QUICK].concat()))).await;
}

/// Many clients, each with exchanges of its own, one after the other, until told to stop.
struct Load {
    /// Whom to ask, as a load balancer would choose.
    gateway: Arc<Mutex<String>>,
    stop: Arc<AtomicBool>,
    right: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
    clients: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(gateway: &str, recipient: Recipient, target: &str) -> Self {
        let (stop, right, failed) = (Arc::default(), Arc::default(), Arc::default());
        let gateway = Arc::new(Mutex::new(gateway.to_owned()));
        let mut load = Self { gateway, stop, right, failed, clients: Vec::new() };
        let recipient = Arc::new(recipient);
        for client in 0..16 {
            let (stop, right, failed) =
                (load.stop.clone(), load.right.clone(), load.failed.clone());
            let (recipient, gateway) = (recipient.clone(), load.gateway.clone());
            let url = format!("{target}/echo");
            load.clients.push(tokio::spawn(async move {
                let http = oblivious_hyper::HttpClient::new(
                    oblivious_hyper::tls::client_config(None).unwrap(),
                );
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let content = format!("client {client}, exchange {number}.");
                    let gateway = gateway.lock().unwrap().clone();
                    match exchange(&http, &gateway, &recipient, &url, &content).await {
                        Some(answer) => {
                            assert!(answer.ends_with(content.as_bytes()), "a wrong answer");
                            right.fetch_add(1, Ordering::Relaxed);
                        }
                        None => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                    }
                }
            }));
        }
        load
    }

    async fn until_right(&self, more: usize) {
        let goal = self.right.load(Ordering::Relaxed) + more;
        while self.right.load(Ordering::Relaxed) < goal {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn finish(self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
        (self.right.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}

/// The content of the answer; `None` if there is no answer. One that does not open is a failure.
async fn exchange(
    http: &HttpClient,
    gateway: &str,
    recipient: &Recipient,
    url: &str,
    content: &str,
) -> Option<Bytes> {
    let request = Request::post(url).body(Content::from(content.to_owned())).unwrap();
    let (sealed, pending) = recipient.encapsulate(&encoded(&request)).unwrap();
    let response = http.clone().oneshot(post(gateway, sealed)).await.ok()?;
    assert_eq!(response.status(), StatusCode::OK);
    let body = collect(response.into_body(), 1 << 20).await.ok()?;
    let answer = opened(pending, body.data);
    assert_eq!(answer.status(), StatusCode::OK);
    Some(answer.into_body().data)
}

/// Kill -9 and a restart: some exchanges have no answer, none has a wrong one.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_killed_and_comes_back_gives_no_wrong_answer() {
    let target = Target::start().await;
    let seed = TempFile::new("killed-seed", "c9".repeat(32));
    let arguments = ["--seed-file", seed.path(), "--allow-target", &target.origin];
    let gateway = Server::start("gateway", &arguments);
    let load = Load::start(&gateway.origin, recipient(&gateway).await, &target.origin);
    load.until_right(100).await;
    drop(gateway);
    let again = Server::start("gateway", &arguments);
    *load.gateway.lock().unwrap() = again.origin.clone();
    load.until_right(100).await;
    let (right, _) = load.finish().await;
    assert!(right >= 200);
}

/// SIGTERM under load: each exchange is answered, by the one that ends or by the next one.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn at_sigterm_under_load_no_exchange_is_dropped() {
    let target = Target::start().await;
    let seed = TempFile::new("load-seed", "da".repeat(32));
    let arguments = ["--seed-file", seed.path(), "--allow-target", &target.origin];
    let [mut first, next] = [0, 1].map(|_| Server::start("gateway", &arguments));
    let load = Load::start(&first.origin, recipient(&first).await, &target.origin);
    load.until_right(200).await;
    first.signal("TERM");
    // It is told from the answers, and by /ready, before it takes no more.
    load.until_right(50).await;
    *load.gateway.lock().unwrap() = next.origin.clone();
    assert_eq!(first.wait(), Some(0));
    load.until_right(200).await;
    let (right, failed) = load.finish().await;
    assert_eq!(failed, 0, "beside {right} that were answered");
}
