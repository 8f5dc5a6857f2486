//! An Oblivious HTTP client (RFC 9458 §5) as a tower layer: `http` requests in, `http` responses
//! out, and nobody in between knows both who asks and what is asked.
//!
//! [`ClientLayer`] goes round any service that can POST to the relay. A [`Gateway`] says where the
//! relay is, what the keys are, and which targets may be asked through it.
//!
//! ```
//! use http::{Request, StatusCode};
//! use oblivious_client::{Agreement, ClientLayer, Gateway, KeyCache, KeySource, UrlKeys};
//! use oblivious_service::{Content, TokioTimer};
//! use tower::{Layer, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let http_client = network::everything();
//! // Fresh keys, which two independent places agree on before anything is sent.
//! let direct = UrlKeys::new("https://gateway.example/ohttp-keys".parse()?, http_client.clone())?;
//! let mirror = UrlKeys::new("https://mirror.example/ohttp-keys".parse()?, http_client.clone())?;
//! let sources: [Box<dyn KeySource>; 2] = [Box::new(direct), Box::new(mirror)];
//! let keys = KeyCache::new(Agreement::of_all(sources)?, TokioTimer);
//!
//! let gateway = Gateway::new("https://relay.example/gateway".parse()?, keys)?
//!     .allow("https://example.com".parse()?);
//! let client = ClientLayer::new(gateway).layer(http_client);
//!
//! let request = Request::get("https://example.com/private").body(Content::default())?;
//! let response = client.oneshot(request).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//! # Ok(())
//! # }
//! # /// Relay, gateway and two servers with keys, as one service.
//! # mod network {
//! #     use std::{future::Future, pin::Pin, sync::{Arc, Mutex}, task::{Context, Poll}};
//! #     use http::{Method, Request, Response};
//! #     use http_body::Body;
//! #     use oblivious_hpke::{KeyPair, KeyRing, Provider, UnixSeconds};
//! #     use oblivious_keys::{KemId, SymmetricSuite};
//! #     use oblivious_service::{BoxError, Content, collect};
//! #     #[derive(Clone)]
//! #     pub struct Network(Arc<Mutex<KeyRing>>);
//! #     pub fn everything() -> Network {
//! #         let kem = KemId::X25519_HKDF_SHA256;
//! #         let pair = KeyPair::generate(kem, Provider::default()).unwrap();
//! #         let mut ring = KeyRing::new();
//! #         ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM]).unwrap();
//! #         Network(Arc::new(Mutex::new(ring)))
//! #     }
//! #     impl<B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static>
//! #         tower::Service<Request<B>> for Network
//! #     {
//! #         type Response = Response<Content>;
//! #         type Error = BoxError;
//! #         type Future = Pin<
//! #             Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>,
//! #         >;
//! #         fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
//! #             Poll::Ready(Ok(()))
//! #         }
//! #         fn call(&mut self, request: Request<B>) -> Self::Future {
//! #             let ring = self.0.clone();
//! #             Box::pin(async move {
//! #                 if request.method() == Method::GET {
//! #                     let keys = ring.lock().unwrap().config_list()?.encode();
//! #                     let response =
//! #                         Response::builder().header("content-type", "application/ohttp-keys");
//! #                     return Ok(response.body(Content::from(keys))?);
//! #                 }
//! #                 let body = collect(request.into_body(), 1 << 20).await?.data.into();
//! #                 let (_, reply) = ring.lock().unwrap().at(UnixSeconds::EPOCH).decapsulate(body)?;
//! #                 let sealed = reply.seal(b"\x01\x40\xc8")?;
//! #                 let response = Response::builder().header("content-type", "message/ohttp-res");
//! #                 Ok(response.body(Content::from(sealed))?)
//! #             })
//! #         }
//! #     }
//! # }
//! ```
//!
//! # Keys
//!
//! A client must have the gateway's keys unchanged (RFC 9458 §6.1), and the same keys as all other
//! clients, or else the gateway can tell them apart by their keys (§7). A [`KeySource`] says where
//! keys come from: [`UrlKeys`] from a URL, or discovered (RFC 9540); [`FixedKeys`] from the
//! program. [`Agreement`] compares sources with each other, [`PinnedKeys`] compares one with a
//! digest. A [`KeyCache`] fetches keys when necessary, keeps them, and chooses among them,
//! post-quantum first. A client whose keys come only from its relay cannot be built.
//!
//! A program with keys of its own passes a [`Recipient`](oblivious_hpke::Recipient) instead.
//!
//! # What the outer request shows
//!
//! The relay's URI, the content type, and a length, and any fields that
//! [`ClientLayer::outer_field`] adds for all users alike (RFC 9458 §5 and §6.1). The relay also
//! sees whatever the inner service adds by itself, such as a `User-Agent` or cookies.
//! [`ClientLayer::pad_requests`] blurs the length.
//!
//! # What the target sees
//!
//! The request, without its connection fields. Cookies and credentials would let a target link the
//! requests of a client, so requests that have them are refused unless they are
//! [allowed](ClientLayer::allow_cookies).
//!
//! # In chunks
//!
//! [`ClientLayer::in_chunks`] lets both messages stream (draft-ietf-ohai-chunked-ohttp).
//!
//! # Other payloads
//!
//! [`ClientLayer::for_payload`] carries messages of any other protocol, as bytes, under that
//! protocol's own labels and media types (RFC 9458 §4.6).
//!
//! # Retries
//!
//! Nothing is sent twice (RFC 9458 §6.5), with one exception: a request that the gateway itself
//! refused for its date ([`ClientLayer::without_date_correction`]). The inner service must not
//! repeat anything either: many HTTP clients send a request again when a connection breaks, and
//! that must be switched off.
//!
//! # Features
//!
//! - `reqwest`: an adaptor for that HTTP client. For hyper there is `oblivious-hyper`.
//! - `dns`: [`DnsKeys`], which asks the DNS first whether a service takes Oblivious HTTP, through
//!   hickory's resolver.
//! - `extended-keys`: a draft format in which keys say when they are valid.
//!
//! All are off by default.
//!
//! # What it logs
//!
//! Events of `tracing` at the level debug: sizes, statuses, and which key is in use. They never
//! contain anything from inside a message.

mod body;
mod chunked;
mod config;
mod date;
mod erased;
mod error;
mod exchange;
mod gateway;
mod informational;
mod keys;
mod layer;
mod outer;
mod progress;
#[cfg(feature = "reqwest")]
mod reqwest_client;
mod rules;
mod target;
mod upload;
mod whole;

pub use body::ClientBody;
pub use error::{ClientBodyError, ClientError};
pub use gateway::{Gateway, GatewayError};
pub use informational::OnInformational;
#[cfg(feature = "dns")]
pub use keys::DnsKeys;
pub use keys::{
    Agreement, AgreementError, Demand, FetchedKeys, Fetching, FixedKeys, KeyCache, KeyCacheBuilder,
    KeyDigest, KeyDigestError, KeyFile, KeySource, KeySourceError, KeyStore, KeyUrlError, Keys,
    PinnedKeys, StoredKeys, UrlKeys,
};
pub use layer::{Client, ClientLayer};
pub use outer::{OuterBody, OuterFieldError};
#[cfg(feature = "reqwest")]
pub use reqwest_client::ReqwestClient;
pub use target::{TargetPattern, TargetPatternError};
