//! What is wrong with the outer request is answered in clear.

mod common;

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use common::{Received, gateway_without_target, layer, outer, seal, send};
use http::{Method, Request, StatusCode, header};
use http_body::{Body, Frame};
use oblivious_gateway::{GatewayKeys, PublishKeys};
use oblivious_keys::KeyConfigList;
use oblivious_service::{BoxError, Content, Problem, Timeout, TokioTimer};
use tower::{Layer, ServiceExt};

async fn send_body(body: impl Into<Content>) -> Received {
    send(gateway_without_target(), outer(body)).await
}

/// RFC 9458 §5.2
#[tokio::test]
async fn any_method_but_post_is_a_405() {
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PURGE"] {
        let mut request = outer(seal(b"x").0);
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        let received = send(gateway_without_target(), request).await;
        assert_eq!(received.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(received.headers[header::ALLOW], "POST");
    }
}

/// RFC 9458 §5.2
#[tokio::test]
async fn any_other_media_type_is_a_415() {
    let types: [&[&str]; 6] = [
        &[],
        &["text/plain"],
        &["message/ohttp-res"],
        &["message/ohttp-chunked-res"],
        &["message/ohttp-req-2"],
        &["message/ohttp-req", "message/ohttp-req"],
    ];
    for content_types in types {
        let mut request = Request::post("/").body(Content::from(seal(b"x").0)).unwrap();
        for content_type in content_types {
            request.headers_mut().append(header::CONTENT_TYPE, content_type.parse().unwrap());
        }
        let received = send(gateway_without_target(), request).await;
        assert_eq!(received.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_types:?}");
    }
}

/// RFC 9110 §15.5.16: what has a content coding cannot be opened, and a client that took this for a
/// stale key would fetch keys for nothing.
#[tokio::test]
async fn a_content_coding_is_a_415_and_no_problem_of_the_key() {
    for kind in ["message/ohttp-req", "message/ohttp-chunked-req"] {
        for coding in ["gzip", "identity, br"] {
            let mut request = outer(seal(b"x").0);
            let headers = request.headers_mut();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            headers.insert(header::CONTENT_ENCODING, coding.parse().unwrap());
            let received = send(gateway_without_target(), request).await;
            assert_eq!(received.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind} {coding}");
            assert_eq!(received.headers[header::ACCEPT_ENCODING], "identity");
        }
    }
    let mut request = outer(seal(b"x").0);
    request.headers_mut().insert(header::CONTENT_ENCODING, "identity".parse().unwrap());
    assert_eq!(send(gateway_without_target(), request).await.status, StatusCode::OK);
}

