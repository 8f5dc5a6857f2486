//! Targets of every kind there is: what reaches one that is only a socket, byte by byte, and what
//! becomes of answers that are not as they should be.

use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use oblivious_http::bhttp::{Content, DecodeOptions, decode_response};
use oblivious_http::hpke::Recipient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::programs::Server;
use crate::replicas::{encoded, post, recipient};
use crate::setup::{Setup, relay_to, send, text};

const NOTHING: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// Gives the same answer to each request, as it is, and keeps what it was sent.
struct RawTarget {
    origin: String,
    heard: Arc<Mutex<String>>,
}

impl RawTarget {
    async fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::<Mutex<String>>::default();
        let hearing = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read_request(&mut stream).await;
                hearing.lock().unwrap().push_str(&request);
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { origin, heard }
    }

    /// What it was sent since the last call.
    fn take(&self) -> String {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

/// The head of a request, and of its content what has come by then.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    while !read.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(length @ 1..) => read.extend_from_slice(&buffer[..length]),
            _ => break,
        }
        // A TLS handshake (RFC 8446 §5.1) has no such end.
        if read[0] == 0x16 {
            break;
        }
    }
    String::from_utf8_lossy(&read).to_ascii_lowercase()
}

/// A gateway for a raw target.
struct Asked {
    target: RawTarget,
    gateway: Server,
    recipient: Recipient,
}

impl Asked {
    async fn start(answer: &'static str) -> Self {
        let target = RawTarget::start(answer).await;
        let gateway =
            Server::start("gateway", &["--generate-key", "--allow-target", &target.origin]);
        let recipient = recipient(&gateway).await;
        Self { target, gateway, recipient }
    }

    /// The answer inside to a message that is sealed as it is.
    async fn ask_bytes(&self, message: &[u8], method: &Method) -> Response<Content> {
        let (sealed, pending) = self.recipient.encapsulate(message).unwrap();
        let received = send(post(&self.gateway.origin, sealed)).await;
        assert_eq!(received.status, StatusCode::OK);
        let opened = pending.open(received.body.into()).unwrap().freeze();
        decode_response(opened, method, &DecodeOptions::default()).unwrap()
    }

    async fn ask(&self, method: Method) -> Response<Content> {
        let request = Request::builder().method(&method).uri(&self.target.origin);
        let request = request.body(Content::default()).unwrap();
        self.ask_bytes(&encoded(&request), &method).await
    }

    /// A binary HTTP request (RFC 9292 §3.1) for this path, with these field lines.
    fn message(&self, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
        let authority = self.target.origin.strip_prefix("http://").unwrap();
        let prefixed =
            |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let control = ["GET", "http", authority, path].map(prefixed).concat();
        let lines = fields.iter().flat_map(|(name, value)| [prefixed(name), prefixed(value)]);
        let lines = lines.collect::<Vec<_>>().concat();
        [&[0], &control[..], &[u8::try_from(lines.len()).unwrap()], &lines].concat()
    }
}

/// The status of an answer and its text.
fn read(answer: &Response<Content>) -> (u16, &str) {
    (answer.status().as_u16(), std::str::from_utf8(&answer.body().data).unwrap())
}

/// RFC 9110 §8.6: there is a `content-length: 0` where the method gives content a meaning.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_without_content_says_so() {
    let asked = Asked::start(NOTHING).await;
    for method in [Method::POST, Method::PUT, Method::PATCH] {
        asked.ask(method.clone()).await;
        let heard = asked.target.take();
        assert!(heard.contains("\r\ncontent-length: 0\r\n"), "{method}: {heard}");
        assert!(!heard.contains("transfer-encoding"), "{method}: {heard}");
    }
    for method in [Method::GET, Method::HEAD, Method::DELETE, Method::OPTIONS] {
        asked.ask(method.clone()).await;
        let heard = asked.target.take();
        assert!(!heard.contains("content-length"), "{method}: {heard}");
        assert!(!heard.contains("transfer-encoding"), "{method}: {heard}");
    }
}

/// RFC 9110 §8.6: the same for requests in chunks that have no content.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_post_in_chunks_without_content_says_so() {
    use crate::streaming::{Zeros, exchange};

    let asked = Asked::start(NOTHING).await;
    for (method, said) in [
        (Method::POST, true),
        (Method::PUT, true),
        (Method::PATCH, true),
        (Method::DELETE, false),
        (Method::OPTIONS, false),
        (Method::GET, false),
    ] {
        let ask = async || {
            let request = Request::builder().method(&method).uri(&asked.target.origin);
            exchange(&asked.gateway, request.body(Zeros(0)).unwrap()).await;
            asked.target.take()
        };
        let mut heard = ask().await;
        // On a busy machine the end of a request may be long behind its head.
        for _ in 0..5 {
            if heard.contains("transfer-encoding") {
                heard = ask().await;
            }
        }
        assert_eq!(heard.contains("\r\ncontent-length: 0\r\n"), said, "{method}: {heard}");
        assert!(!heard.contains("transfer-encoding"), "{method}: {heard}");
    }
}

