//! The relay's limits on clients.

use std::time::Duration;

use http::{HeaderMap, Request, StatusCode, header};
use oblivious_http::service::Content;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::programs::{Server, contains};
use crate::setup::{Received, Setup, relay_to_with, send};

/// No gateway is there: whatever gets past the limits is a 502.
const NOWHERE: &str = "http://127.0.0.1:1/";

/// A request of the client that a proxy names in this field.
async fn ask(relay: &Server, field: &str, client: &str) -> Received {
    let mut request = Request::post(relay.url("/gateway"))
        .header(header::CONTENT_TYPE, "message/ohttp-req")
        .body(Content::from("8 bytes."))
        .unwrap();
    let fields: &mut HeaderMap = request.headers_mut();
    if !client.is_empty() {
        fields.insert(header::HeaderName::try_from(field).unwrap(), client.parse().unwrap());
    }
    send(request).await
}

/// RFC 6585 §4: a client over its rate is told when to come again, while others are served.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_over_its_rate_is_refused_and_others_are_not() {
    let limits = ["--client-rate", "1", "--client-burst", "2", "--client-ipv6-bits", "48"];
    let proxy = ["--trusted-proxy", "127.0.0.0/8"];
    let relay = relay_to_with(NOWHERE, &[&limits[..], &proxy].concat());
    let ask = async |client: &str| ask(&relay, "x-forwarded-for", client).await;
    for _ in 0..2 {
        assert_eq!(ask("192.0.2.1").await.status, StatusCode::BAD_GATEWAY);
        assert_eq!(ask("2001:db8:1:2::3").await.status, StatusCode::BAD_GATEWAY);
    }
    let refused = ask("203.0.113.5, 192.0.2.1").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(ask("192.0.2.2").await.status, StatusCode::BAD_GATEWAY);
    // As long as the first 48 bits are the same.
    assert_eq!(ask("2001:db8:1:ffff::1").await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(ask("2001:db8:2::3").await.status, StatusCode::BAD_GATEWAY);
    // A proxy that does not say who asks lets nobody slip through.
    assert_eq!(ask("").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    for address in [&b"192.0.2"[..], b"203.0.113", b"2001:db8"] {
        assert!(!contains(&relay.log(), address));
    }
}

/// Whoever is no trusted proxy speaks for itself, whatever it says.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_choose_who_it_is() {
    for proxy in [&[][..], &["--trusted-proxy", "192.0.2.0/24"]] {
        let relay = relay_to_with(NOWHERE, &[&["--client-rate", "1"], proxy].concat());
        let first = ask(&relay, "x-forwarded-for", "192.0.2.1").await;
        assert_eq!(first.status, StatusCode::BAD_GATEWAY);
        let second = ask(&relay, "x-forwarded-for", "192.0.2.2").await;
        assert_eq!(second.status, StatusCode::TOO_MANY_REQUESTS);
    }
}

/// RFC 7239 §5.2
#[tokio::test(flavor = "multi_thread")]
async fn proxies_may_use_the_field_forwarded() {
    let proxy = ["--trusted-proxy", "127.0.0.1", "--proxy-field", "forwarded"];
    let relay = relay_to_with(NOWHERE, &[&["--client-rate", "1"], &proxy[..]].concat());
    for client in ["for=192.0.2.1", "for=\"[2001:db8::1]:4711\""] {
        let asked = async || ask(&relay, "forwarded", client).await.status;
        assert_eq!(asked().await, StatusCode::BAD_GATEWAY, "{client}");
        assert_eq!(asked().await, StatusCode::TOO_MANY_REQUESTS, "{client}");
    }
}

/// RFC 9110 §10.2.3: one exchange too many is told when to come again.
#[tokio::test(flavor = "multi_thread")]
async fn more_exchanges_than_there_may_be_are_a_503_of_the_relay() {
    for limit in ["--concurrency", "--client-concurrency"] {
        let mut setup = Setup::start().await;
        let gateway = setup.gateway.url("/gateway");
        setup.relay = relay_to_with(&gateway, &[limit, "1"]);
        let mut hanging = setup.spawn_client("/hang");
        while setup.target.calls.begun() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let refused = send(setup.outer("8 bytes.")).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{limit}");
        hanging.kill().unwrap();
        hanging.wait().unwrap();
    }
}

/// The header of version 1 of the PROXY protocol, which says who the client is.
#[tokio::test(flavor = "multi_thread")]
async fn a_balancer_says_by_the_proxy_protocol_who_the_client_is() {
    let relay = relay_to_with(NOWHERE, &["--client-rate", "1", "--proxy-protocol"]);
    let ask = async |header: &str| {
        let mut stream = TcpStream::connect(relay.address()).await.unwrap();
        let request = "POST /gateway HTTP/1.1\r\nhost: a\r\ncontent-type: message/ohttp-req\r\n\
                       content-length: 1\r\nconnection: close\r\n\r\nx";
        stream.write_all(format!("{header}{request}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        answer.get(9..12).map(str::to_owned)
    };
    let proxied = |client: &str| format!("PROXY TCP4 {client} 127.0.0.1 4711 443\r\n");
    assert_eq!(ask(&proxied("192.0.2.1")).await.as_deref(), Some("502"));
    assert_eq!(ask(&proxied("192.0.2.1")).await.as_deref(), Some("429"));
    assert_eq!(ask(&proxied("192.0.2.2")).await.as_deref(), Some("502"));
    assert_eq!(ask("").await, None, "nobody gets past the balancer");
}
