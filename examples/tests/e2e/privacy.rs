//! What each party must not see, looked for in every byte that it got, sent or logged.

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use oblivious_http::service::Content;
use tokio::net::TcpSocket;

use crate::programs::contains;
use crate::programs::{Server, run};
use crate::recorder::Recorder;
use crate::setup::{relay_to, send, text};
use crate::target::{ANSWER_MARKER, Target};

const PATH_MARKER: &str = "marker-of-the-path-3f0a";
const FIELD_MARKER: &str = "marker-of-the-field-91be";
const CONTENT_MARKER: &str = "marker-of-the-content-d2c4";

/// client → recorder → relay → recorder → gateway → target
struct Watched {
    before_relay: Recorder,
    before_gateway: Recorder,
    relay: Server,
    gateway: Server,
    target: Target,
}

impl Watched {
    async fn start() -> Self {
        let target = Target::start().await;
        let gateway =
            Server::start("gateway", &["--allow-target", &target.origin, "--generate-key"]);
        let before_gateway = Recorder::start(gateway.address()).await;
        let relay = relay_to(&format!("http://{}/gateway", before_gateway.address));
        let before_relay = Recorder::start(relay.address()).await;
        Self { before_relay, before_gateway, relay, gateway, target }
    }
}

/// RFC 9458 §6.2: nothing of the client reaches the gateway, whatever the client sends along.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn no_trace_of_the_client_reaches_the_gateway() {
    let watched = Watched::start().await;
    let request = Request::get(watched.gateway.url("/ohttp-keys")).body(Content::default());
    let keys = oblivious_http::keys::KeyConfigList::decode(&send(request.unwrap()).await.body);
    let recipient = oblivious_http::hpke::Recipient::select(
        &keys.unwrap(),
        &oblivious_http::keys::Preferences::default(),
        oblivious_http::hpke::Provider::default(),
    );
    let (sealed, pending) = recipient.unwrap().encapsulate(b"no binary HTTP").unwrap();

    // An address that no other party has: all of 127.0.0.0/8 is loopback here.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.77:0".parse().unwrap()).unwrap();
    let stream = socket.connect(watched.relay.address().parse().unwrap()).await.unwrap();
    let own_address = stream.local_addr().unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let outer = Request::post("/gateway?query=marker-query")
        .header(header::HOST, "marker-host.example")
        .header(header::CONTENT_TYPE, "message/ohttp-req; marker=parameter")
        .header(header::USER_AGENT, "marker-user-agent")
        .header(header::COOKIE, "marker-cookie=1")
        .header(header::AUTHORIZATION, "Bearer marker-authorization")
        .header(header::ACCEPT_LANGUAGE, "marker-language")
        .header("forwarded", "for=127.0.0.77;by=marker-forwarded")
        .header("x-forwarded-for", "127.0.0.77, marker-x-forwarded-for")
        .header("via", "1.1 marker-via")
        .header("x-anything", "marker-x-anything")
        .body(Full::new(sealed))
        .unwrap();
    let response = sender.send_request(outer).await.unwrap();
    assert_eq!(response.status(), 200);
    let body: Bytes = response.into_body().collect().await.unwrap().to_bytes();
    assert!(pending.open(body.into()).is_ok());

    let reached = watched.before_gateway.towards();
    assert!(contains(&reached, b"POST /gateway HTTP/1.1\r\n"));
    let port = format!(":{}", own_address.port());
    for trace in ["127.0.0.77", &port, "marker", "user-agent", "cookie", "forwarded"] {
        assert!(!contains(&reached, trace.as_bytes()), "{trace} reached the gateway");
    }
    // Of the client's fields the content type went on, and nothing else: the names are all there,
    // with the relay's own `via`.
    let head = reached.split(|&byte| byte == b'\n').take_while(|line| line.len() > 1).skip(1);
    let mut names: Vec<_> = head
        .map(|line| String::from_utf8_lossy(line).split_once(':').unwrap().0.to_lowercase())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "content-type", "host", "via"]);

    for (name, log) in [("relay", watched.relay.log()), ("gateway", watched.gateway.log())] {
        for trace in ["127.0.0.77", "marker"] {
            assert!(!contains(&log, trace.as_bytes()), "{trace} is in the log of the {name}");
        }
    }
}