/// RFC 9110 §8.6: from the client program, by way of the relay.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_without_content_of_the_client_program_says_so() {
    let asked = Asked::start(NOTHING).await;
    let relay = relay_to(&asked.gateway.url("/gateway"));
    for arguments in [&["-X", "POST"][..], &["-d", ""]] {
        let (relay, keys) = (relay.url("/gateway"), asked.gateway.url("/ohttp-keys"));
        let fixed = ["--relay", &relay, "--keys", &keys, &asked.target.origin];
        text(&crate::programs::run("client", &[&fixed[..], arguments].concat()));
        let heard = asked.target.take();
        assert!(heard.starts_with("post / http/1.1\r\n"), "{heard}");
        assert!(heard.contains("\r\ncontent-length: 0\r\n"), "{heard}");
    }
}

/// RFC 9110 §8.6: over HTTP/2 too.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_without_content_over_http2_says_so() {
    let (tls, ca) = oblivious_hyper::self_signed(&["localhost"]).unwrap();
    let target = crate::target::Target::start_with(Some(tls)).await;
    let file = crate::setup::TempFile::new("raw-ca", ca);
    let arguments =
        ["--generate-key", "--ca", file.path(), "--allow-internal-target", &target.origin];
    let gateway = Server::start("gateway", &arguments);
    let recipient = recipient(&gateway).await;
    let request = Request::post(target.url("/echo")).body(Content::default()).unwrap();
    let (sealed, pending) = recipient.encapsulate(&encoded(&request)).unwrap();
    let sealed = send(post(&gateway.origin, sealed)).await.body;
    let answer = pending.open(sealed.into()).unwrap().freeze();
    let answer = decode_response(answer, &Method::POST, &DecodeOptions::default()).unwrap();
    let (status, echo) = read(&answer);
    assert_eq!(status, 200, "{echo}");
    assert!(echo.contains("content-length: 0\n"), "{echo}");
}

/// RFC 9112 §6.1: content with a transfer coding that is not understood is no content.
#[tokio::test(flavor = "multi_thread")]
async fn transfer_codings_of_targets_other_than_chunked_are_a_502() {
    for answer in [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\n\x1f\x0b\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n\x1f\x0b",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    ] {
        let asked = Asked::start(answer).await;
        let answered = asked.ask(Method::GET).await;
        let expected = (502, "The target's response is not a valid HTTP response.\n");
        assert_eq!(read(&answered), expected, "{answer}");
    }
}

/// RFC 9112 §6.1: likewise in clear, at the gateway and the relay.
#[tokio::test(flavor = "multi_thread")]
async fn transfer_codings_of_clients_other_than_chunked_are_a_501() {
    let setup = Setup::start().await;
    for server in [&setup.gateway, &setup.relay] {
        for (coding, status) in
            [("gzip, chunked", 501), ("chunked, chunked", 501), ("chunked", 400)]
        {
            let mut stream = TcpStream::connect(server.address()).await.unwrap();
            let request = format!(
                "POST /gateway HTTP/1.1\r\nhost: a\r\ncontent-type: message/ohttp-req\r\n\
                 transfer-encoding: {coding}\r\nconnection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{coding}: {answer}");
        }
    }
}

/// RFC 9110 §8.6: lengths that are all the same are one, and others are none.
#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_is_said_twice_is_one() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ncontent-length: 3, 3\r\n\r\nabc",
    ] {
        let asked = Asked::start(answer).await;
        let answered = asked.ask(Method::GET).await;
        assert_eq!(read(&answered), (200, "abc"), "{answer}");
        let lengths: Vec<_> = answered.headers().get_all("content-length").iter().collect();
        assert_eq!(lengths, ["3"], "{answer}");
    }
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\ncontent-length: 3, 4\r\n\r\nabcd",
    ] {
        let asked = Asked::start(answer).await;
        assert_eq!(asked.ask(Method::GET).await.status(), StatusCode::BAD_GATEWAY, "{answer}");
    }
}

