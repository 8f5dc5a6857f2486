//! Requests that lead back to who serves them.

use http::{Method, Request, StatusCode};
use oblivious_http::bhttp::{Content, DecodeOptions, decode_response};

use crate::programs::Server;
use crate::replicas::{encoded, post, recipient};
use crate::setup::send;

/// An address of loopback that was free a moment ago: whoever listens there has to know it before.
fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// A gateway that may ask itself.
fn gateway_to_itself() -> Server {
    let address = free_address();
    let origin = format!("http://{address}");
    let arguments = ["--generate-key", "--listen", &address, "--allow-target", &origin];
    Server::start_with("gateway", &arguments, &[("RUST_LOG", "info")])
}

#[cfg(target_os = "linux")]
fn descriptors(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap().count()
}

/// RFC 5842 §7.2: a thousand encapsulations inside each other are one exchange, whatever the gateway
/// may ask.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_can_reach_itself_opens_one_layer() {
    use crate::streaming::memory;

    let gateway = gateway_to_itself();
    let recipient = recipient(&gateway).await;
    let nested = |levels: usize, path: &str, kind: &str| {
        let innermost = Request::get(gateway.url("/health")).body(Content::default()).unwrap();
        let (mut sealed, mut pending) = recipient.encapsulate(&encoded(&innermost)).unwrap();
        for _ in 1..levels {
            let outer = Request::post(gateway.url(path)).header("content-type", kind);
            let outer = outer.body(Content::from(sealed)).unwrap();
            (sealed, pending) = recipient.encapsulate(&encoded(&outer)).unwrap();
        }
        (sealed, pending)
    };
    let (sealed, pending) = nested(1, "/gateway", "message/ohttp-req");
    let plain = send(post(&gateway.origin, sealed)).await;
    assert!(pending.open(plain.body.into()).is_ok());
    let (memory_before, descriptors_before) = (memory(&gateway), descriptors(&gateway));

    for (levels, path, kind) in [
        (2, "/gateway", "message/ohttp-req"),
        (2, "/.well-known/ohttp-gateway", "Message/OHTTP-Req; a=b"),
        (2, "/elsewhere", "message/ohttp-chunked-req"),
        (1000, "/gateway", "message/ohttp-req"),
    ] {
        let (sealed, pending) = nested(levels, path, kind);
        let received = send(post(&gateway.origin, sealed)).await;
        assert_eq!(received.status, StatusCode::OK, "a relay does not see it");
        let opened = pending.open(received.body.into()).unwrap().freeze();
        let answer = decode_response(opened, &Method::POST, &DecodeOptions::default()).unwrap();
        assert_eq!(answer.status(), StatusCode::LOOP_DETECTED, "{levels} {path} {kind}");
    }
    let grown = memory(&gateway).saturating_sub(memory_before);
    assert!(grown < 8 << 20, "{grown} bytes");
    let opened = descriptors(&gateway).saturating_sub(descriptors_before);
    assert!(opened <= 4, "{opened} descriptors");
}
