//! Encapsulated requests inside of encapsulated requests, to a gateway that may ask itself.

use bytes::Bytes;
use http::{Request, StatusCode};
use oblivious_http::bhttp::Content;
use oblivious_http::hpke::{PendingResponse, Recipient};

use crate::programs::Server;
use crate::recorder::Recorder;
use crate::replicas::{encoded, opened, post, recipient};
use crate::setup::send;

/// How deep the deepest request is; builds for debugging encrypt slowly.
#[cfg(target_os = "linux")]
const LEVELS: usize = if cfg!(debug_assertions) { 1000 } else { 4000 };

/// A gateway that may ask itself, by way of an address that it knows beforehand.
struct Gateway {
    server: Server,
    /// Where it asks itself.
    origin: String,
}

impl Gateway {
    async fn start(arguments: &[&str]) -> Self {
        let way_back = Recorder::to_come().await;
        let origin = format!("http://{}", way_back.address);
        let fixed = ["--generate-key", "--allow-target", &origin];
        let arguments = [&fixed, arguments].concat();
        let server = Server::start_with("gateway", &arguments, &[("RUST_LOG", "info")]);
        way_back.stand_before(server.address());
        Self { server, origin }
    }
}

/// A request for the gateway's health, sealed to it so many times, each as a POST to `path` with the
/// media type `kind`, and what opens the answers, the outermost last.
fn nested(
    gateway: &Gateway,
    recipient: &Recipient,
    levels: usize,
    path: &str,
    kind: &str,
) -> (Bytes, Vec<PendingResponse>) {
    let innermost =
        Request::get(format!("{}/health", gateway.origin)).body(Content::default()).unwrap();
    let (mut sealed, pending) = recipient.encapsulate(&encoded(&innermost)).unwrap();
    let mut all = vec![pending];
    for _ in 1..levels {
        let outer = Request::post(format!("{}{path}", gateway.origin)).header("content-type", kind);
        let outer = outer.body(Content::from(sealed)).unwrap();
        let pending;
        (sealed, pending) = recipient.encapsulate(&encoded(&outer)).unwrap();
        all.push(pending);
    }
    (sealed, all)
}

/// The status of the innermost answer there is, and how many layers it is in.
async fn innermost(
    gateway: &Gateway,
    (sealed, mut pending): (Bytes, Vec<PendingResponse>),
) -> (StatusCode, usize) {
    let received = send(post(&gateway.server.origin, sealed)).await;
    assert_eq!(received.status, StatusCode::OK, "a relay does not see it");
    let (mut body, mut layers, mut status) = (received.body, 0, received.status);
    while status == StatusCode::OK
        && let Some(pending) = pending.pop()
    {
        let answer = opened(pending, body);
        (status, layers) = (answer.status(), layers + 1);
        body = answer.into_body().data;
    }
    (status, layers)
}

/// RFC 9110 §7.6.3: whoever wants nesting gets as much of it as was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn nesting_is_allowed_by_a_depth() {
    let gateway = Gateway::start(&["--allow-nesting", "2", "--via", "me"]).await;
    let recipient = recipient(&gateway.server).await;
    for (levels, expected) in [
        (1, (StatusCode::OK, 1)),
        (3, (StatusCode::OK, 3)),
        (4, (StatusCode::LOOP_DETECTED, 3)),
        (9, (StatusCode::LOOP_DETECTED, 3)),
    ] {
        let nested = nested(&gateway, &recipient, levels, "/gateway", "message/ohttp-req");
        assert_eq!(innermost(&gateway, nested).await, expected, "{levels}");
    }
}

/// RFC 5842 §7.2: thousands of encapsulations inside each other are one exchange, whatever the gateway
/// may ask.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_can_reach_itself_opens_one_layer() {
    use crate::streaming::memory;

    let gateway = Gateway::start(&[]).await;
    let recipient = recipient(&gateway.server).await;
    let plain = nested(&gateway, &recipient, 1, "/gateway", "message/ohttp-req");
    assert_eq!(innermost(&gateway, plain).await, (StatusCode::OK, 1));
    let server = &gateway.server;
    let (memory_before, descriptors_before) = (memory(server), server.descriptors());

    for (levels, path, kind) in [
        (2, "/gateway", "message/ohttp-req"),
        (2, "/.well-known/ohttp-gateway", "Message/OHTTP-Req; a=b"),
        (2, "/elsewhere", "message/ohttp-chunked-req"),
        (LEVELS, "/gateway", "message/ohttp-req"),
    ] {
        let nested = nested(&gateway, &recipient, levels, path, kind);
        let refused = (StatusCode::LOOP_DETECTED, 1);
        assert_eq!(innermost(&gateway, nested).await, refused, "{levels} {path} {kind}");
    }
    let grown = memory(server).saturating_sub(memory_before);
    eprintln!("{LEVELS} levels: memory grew by {grown} bytes");
    assert!(grown < 8 << 20, "{grown} bytes");
    let opened = server.descriptors().saturating_sub(descriptors_before);
    assert!(opened <= 4, "{opened} descriptors");
}