/// RFC 9110 §15.6.3: what happened to the target, told apart.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_target_is_told() {
    let invalid = "The target's response is not a valid HTTP response.\n";
    let broke_off = "The target broke off before its response was complete.\n";
    for (answer, text) in [
        ("220 mail.example ESMTP\r\n", invalid),
        ("HTTP/1.1 200 OK\r\nx-folded: a\r\n  b\r\ncontent-length: 0\r\n\r\n", invalid),
        ("HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\nabc", invalid),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnothing\r\n", invalid),
        ("", broke_off),
        ("HTTP/1.1 200 OK\r\nx-a: b\r\n", broke_off),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", broke_off),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc", broke_off),
    ] {
        let asked = Asked::start(answer).await;
        let answered = asked.ask(Method::GET).await;
        assert_eq!(read(&answered), (502, text), "{answer:?}");
    }

    let unreachable = "The target cannot be reached.\n";
    // A port that was free a moment ago, and a name that is none.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let plain = RawTarget::start("this is not TLS").await;
    let not_tls = plain.origin.replace("http:", "https:");
    for origin in [format!("http://{free}"), "http://no-such-host.invalid".into(), not_tls] {
        let arguments = ["--generate-key", "--allow-internal-target", &origin];
        let gateway = Server::start("gateway", &arguments);
        let target = RawTarget { origin, heard: Arc::default() };
        let recipient = recipient(&gateway).await;
        let asked = Asked { target, gateway, recipient };
        let answered = asked.ask(Method::GET).await;
        assert_eq!(read(&answered), (502, unreachable), "{}", asked.target.origin);
    }
}

/// RFC 9292 §4: the sender of an invalid request, who alone can read the answer, is told which rule
/// it broke, and no value of the request is repeated.
#[tokio::test(flavor = "multi_thread")]
async fn which_rule_a_request_broke_is_told() {
    let asked = Asked::start(NOTHING).await;
    for (path, fields, rule) in [
        ("/", &[("x-secret", " blank")][..], "blanks around it"),
        ("secret", &[], "the path is not one that the method can have"),
        ("/", &[("content-length", "5")], "`content-length` is not the length of the content"),
        ("/", &[("host", "secret.test")], "disagrees with the authority"),
        ("/", &[("host", "a.test"), ("host", "secret.test")], "`host` field is repeated"),
        ("/", &[("x secret", "a")], "a field name is not a token"),
    ] {
        let answered = asked.ask_bytes(&asked.message(path, fields), &Method::GET).await;
        let (status, text) = read(&answered);
        assert_eq!(status, 400, "{text}");
        assert!(text.starts_with("The request is not a valid binary HTTP request: "), "{text}");
        assert!(text.contains(rule), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
    assert!(asked.target.take().is_empty());
}

/// RFC 3986 §3.3: what a path must not have is percent-encoded, or the request is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_goes_to_the_target_only_as_a_uri_has_it() {
    let asked = Asked::start(NOTHING).await;
    for path in ["/\u{e9}", "/a?\u{e9}", "/%e", "/a|b"] {
        let answered = asked.ask_bytes(&asked.message(path, &[]), &Method::GET).await;
        assert_eq!(answered.status(), StatusCode::BAD_REQUEST, "{path}");
        assert!(asked.target.take().is_empty(), "{path}");
    }
    for path in ["/%C3%A9", "/a?b=%C3%A9&c[]=d"] {
        let answered = asked.ask_bytes(&asked.message(path, &[]), &Method::GET).await;
        assert_eq!(answered.status(), StatusCode::NO_CONTENT, "{path}");
        let line = format!("get {} http/1.1\r\n", path.to_ascii_lowercase());
        assert!(asked.target.take().starts_with(&line), "{path}");
    }
}

/// RFC 9110 §7.6.2: OPTIONS that is to go no further is answered by the gateway.
#[tokio::test(flavor = "multi_thread")]
async fn forwardings_are_counted() {
    let asked = Asked::start(NOTHING).await;
    let ask = async |method: Method, left: &str| {
        let request = Request::builder().method(&method).uri(&asked.target.origin);
        let request = request.header("max-forwards", left).body(Content::default()).unwrap();
        let answered = asked.ask_bytes(&encoded(&request), &method).await;
        (answered.status().as_u16(), asked.target.take())
    };
    assert_eq!(ask(Method::OPTIONS, "0").await, (204, String::new()));
    assert_eq!(ask(Method::GET, "0").await, (508, String::new()));
    assert_eq!(ask(Method::OPTIONS, "many").await, (400, String::new()));
    for method in [Method::OPTIONS, Method::GET] {
        let (status, heard) = ask(method, "7").await;
        assert_eq!(status, 204);
        assert!(heard.contains("\r\nmax-forwards: 6\r\n"), "{heard}");
    }
}