/// RFC 9110 §8.3.1: neither case nor parameters of a media type make a difference.
#[tokio::test]
async fn the_media_type_is_read_and_not_matched() {
    let mut request = outer(seal(b"x").0);
    let odd = "Message/OHTTP-Req; v=1".parse().unwrap();
    request.headers_mut().insert(header::CONTENT_TYPE, odd);
    assert_eq!(send(gateway_without_target(), request).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413() {
    let sealed = seal(&[0; 1000]).0;
    for (limit, status) in
        [(sealed.len(), StatusCode::OK), (sealed.len() - 1, StatusCode::PAYLOAD_TOO_LARGE)]
    {
        let gateway = layer().request_limit(limit).layer(tower::service_fn(|_| async {
            Ok::<_, BoxError>(http::Response::new(Content::default()))
        }));
        assert_eq!(send(gateway, outer(sealed.clone())).await.status, status);
    }
}

/// RFC 9458 §5.2
#[tokio::test]
async fn a_request_shorter_than_its_structure_is_a_400() {
    let sealed = seal(b"").0;
    for cut in 0..sealed.len() {
        let received = send_body(sealed.slice(..cut)).await;
        assert_eq!(received.status, StatusCode::BAD_REQUEST, "{cut}");
    }
}

/// RFC 9458 §5.3 and §6.4: nobody learns from the answer why a request could not be opened.
#[tokio::test]
async fn all_failures_to_decrypt_look_alike() {
    let sealed = seal(b"some request").0;
    let altered = |at: usize, byte: u8| {
        let mut altered = BytesMut::from(&sealed[..]);
        altered[at] ^= byte;
        altered.freeze()
    };
    let first = send_body(altered(0, 2)).await;
    assert_eq!(first.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(first.headers["content-type"], "application/problem+json");
    assert_eq!(first.headers["cache-control"], "no-store");
    assert_eq!(Problem::parse(&first.body), Some(Problem::OhttpKey));

    let mut low_order = BytesMut::from(&sealed[..]);
    low_order[7..39].fill(0);
    let others = [
        ("unknown KEM", altered(1, 0x80)),
        ("another KEM with enc of the same length", {
            let mut long = BytesMut::from(&altered(2, 0x30)[..]);
            long.resize(2000, 0);
            long.freeze()
        }),
        ("unknown KDF", altered(4, 0x10)),
        ("a suite that the key does not accept", altered(6, 3)),
        ("another suite of the key", altered(6, 2)),
        ("enc", altered(20, 1)),
        ("low-order enc", low_order.freeze()),
        ("ciphertext", altered(40, 1)),
        ("tag", altered(sealed.len() - 1, 0x80)),
        ("a byte too few", sealed.slice(..sealed.len() - 1)),
    ];
    for (what, body) in others {
        assert_eq!(send_body(body).await, first, "{what}");
    }
}

/// A body that fails after its first frame.
struct Broken(bool);

impl Body for Broken {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let begun = std::mem::replace(&mut self.0, true);
        Poll::Ready(Some(if begun {
            Err("connection reset".into())
        } else {
            Ok(Frame::data(Bytes::from_static(b"begin")))
        }))
    }
}

/// A body that never comes.
struct Silent;

impl Body for Silent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn a_body_that_fails_is_a_400() {
    let request = outer(Bytes::new()).map(|_| Broken(false));
    let gateway = layer().layer(tower::service_fn(|_| async {
        Ok::<_, BoxError>(http::Response::new(Content::default()))
    }));
    let response = gateway.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_a_408() {
    let request = outer(Bytes::new()).map(|_| Silent);
    let timeout = Timeout::new(Duration::from_secs(30), TokioTimer);
    let gateway = layer().request_timeout(timeout).layer(tower::service_fn(|_| async {
        Ok::<_, BoxError>(http::Response::new(Content::default()))
    }));
    let response = gateway.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
}

/// RFC 9458 §3.2
#[tokio::test]
async fn the_keys_are_published() {
    let keys =
        PublishKeys::new(GatewayKeys::from(common::ring())).max_age(Duration::from_secs(600));
    let request = Request::get("/ohttp-keys").body(Content::default()).unwrap();
    let response = keys.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/ohttp-keys");
    assert_eq!(response.headers()["cache-control"], "max-age=600");
    let list = KeyConfigList::decode(&response.into_body().data).unwrap();
    assert_eq!(list, common::ring().config_list().unwrap());

    let request = Request::head("/ohttp-keys").body(Content::default()).unwrap();
    let response = keys.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-length"], list.encode().len().to_string());
    assert!(response.into_body().data.is_empty());

    let request = Request::post("/ohttp-keys").body(Content::default()).unwrap();
    let response = keys.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()[header::ALLOW], "GET, HEAD");

    let request = Request::get("/ohttp-keys").body(Content::default()).unwrap();
    let none = GatewayKeys::from(oblivious_hpke::KeyRing::new());
    let response = PublishKeys::new(none).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

/// Requests under the old ring fail once it is replaced, and the new list is published.
#[tokio::test]
async fn the_ring_can_be_replaced_while_the_gateway_runs() {
    use oblivious_gateway::GatewayLayer;
    use oblivious_service::Live;
    let keys = Live::new(GatewayKeys::from(common::ring()));
    let gateway = GatewayLayer::new(keys.clone()).layer(tower::service_fn(|_| async {
        Ok::<_, BoxError>(http::Response::new(Content::default()))
    }));
    assert_eq!(send(gateway.clone(), outer(seal(b"x").0)).await.status, StatusCode::OK);
    keys.replace(oblivious_hpke::KeyRing::new().into());
    let received = send(gateway, outer(seal(b"x").0)).await;
    assert_eq!(received.status, StatusCode::UNPROCESSABLE_ENTITY);
}
