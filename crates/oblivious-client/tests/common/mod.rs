//! A relay and a gateway in one function, as the client sees them.
#![allow(dead_code, reason = "each test takes what it needs")]

pub(crate) mod streams;

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, Uri};
use oblivious_bhttp::{
    Content, DecodeOptions, EncodeOptions, decode_request, encode_response_into,
};
use oblivious_client::{Client, ClientBody, ClientLayer, Gateway, OuterBody, TargetPattern};
use oblivious_hpke::{KeyPair, KeyRing, Provider, Recipient, Reply, UnixSeconds};
use oblivious_keys::{KemId, Preferences, SymmetricSuite};
use oblivious_service::{BoxError, Clock, collect};
use tower::{Layer, Service};

pub(crate) const RELAY: &str = "https://relay.example/gateway";

pub(crate) fn ring(seed: u8) -> KeyRing {
    let pair = KeyPair::derive(KemId::X25519_HKDF_SHA256, &[seed; 32], Provider::default());
    let mut ring = KeyRing::new();
    ring.add(1, pair.unwrap(), vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM]).unwrap();
    ring
}

/// What a gateway with that ring publishes.
pub(crate) fn published(seed: u8) -> Bytes {
    ring(seed).config_list().unwrap().encode()
}

pub(crate) fn recipient(seed: u8) -> Recipient {
    let list = ring(seed).config_list().unwrap();
    Recipient::select(&list, &Preferences::default(), Provider::default()).unwrap()
}

pub(crate) fn gateway() -> Gateway {
    let gateway = Gateway::new(Uri::from_static(RELAY), recipient(1)).unwrap();
    gateway.allow(TargetPattern::any_https())
}

pub(crate) fn layer() -> ClientLayer {
    ClientLayer::new(gateway())
}

/// A client whose relay answers with `answer`.
pub(crate) fn client<F>(layer: ClientLayer, answer: F) -> Client<impl Relay>
where
    F: Fn(Request<Content>) -> Response<Content> + Clone + Send + 'static,
{
    layer.layer(tower::service_fn(move |outer: Request<OuterBody>| {
        let answer = answer.clone();
        async move {
            let (parts, body) = outer.into_parts();
            let body = Content::from(collect(body, usize::MAX).await?.data);
            Ok::<_, BoxError>(answer(Request::from_parts(parts, body)))
        }
    }))
}

pub(crate) trait Relay:
    Service<Request<OuterBody>, Response = Response<Content>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + 'static
{
}

impl<S> Relay for S where
    S: Service<Request<OuterBody>, Response = Response<Content>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// The gateway's end: what came out of an outer request, and what seals the answer.
pub(crate) fn open(outer: Request<Content>) -> (Request<Content>, Reply) {
    let body = outer.into_body().data;
    let (message, reply) = ring(1).at(UnixSeconds::EPOCH).decapsulate(body.into()).unwrap();
    (decode_request(message.freeze(), &DecodeOptions::default()).unwrap(), reply)
}

/// The outer response that carries `response`.
pub(crate) fn sealed(reply: Reply, response: &Response<Content>) -> Response<Content> {
    let mut message = BytesMut::new();
    encode_response_into(response, &EncodeOptions::default(), &mut message).unwrap();
    outer_response(reply.seal(&message).unwrap())
}

pub(crate) fn outer_response(body: Bytes) -> Response<Content> {
    Response::builder().header("content-type", "message/ohttp-res").body(body.into()).unwrap()
}

pub(crate) fn get(uri: &str) -> Request<Content> {
    Request::get(uri).body(Content::default()).unwrap()
}

/// A response, read to its end.
pub(crate) async fn whole(response: Response<ClientBody>) -> Response<Content> {
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, collect(body, usize::MAX).await.unwrap())
}

/// The time of the example in RFC 9110 §5.6.7.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
}

/// A clock that stands still.
#[derive(Debug)]
pub(crate) struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> SystemTime {
        now()
    }
}

/// A clock that goes as tokio's does, which tests let pass.
#[derive(Clone, Debug)]
pub(crate) struct TokioClock(tokio::time::Instant);

impl TokioClock {
    pub(crate) fn start() -> Self {
        Self(tokio::time::Instant::now())
    }
}

impl Clock for TokioClock {
    fn now(&self) -> SystemTime {
        now() + self.0.elapsed()
    }
}
