//! Who the client is, over real sockets.

mod common;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use common::{ask, connect_from, http_client, recording_gateway, start};
use http::{Request, Response};
use http_body_util::Full;
use oblivious_hyper::server::{Options, PeerAddr};
use oblivious_hyper::{ClientAddresses, RequestBody, self_signed, tls};
use oblivious_relay::{RateLimit, Relay};
use oblivious_service::{ClientAddress, Live, TrustedProxies};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tower::service_fn;

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/// Tells clients what the server knows of them.
async fn who(request: Request<RequestBody>) -> Result<Response<Full<Bytes>>, Infallible> {
    let extensions = request.extensions();
    let peer = extensions.get::<PeerAddr>().unwrap();
    let client = extensions.get::<ClientAddress>();
    assert!(!format!("{peer:?} {client:?}").contains(['1', '2']));
    let known = match client {
        Some(client) => format!("you are {}", client.ip()),
        None => "you are nobody".to_owned(),
    };
    Ok(Response::new(Full::from(known)))
}

async fn told(addresses: ClientAddresses, sent: &str) -> String {
    let options = Options { client_addresses: addresses, ..Options::default() };
    let server = start(service_fn(who), options).await;
    let answer = ask(connect_from("127.0.0.9", server).await, sent.as_bytes()).await;
    answer.rsplit_once("you are ").map_or(String::new(), |(_, known)| known.to_owned())
}

#[tokio::test]
async fn by_default_it_is_who_connects() {
    assert_eq!(told(ClientAddresses::Socket, GET).await, "127.0.0.9");
    let header = GET.replace("host", "x-forwarded-for: 192.0.2.7\r\nhost");
    assert_eq!(told(ClientAddresses::Socket, &header).await, "127.0.0.9");
}

#[tokio::test]
async fn a_balancer_says_in_the_proxy_protocol() {
    for (header, expected) in [
        ("PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\n", "192.0.2.7"),
        ("PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n", "2001:db8::7"),
        ("PROXY UNKNOWN\r\n", "nobody"),
        // One without is not served at all.
        ("", ""),
        ("PROXY TCP4 nonsense\r\n", ""),
    ] {
        let sent = format!("{header}{GET}");
        assert_eq!(told(ClientAddresses::ProxyProtocol, &sent).await, expected, "{header}");
    }
}

#[tokio::test]
async fn the_proxy_protocol_goes_before_tls() {
    let (config, ca) = self_signed(&["localhost"]).unwrap();
    let options = Options {
        tls: Some(Live::new(config)),
        client_addresses: ClientAddresses::ProxyProtocol,
        ..Options::default()
    };
    let server = start(service_fn(who), options).await;
    let mut stream = connect_from("127.0.0.9", server).await;
    stream.write_all(b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n").await.unwrap();
    let connector = TlsConnector::from(Arc::new(tls::client_config(Some(&ca)).unwrap()));
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    stream.write_all(GET.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    assert!(answer.ends_with(b"you are 192.0.2.7"));
}

#[tokio::test]
async fn a_proxy_that_is_trusted_says_in_a_field() {
    let with = |value: &str| GET.replace("host", &format!("x-forwarded-for: {value}\r\nhost"));
    let trusting =
        |network| ClientAddresses::from(TrustedProxies::new([network], "x-forwarded-for").unwrap());
    let proxy = || trusting("127.0.0.0/8");
    assert_eq!(told(proxy(), &with("1.1.1.1, 192.0.2.7")).await, "192.0.2.7");
    assert_eq!(told(proxy(), &with("192.0.2.7, junk")).await, "nobody");
    assert_eq!(told(proxy(), GET).await, "nobody");
    assert_eq!(told(trusting("10.0.0.0/8"), &with("192.0.2.7")).await, "127.0.0.9");
}

#[tokio::test]
async fn a_client_over_its_rate_does_not_disturb_another() {
    let (gateway, _recorded) = recording_gateway().await;
    let relay = Relay::new(http_client())
        .allow_http_gateways()
        .route("/gateway", gateway)
        .unwrap()
        .rate_limit(RateLimit::per_minute(2.try_into().unwrap()));
    let relay = start(relay, Options::default()).await;
    let send = async |own: &str| {
        let request = "POST /gateway HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
                       content-type: message/ohttp-req\r\ncontent-length: 1\r\n\r\nx";
        let answer = ask(connect_from(own, relay).await, request.as_bytes()).await;
        answer[9..12].to_owned()
    };
    assert_eq!(send("127.0.0.3").await, "200");
    assert_eq!(send("127.0.0.3").await, "200");
    assert_eq!(send("127.0.0.3").await, "429");
    assert_eq!(send("127.0.0.4").await, "200");
}
