//! Requests that carry something else than binary HTTP (RFC 9458 §4.6).

mod common;

use bytes::Bytes;
use common::{KEY_ID, Received, send};
use http::{Request, header};
use oblivious_gateway::{GatewayKeys, GatewayLayer};
use oblivious_hpke::{KeyPair, KeyRing, Labels, Provider, Recipient};
use oblivious_keys::{KemId, SymmetricSuite};
use oblivious_service::{BoxError, Content, Payload, Timeout, TokioTimer};
use tower::{Layer, service_fn};

const SUITE: SymmetricSuite = SymmetricSuite::HKDF_SHA256_AES_128_GCM;

fn payload() -> Payload {
    Payload::new("message/example-req", "message/example-res").unwrap()
}

fn ring() -> KeyRing {
    let labels = Labels::new("message/example request", "message/example response").unwrap();
    let pair = KeyPair::derive(KemId::X25519_HKDF_SHA256, &[7; 32], Provider::default()).unwrap();
    let mut ring = KeyRing::with_labels(labels);
    ring.add(KEY_ID, pair, vec![SUITE]).unwrap();
    ring
}

fn recipient(labels: &Labels) -> Recipient {
    let list = ring().config_list().unwrap();
    Recipient::with_labels(&list.configs()[0], SUITE, Provider::default(), labels).unwrap()
}

fn layer() -> GatewayLayer<Payload> {
    GatewayLayer::for_payload(GatewayKeys::from(ring()), payload())
}

/// The outer request that carries `body`.
fn outer(body: Bytes) -> Request<Content> {
    let request = Request::post("/").header(header::CONTENT_TYPE, "message/example-req");
    request.body(Content::from(body)).unwrap()
}

/// What the gateway answers to `request`, with a service that turns bytes round.
async fn asked(layer: GatewayLayer<Payload>, request: Request<Content>) -> Received {
    let reversed = service_fn(|request: Bytes| async move {
        match &request[..] {
            b"fail" => Err(BoxError::from("secret")),
            b"hang" => std::future::pending().await,
            _ => Ok(request.iter().rev().copied().collect::<Bytes>()),
        }
    });
    send(layer.layer(reversed), request).await
}

/// RFC 9458 §4.6
#[tokio::test]
async fn the_service_gets_the_bytes_and_gives_those_of_the_answer() {
    let labels = Labels::new("message/example request", "message/example response").unwrap();
    let (sealed, pending) = recipient(&labels).encapsulate(b"abc").unwrap();
    let received = asked(layer(), outer(sealed.clone())).await;
    assert_eq!(received.status, 200);
    assert_eq!(received.headers[header::CONTENT_TYPE], "message/example-res");
    assert_eq!(received.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(received.headers.len(), 2);
    assert_eq!(pending.open(received.body).unwrap(), "cba");

    // RFC 9458 §4.6: under other labels it is another protocol, whatever the key.
    let (sealed, _) = recipient(&Labels::BINARY_HTTP).encapsulate(b"abc").unwrap();
    let received = asked(layer(), outer(sealed)).await;
    assert_eq!(received.status, 422);
    assert_eq!(received.headers[header::CONTENT_TYPE], "application/problem+json");
}

/// RFC 9458 §5.2
#[tokio::test]
async fn what_is_wrong_outside_is_told_in_clear() {
    let labels = Labels::new("message/example request", "message/example response").unwrap();
    let sealed = || outer(recipient(&labels).encapsulate(b"abc").unwrap().0);
    let with = |change: fn(&mut Request<Content>)| {
        let mut request = sealed();
        change(&mut request);
        request
    };
    let http = with(|request| {
        let kind = "message/ohttp-req".parse().unwrap();
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
    });
    assert_eq!(asked(layer(), http).await.status, 415);
    let coded = with(|request| {
        request.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
    });
    assert_eq!(asked(layer(), coded).await.status, 415);
    let put = with(|request| *request.method_mut() = http::Method::PUT);
    assert_eq!(asked(layer(), put).await.status, 405);
    assert_eq!(asked(layer().request_limit(10), sealed()).await.status, 413);
    assert_eq!(asked(layer(), outer(Bytes::from_static(&[1; 5]))).await.status, 400);
    assert_eq!(asked(layer().concurrency_limit(0), sealed()).await.status, 503);
}

/// RFC 9458 §6.5: nor is a request of another protocol served twice.
#[tokio::test]
async fn a_copy_and_a_service_that_fails_are_told_in_clear() {
    let labels = Labels::new("message/example request", "message/example response").unwrap();
    let sealed = |message: &[u8]| recipient(&labels).encapsulate(message).unwrap().0;
    let layer =
        layer().target_timeout(Timeout::new(std::time::Duration::from_millis(20), TokioTimer));
    let once = sealed(b"abc");
    assert_eq!(asked(layer.clone(), outer(once.clone())).await.status, 200);
    assert_eq!(asked(layer.clone(), outer(once)).await.status, 409);
    assert_eq!(asked(layer.clone(), outer(sealed(b"hang"))).await.status, 504);
    let failed = asked(layer, outer(sealed(b"fail"))).await;
    assert_eq!(failed.status, 500);
    assert!(!failed.body.windows(6).any(|window| window == b"secret"));
}
