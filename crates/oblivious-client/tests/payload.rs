//! Requests that carry something else than binary HTTP (RFC 9458 §4.6).

use bytes::Bytes;
use http::{Method, Request, Response, Uri, header};
use oblivious_client::{ClientError, ClientLayer, Gateway, OuterBody};
use oblivious_hpke::{KeyPair, KeyRing, Labels, Provider, Recipient, UnixSeconds};
use oblivious_keys::{KemId, SymmetricSuite};
use oblivious_service::{BoxError, Content, Payload, collect};
use tower::{Layer, ServiceExt, service_fn};

const SUITE: SymmetricSuite = SymmetricSuite::HKDF_SHA256_AES_128_GCM;

fn labels() -> Labels {
    Labels::new("message/example request", "message/example response").unwrap()
}

fn ring() -> KeyRing {
    let pair = KeyPair::derive(KemId::X25519_HKDF_SHA256, &[1; 32], Provider::default()).unwrap();
    let mut ring = KeyRing::with_labels(labels());
    ring.add(1, pair, vec![SUITE]).unwrap();
    ring
}

fn layer() -> ClientLayer<Payload> {
    let list = ring().config_list().unwrap();
    let config = &list.configs()[0];
    let recipient = Recipient::with_labels(config, SUITE, Provider::default(), &labels()).unwrap();
    let payload = Payload::new("message/example-req", "message/example-res").unwrap();
    let gateway = Gateway::new(Uri::from_static("https://relay.example/"), recipient).unwrap();
    ClientLayer::for_payload(gateway, payload)
}

/// Sends `request` by way of a relay whose gateway says it twice, under this media type.
async fn asked(
    layer: ClientLayer<Payload>,
    request: &'static str,
    kind: &'static str,
) -> Result<Bytes, ClientError> {
    let relay = service_fn(move |outer: Request<OuterBody>| async move {
        assert_eq!(outer.method(), Method::POST);
        assert_eq!(outer.headers()[header::CONTENT_TYPE], "message/example-req");
        assert_eq!(outer.headers().len(), 1);
        let sealed = collect(outer.into_body(), 1 << 20).await?.data;
        let (opened, reply) = ring().at(UnixSeconds::EPOCH).decapsulate(sealed.into())?;
        let sealed = reply.seal(&opened.repeat(2))?;
        let response = Response::builder().header(header::CONTENT_TYPE, kind);
        Ok::<_, BoxError>(response.body(Content::from(sealed))?)
    });
    layer.layer(relay).oneshot(Bytes::from(request)).await
}

/// RFC 9458 §4.6
#[tokio::test]
async fn bytes_go_and_bytes_come_back() {
    let answer = asked(layer(), "abc", "Message/Example-Res; a=b").await.unwrap();
    assert_eq!(answer, "abcabc");
}

#[tokio::test]
async fn an_answer_of_another_type_is_no_answer() {
    for kind in ["message/ohttp-res", "message/example-req", "text/plain"] {
        let refused = asked(layer(), "abc", kind).await;
        assert!(matches!(refused, Err(ClientError::NotEncapsulated { .. })), "{kind}");
    }
}

#[tokio::test]
async fn limits_are_those_of_the_layer() {
    let refused = asked(layer().request_limit(2), "abc", "message/example-res").await;
    assert!(matches!(refused, Err(ClientError::RequestTooLarge { limit: 2 })));
    let refused = asked(layer().response_limit(2), "abc", "message/example-res").await;
    assert!(matches!(refused, Err(ClientError::ResponseTooLarge { limit: 2 })));
}
