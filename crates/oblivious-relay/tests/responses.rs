//! What of a gateway's response reaches the client.

mod common;

use common::{Gateway, body, fields, relay_answering, relay_to, request, response, send, text};
use http::{HeaderValue, Request, Response, StatusCode};
use oblivious_relay::RelayRequestBody;
use oblivious_service::{BoxError, Problem, Pseudonym};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tower::service_fn;
use tower::util::BoxCloneService;

/// A gateway's response with this status and content type, full of fields that must not pass.
fn chatty(status: u16, content_type: &'static str) -> Response<common::Body> {
    let mut response = Response::builder()
        .status(status)
        .header("set-cookie", "who=you")
        .header("x-client", "192.0.2.7")
        .header("server", "gateway/1")
        .header("via", "1.1 gateway")
        .header("alt-svc", "h3=\":443\"")
        .header("cache-control", "max-age=3600")
        .header("etag", "\"7\"")
        .header("date", "Mon, 27 Jul 2009 12:28:53 GMT")
        .header("www-authenticate", "Basic")
        .header("location", "https://elsewhere.example/")
        .header("incremental", "?0")
        .header("connection", "x-client")
        .header("trailer", "x-client");
    if !content_type.is_empty() {
        response = response.header("content-type", content_type);
    }
    response.body(body("gateway's body")).unwrap()
}

/// ohttp-relay passes `Set-Cookie` and `X-...` of the gateway to the client.
#[tokio::test]
async fn of_the_gateway_s_fields_those_pass_that_the_client_needs() {
    let (relay, _) = relay_answering(|| chatty(200, "Message/OHTTP-Res; who=you"));
    let answer = send(&relay, request()).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(
        fields(answer.headers()),
        [
            ("cache-control", "max-age=3600"),
            ("content-type", "message/ohttp-res"),
            ("date", "Mon, 27 Jul 2009 12:28:53 GMT"),
        ]
    );
    assert_eq!(text(answer).await, "gateway's body");
}

/// What is there twice, or is no such value, does not pass; and what the gateway does not say of
/// caches is no.
#[tokio::test]
async fn fields_that_pass_are_what_they_should_be() {
    for (fields, expected) in [
        (&[][..], &[("cache-control", "no-store")][..]),
        (
            &[("retry-after", "120"), ("cache-control", "no-cache")],
            &[("cache-control", "no-cache"), ("retry-after", "120")],
        ),
        (&[("retry-after", "you=192.0.2.7")], &[("cache-control", "no-store")]),
        (&[("date", "you=192.0.2.7")], &[("cache-control", "no-store")]),
        (
            &[
                ("cache-control", "a"),
                ("cache-control", "b"),
                ("retry-after", "1"),
                ("retry-after", "2"),
            ],
            &[("cache-control", "no-store")],
        ),
    ] {
        let (relay, _) = relay_answering(move || {
            let mut response = response();
            for (name, value) in fields {
                response.headers_mut().append(*name, HeaderValue::from_static(value));
            }
            response
        });
        let answer = send(&relay, request()).await;
        let mut passed = common::fields(answer.headers());
        passed.retain(|(name, _)| *name != "content-type");
        assert_eq!(passed, expected, "{fields:?}");
    }
}

/// RFC 9458 §5.3: the client learns of a stale key by the gateway's problem document.
#[tokio::test]
async fn problem_documents_pass() {
    let (relay, _) = relay_answering(|| {
        Problem::OhttpKey
            .into_response()
            .map(|full| common::frames([Ok(http_body::Frame::data(full.data))]))
    });
    let answer = send(&relay, request()).await;
    assert_eq!(answer.status(), 422);
    assert_eq!(
        fields(answer.headers()),
        [("cache-control", "no-store"), ("content-type", "application/problem+json")]
    );
    assert_eq!(Problem::parse(text(answer).await.as_bytes()), Some(Problem::OhttpKey));
}

/// What is neither encapsulated nor a problem says something to the relay, if to anyone: that its
/// token is wrong, for instance.
#[tokio::test]
async fn other_errors_are_bad_gateways() {
    for (status, kind) in [
        (400, ""),
        (401, "text/html"),
        (404, "text/plain"),
        (429, "application/json"),
        (500, "application/problem+xml"),
        (503, "message/ohttp-chunked-res"),
        (599, "message/ohttp-req"),
    ] {
        let (relay, _) = relay_answering(move || {
            let mut response = chatty(status, kind);
            response.headers_mut().insert("retry-after", HeaderValue::from_static("7"));
            response
        });
        let relay = relay.pseudonym(Pseudonym::new("the-relay").unwrap());
        let answer = send(&relay, request()).await;
        assert_eq!(answer.status(), 502);
        assert_eq!(
            fields(answer.headers()),
            [
                ("cache-control", "no-store"),
                ("content-type", "application/problem+json"),
                ("proxy-status", "the-relay; error=http_protocol_error"),
                ("retry-after", "7"),
            ]
        );
        assert!(!text(answer).await.contains("gateway's body"));
    }
    for kind in ["message/ohttp-res", "application/problem+json"] {
        let (relay, _) = relay_answering(move || chatty(503, kind));
        let answer = send(&relay, request()).await;
        assert_eq!(answer.status(), 503);
        assert_eq!(text(answer).await, "gateway's body");
    }
}

