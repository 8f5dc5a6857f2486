//! What the gateway program holds against copies, wrong dates, crowds and slow clients, and what it
//! lets through.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use oblivious_http::bhttp::{Content, DecodeOptions, Informational, decode_response};
use oblivious_http::hpke::Recipient;
use oblivious_http::service::Problem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::programs::Server;
use crate::replicas::{encoded, opened, post, recipient};
use crate::setup::{Setup, TempFile, send};
use crate::target::Target;

/// The answer inside to a request for the target's echo with this date.
async fn ask(
    gateway: &Server,
    recipient: &Recipient,
    url: &str,
    date: Option<SystemTime>,
) -> Response<Content> {
    let (sealed, pending) = recipient.encapsulate(&encoded(&dated(url, date))).unwrap();
    opened(pending, send(post(&gateway.origin, sealed)).await.body)
}

fn dated(url: &str, date: Option<SystemTime>) -> Request<Content> {
    let mut request = Request::post(url).body(Content::default()).unwrap();
    if let Some(date) = date {
        let date = httpdate::fmt_http_date(date).parse().unwrap();
        request.headers_mut().insert(header::DATE, date);
    }
    request
}

fn is_date_problem(answer: &Response<Content>) -> bool {
    answer.status() == StatusCode::BAD_REQUEST
        && answer.headers().contains_key(header::DATE)
        && Problem::parse(&answer.body().data) == Some(Problem::Date)
}

const HOUR: Duration = Duration::from_secs(3600);

/// RFC 9458 §6.5 and §6.5.1
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_and_a_wrong_date_are_refused_inside() {
    let target = Target::start().await;
    let seed = TempFile::new("guarded-seed", "fc".repeat(32));
    let arguments = ["--seed-file", seed.path(), "--allow-target", &target.origin];
    let gateway = Server::start("gateway", &arguments);
    let (recipient, url) = (recipient(&gateway).await, target.url("/echo"));
    let now = SystemTime::now();

    let (sealed, pending) = recipient.encapsulate(&encoded(&dated(&url, Some(now)))).unwrap();
    let first = send(post(&gateway.origin, sealed.clone())).await;
    assert_eq!(first.status, StatusCode::OK);
    let copy = send(post(&gateway.origin, sealed)).await;
    assert_eq!(copy.status, StatusCode::OK, "a relay does not see it");
    assert_eq!(opened(pending, copy.body).status(), StatusCode::CONFLICT);

    assert_eq!(ask(&gateway, &recipient, &url, None).await.status(), StatusCode::OK);
    for wrong in [now - HOUR, now + HOUR] {
        assert!(is_date_problem(&ask(&gateway, &recipient, &url, Some(wrong)).await));
    }

    // A guard that is new does not know what was before it. Dates have whole seconds.
    drop(gateway);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let gateway = Server::start("gateway", &[&arguments[..], &["--require-date"]].concat());
    assert!(is_date_problem(&ask(&gateway, &recipient, &url, Some(now)).await));
    assert!(is_date_problem(&ask(&gateway, &recipient, &url, None).await));
    let later = Some(SystemTime::now() + Duration::from_secs(2));
    assert_eq!(ask(&gateway, &recipient, &url, later).await.status(), StatusCode::OK);
}

/// RFC 9110 §10.2.3: one exchange too many is told when to come again.
#[tokio::test(flavor = "multi_thread")]
async fn more_exchanges_than_there_may_be_are_a_503() {
    let setup = Setup::start_with(&["--concurrency", "1"]).await;
    let hanging = setup.spawn_client("/hang");
    while setup.target.calls.begun() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (sealed, _) = setup.seal(b"x").await;
    let refused = send(post(&setup.gateway.origin, sealed)).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
    let mut hanging = hanging;
    hanging.kill().unwrap();
    hanging.wait().unwrap();
}

/// RFC 9110 §15.5.9
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_arrive_is_a_408() {
    let setup = Setup::start_with(&["--request-timeout", "0.3", "--head-timeout", "0.3"]).await;
    let say = async |text: &str| {
        let mut stream = TcpStream::connect(setup.gateway.address()).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer
    };
    let head = "POST /gateway HTTP/1.1\r\nhost: a\r\ncontent-type: message/ohttp-req\r\n";
    let late = say(&format!("{head}content-length: 100\r\n\r\nonly this")).await;
    assert!(late.starts_with("HTTP/1.1 408 "), "{late}");
    let headless = say(head).await;
    assert!(headless.is_empty() || headless.starts_with("HTTP/1.1 408 "), "{headless}");
}

/// RFC 9292 §3.5.1 and §3.7
#[tokio::test(flavor = "multi_thread")]
async fn informational_responses_and_trailers_come_through() {
    const ANSWER: &str = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n\
        HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\nconnection: close\r\n\r\n\
        5\r\nhello\r\n0\r\nx-sum: 532\r\n\r\n";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        stream.write_all(ANSWER.as_bytes()).await.unwrap();
    });
    let gateway = Server::start("gateway", &["--generate-key", "--allow-target", &origin]);
    let request = Request::get(&origin).header("te", "trailers").body(Content::default()).unwrap();
    let sealing = recipient(&gateway).await;
    let (sealed, pending) = sealing.encapsulate(&encoded(&request)).unwrap();
    let sealed = send(post(&gateway.origin, sealed)).await.body;
    let answer: Bytes = pending.open(sealed.into()).unwrap().freeze();
    let answer = decode_response(answer, &Method::GET, &DecodeOptions::default()).unwrap();
    let Informational(early) = answer.extensions().get().cloned().unwrap_or_default();
    assert_eq!((early.len(), early[0].status()), (1, StatusCode::EARLY_HINTS));
    assert_eq!(early[0].headers()["link"], "</style.css>");
    let content = answer.into_body();
    let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), "532".parse().unwrap())]);
    assert_eq!((&content.data[..], content.trailers), (&b"hello"[..], Some(trailers)));
}

/// RFC 9540 §5 and §6, RFC 9110 §13.1.2
#[tokio::test(flavor = "multi_thread")]
async fn keys_can_be_kept_no_longer_than_they_are_valid() {
    let seed = TempFile::new("kept-seed", "0d".repeat(32));
    let own = ["--seed-file", seed.path(), "--rotate", "--allow-target", "https://a.test"];
    let gateway = Server::start("gateway", &[&own[..], &["--key-max-age", "600"]].concat());
    for path in ["/ohttp-keys", "/.well-known/ohttp-gateway"] {
        let get = || Request::get(gateway.url(path));
        let fetched = send(get().body(Content::default()).unwrap()).await;
        assert_eq!(fetched.headers[header::CONTENT_TYPE], "application/ohttp-keys");
        let cache = fetched.headers[header::CACHE_CONTROL].to_str().unwrap();
        let max_age = cache.split(", ").find_map(|part| part.strip_prefix("max-age="));
        assert!(max_age.unwrap().parse::<u64>().unwrap() <= 600, "{cache}");
        let again = get().header(header::IF_NONE_MATCH, &fetched.headers[header::ETAG]);
        let again = send(again.body(Content::default()).unwrap()).await;
        assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    }
}
