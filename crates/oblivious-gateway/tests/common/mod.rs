//! A client made of the lower layers, to put requests to a gateway that a well-behaved client
//! would not send.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod chunks;
pub(crate) mod schedule;

use std::convert::Infallible;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use oblivious_bhttp::{
    Content, DecodeOptions, EncodeOptions, decode_response, encode_request_into,
};
use oblivious_gateway::{
    EncapsulatedBody, GatewayBody, GatewayKeys, GatewayLayer, Origin, UnixSeconds,
};
use oblivious_hpke::{KeyPair, KeyRing, PendingResponse, Provider, Recipient, Validity};
use oblivious_keys::{KemId, Preferences, SymmetricSuite};
use oblivious_service::{BoxError, collect};
use tower::{Layer, Service, ServiceExt};

pub(crate) const KEY_ID: u8 = 1;

/// The same ring at every call.
pub(crate) fn ring() -> KeyRing {
    ring_until(u64::MAX)
}

/// The same key, accepted until a time.
pub(crate) fn ring_until(not_after: u64) -> KeyRing {
    let pair = KeyPair::derive(KemId::X25519_HKDF_SHA256, &[7; 32], Provider::default()).unwrap();
    let mut ring = KeyRing::new();
    let suites = vec![
        SymmetricSuite::HKDF_SHA256_AES_128_GCM,
        SymmetricSuite::HKDF_SHA256_CHACHA20_POLY1305,
    ];
    ring.add_valid(
        KEY_ID,
        pair,
        suites,
        Validity { not_before: UnixSeconds(0), not_after: UnixSeconds(not_after) },
    )
    .unwrap();
    ring
}

/// A gateway that allows `https://example.com`.
pub(crate) fn layer() -> GatewayLayer {
    GatewayLayer::new(GatewayKeys::from(ring()))
        .targets("https://example.com".parse::<Origin>().unwrap())
}

/// Seals any bytes to the gateway's key.
pub(crate) fn seal(message: &[u8]) -> (Bytes, PendingResponse) {
    let list = ring().config_list().unwrap();
    let recipient = Recipient::select(&list, &Preferences::default(), Provider::default()).unwrap();
    recipient.encapsulate(message).unwrap()
}

/// The outer request that carries `body`.
pub(crate) fn outer(body: impl Into<Content>) -> Request<Content> {
    Request::post("/gateway")
        .header(header::CONTENT_TYPE, "message/ohttp-req")
        .body(body.into())
        .unwrap()
}

/// A response read whole.
#[derive(Debug, PartialEq)]
pub(crate) struct Received {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: BytesMut,
}

/// Sends an outer request.
pub(crate) async fn send<S>(gateway: S, request: Request<Content>) -> Received
where
    S: Service<Request<Content>, Response = Response<EncapsulatedBody>, Error = Infallible>,
{
    let (parts, body) = gateway.oneshot(request).await.unwrap().into_parts();
    let body = collect(body, usize::MAX).await.unwrap().data.into();
    Received { status: parts.status, headers: parts.headers, body }
}

/// Sends `message` sealed, and opens the answer as one to `method`.
pub(crate) async fn ask_bytes<S>(gateway: S, message: &[u8], method: &Method) -> Response<Content>
where
    S: Service<Request<Content>, Response = Response<EncapsulatedBody>, Error = Infallible>,
{
    let (sealed, pending) = seal(message);
    let received = send(gateway, outer(sealed)).await;
    assert_eq!(received.status, StatusCode::OK);
    let mut fields: Vec<_> = received.headers.keys().map(|name| name.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["cache-control", "content-type"], "only what is needed is outside");
    assert_eq!(received.headers["content-type"], "message/ohttp-res");
    assert_eq!(received.headers["cache-control"], "no-store");
    let opened = pending.open(received.body).unwrap().freeze();
    decode_response(opened, method, &DecodeOptions::default()).unwrap()
}

/// Sends a request sealed, and opens the answer.
pub(crate) async fn ask<S>(gateway: S, request: Request<Content>) -> Response<Content>
where
    S: Service<Request<Content>, Response = Response<EncapsulatedBody>, Error = Infallible>,
{
    let mut message = BytesMut::new();
    encode_request_into(&request, &EncodeOptions::default(), &mut message).unwrap();
    ask_bytes(gateway, &message, request.method()).await
}

/// A GET of `uri`.
pub(crate) fn get(uri: &str) -> Request<Content> {
    Request::get(uri).body(Content::default()).unwrap()
}

/// A gateway whose target answers with `answer`.
pub(crate) fn gateway_with<F>(
    layer: GatewayLayer,
    answer: F,
) -> impl Service<
    Request<Content>,
    Response = Response<EncapsulatedBody>,
    Error = Infallible,
    Future: Send,
> + Clone
where
    F: Fn(Request<GatewayBody>) -> Result<Response<Content>, BoxError>,
    F: Clone + Send + 'static,
{
    layer.layer(tower::service_fn(move |request| {
        let answer = answer(request);
        async move { answer }
    }))
}

/// A gateway whose target must not be reached.
pub(crate) fn gateway_without_target() -> impl Service<
    Request<Content>,
    Response = Response<EncapsulatedBody>,
    Error = Infallible,
    Future: Send,
> + Clone {
    gateway_with(layer(), |request| panic!("the target got {} {}", request.method(), request.uri()))
}