/// RFC 9209: who reads the answer can tell that it is the relay's, and why.
#[tokio::test]
async fn answers_of_the_relay_have_a_proxy_status() {
    for (error, expected) in [
        (std::io::ErrorKind::ConnectionRefused, "connection_refused"),
        (std::io::ErrorKind::TimedOut, "connection_timeout"),
        (std::io::ErrorKind::ConnectionReset, "connection_terminated"),
        (std::io::ErrorKind::InvalidData, "destination_unavailable"),
    ] {
        let relay = relay_to(BoxCloneService::new(service_fn(
            move |_: Request<RelayRequestBody<common::Body>>| async move {
                Err::<Response<common::Body>, BoxError>(std::io::Error::from(error).into())
            },
        )));
        let relay = relay.pseudonym(Pseudonym::new("7").unwrap());
        let answer = send(&relay, request()).await;
        assert_eq!(answer.headers()["proxy-status"], format!("\"7\"; error={expected}"));
    }
    // Not those of the gateway.
    let (relay, _) = relay_answering(response);
    assert!(!send(&relay, request()).await.headers().contains_key("proxy-status"));
}

/// A redirect would tell the client another gateway, and make it send a request twice
/// (RFC 9458 §6.5).
#[tokio::test]
async fn redirects_do_not_pass() {
    for status in [300, 301, 302, 303, 304, 307, 308] {
        let (relay, seen) = relay_answering(move || chatty(status, "message/ohttp-res"));
        let answer = send(&relay, request()).await;
        assert_eq!(answer.status(), 502, "{status}");
        assert!(!answer.headers().contains_key("location"));
        assert!(!text(answer).await.contains("elsewhere"));
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_success_that_is_no_encapsulated_response_is_a_bad_gateway() {
    for kind in [
        "",
        "text/html",
        "message/ohttp-req",
        "message/ohttp-chunked-res",
        "message/bhttp",
        "application/problem+json",
        "message/ohttp-res2",
    ] {
        let (relay, _) = relay_answering(move || chatty(200, kind));
        let answer = send(&relay, request()).await;
        assert_eq!(answer.status(), 502, "{kind}");
        assert!(text(answer).await.contains("operator"));
    }
    let (relay, _) = relay_answering(|| chatty(101, "message/ohttp-res"));
    assert_eq!(send(&relay, request()).await.status(), 502);
    let (relay, _) = relay_answering(|| {
        let mut response = response();
        response.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
        response
    });
    assert_eq!(send(&relay, request()).await.status(), 502);
}

/// RFC 9458 §6.5: no request is sent twice, whatever goes wrong.
#[tokio::test]
async fn a_gateway_that_cannot_be_reached_is_asked_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let relay = relay_to(BoxCloneService::new(service_fn(
        move |_: Request<RelayRequestBody<common::Body>>| {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Err::<Response<common::Body>, BoxError>("connection refused 10.0.0.1".into()) }
        },
    )));
    let answer = send(&relay, request()).await;
    assert_eq!(answer.status(), 502);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let text = text(answer).await;
    assert!(text.contains("later") && !text.contains("10.0.0.1"), "{text}");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_response_of_announced_length_over_the_limit_is_a_bad_gateway() {
    let (relay, _) = relay_answering(response);
    let mut request = request();
    *request.body_mut() = body("short");
    assert_eq!(send(&relay.clone().body_limit(6), request).await.status(), 200);
    let mut request = common::request();
    *request.body_mut() = body("short");
    assert_eq!(send(&relay.body_limit(5), request).await.status(), 502);
}

/// A client that is only good for a call when it was asked, as the contract of tower has it.
struct Strict {
    ready: bool,
    broken: bool,
    inner: Gateway,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        // Nobody has asked the clone.
        Self { ready: false, broken: self.broken, inner: self.inner.clone() }
    }
}

impl Strict {
    fn new(broken: bool) -> Self {
        let inner = service_fn(|_| async { Ok(response()) });
        Self { ready: false, broken, inner: BoxCloneService::new(inner) }
    }
}

impl tower::Service<Request<RelayRequestBody<common::Body>>> for Strict {
    type Response = Response<common::Body>;
    type Error = BoxError;
    type Future = <Gateway as tower::Service<Request<RelayRequestBody<common::Body>>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.broken {
            return Poll::Ready(Err("worn out".into()));
        }
        self.ready = true;
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<RelayRequestBody<common::Body>>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without having been ready");
        self.inner.call(request)
    }
}

#[tokio::test]
async fn the_client_that_was_ready_is_the_one_that_is_called() {
    use tower::{Service, ServiceExt};

    let mut relay = oblivious_relay::Relay::new(Strict::new(false))
        .route("/gateway", common::GATEWAY.parse().unwrap())
        .unwrap();
    for _ in 0..2 {
        let answer = ServiceExt::ready(&mut relay).await.unwrap().call(request()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_client_that_cannot_be_ready_is_a_bad_gateway() {
    let relay = relay_to(BoxCloneService::new(Strict::new(true)));
    assert_eq!(send(&relay, request()).await.status(), 502);
    // Its own refusals the relay can give all the same.
    let mut request = request();
    *request.method_mut() = http::Method::GET;
    assert_eq!(send(&relay, request).await.status(), 405);
}