/// RFC 9458 §6.2: by the relay's `via` its clients cannot be told apart.
#[tokio::test(flavor = "multi_thread")]
async fn all_clients_come_with_the_same_via() {
    let watched = Watched::start().await;
    for (agent, via) in [("one", ""), ("two", "1.1 two"), ("three", "1.0 192.0.2.3, 2 three")] {
        let outer = Request::post(watched.relay.url("/gateway"))
            .header(header::CONTENT_TYPE, "message/ohttp-req")
            .header(header::USER_AGENT, agent)
            .header(header::VIA, via)
            .body(Content::from(agent))
            .unwrap();
        assert_eq!(send(outer).await.status, 400);
    }
    let reached = String::from_utf8(watched.before_gateway.towards()).unwrap();
    let via: Vec<_> = reached.lines().filter(|line| line.starts_with("via:")).collect();
    assert_eq!(via.len(), 3, "{reached}");
    assert!(via.iter().all(|line| *line == via[0]), "{via:?}");
    assert!(via[0].starts_with("via: 1.1 relay-"), "{via:?}");
}

/// RFC 9458 §6.1: nothing of question and answer is readable at the relay or on the way.
#[tokio::test(flavor = "multi_thread")]
async fn no_inner_byte_is_readable_at_the_relay() {
    let watched = Watched::start().await;
    let relay = format!("http://{}/gateway", watched.before_relay.address);
    let keys = watched.gateway.url("/ohttp-keys");
    let field = format!("x-field: {FIELD_MARKER}");
    let url = watched.target.url("/echo?") + PATH_MARKER;
    let arguments =
        ["--relay", &relay, "--keys", &keys, "-i", "-H", &field, "-d", CONTENT_MARKER, &url];
    let answer = text(&run("client", &arguments));
    // The exchange took place, with all of the markers in it.
    for marker in [PATH_MARKER, FIELD_MARKER, CONTENT_MARKER, ANSWER_MARKER] {
        assert!(answer.contains(marker), "{marker}: {answer}");
    }

    let target = watched.target.origin.strip_prefix("http://").unwrap();
    let seen = [
        ("sent to the relay", watched.before_relay.towards()),
        ("returned by the relay", watched.before_relay.back()),
        ("sent to the gateway", watched.before_gateway.towards()),
        ("returned by the gateway", watched.before_gateway.back()),
        ("logged by the relay", watched.relay.log()),
    ];
    for (what, bytes) in &seen {
        assert!(!bytes.is_empty(), "nothing was {what}");
        for inner in
            [PATH_MARKER, FIELD_MARKER, CONTENT_MARKER, ANSWER_MARKER, "/echo", "x-field", target]
        {
            assert!(!contains(bytes, inner.as_bytes()), "{inner} was {what}");
        }
    }
}

/// The gateway sees the question, and keeps it to itself.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_question_is_in_the_gateway_s_log() {
    let watched = Watched::start().await;
    let relay = watched.relay.url("/gateway");
    let keys = watched.gateway.url("/ohttp-keys");
    let field = format!("x-field: {FIELD_MARKER}");
    for path in ["/echo?", "/nowhere?", "/500?"] {
        let url = watched.target.url(path) + PATH_MARKER;
        let arguments = ["--relay", &relay, "--keys", &keys, "-H", &field, &url];
        assert!(run("client", &arguments).status.success());
    }
    // A target that is refused, and one that cannot be asked.
    let refused = format!("http://{PATH_MARKER}.example/");
    assert!(run("client", &["--relay", &relay, "--keys", &keys, &refused]).status.success());

    let log = watched.gateway.log();
    assert!(contains(&log, b"request decided"), "the log has the exchange");
    // The origin itself is in the log once, as configuration; its use is not.
    let inner = [PATH_MARKER, FIELD_MARKER, ANSWER_MARKER, "/echo", "/nowhere", "x-field"];
    for text in inner {
        assert!(!contains(&log, text.as_bytes()), "{text} is in the gateway's log");
    }
    let own = watched.target.origin.as_bytes();
    let mentions = log.windows(own.len()).filter(|window| window == &own).count();
    assert_eq!(mentions, 1, "the target is named where it is configured");
}
