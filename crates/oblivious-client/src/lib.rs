//! An Oblivious HTTP client (RFC 9458 §5) as a tower layer: `http` requests in, `http` responses
//! out, and in between nobody who knows both who asks and what is asked.
//!
//! [`ClientLayer`] goes round any service that can POST to the relay.
//!
//! ```
//! use http::{Request, Response, StatusCode, Uri};
//! use oblivious_client::{ClientError, ClientLayer};
//! use oblivious_hpke::{Provider, Recipient};
//! use oblivious_keys::{KeyConfigList, Preferences};
//! use oblivious_service::FullBody;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let fetched = published_keys();
//! // The gateway's key configurations, fetched in a way that the relay cannot tamper with.
//! let list = KeyConfigList::decode(&fetched)?;
//! let recipient = Recipient::select(&list, &Preferences::default(), Provider::default())?;
//!
//! // What posts to the relay; here one whose relay is out of order.
//! let http_client = service_fn(|outer: Request<FullBody>| async move {
//!     assert_eq!(outer.headers()["content-type"], "message/ohttp-req");
//!     let response = Response::builder().status(StatusCode::BAD_GATEWAY);
//!     response.body(FullBody::empty())
//! });
//!
//! let relay = Uri::from_static("https://relay.example/gateway");
//! let client = ClientLayer::new(relay, recipient).layer(http_client);
//! let request = Request::get("https://example.com/private").body(FullBody::empty())?;
//! let error = client.oneshot(request).await.unwrap_err();
//! assert!(matches!(error, ClientError::NotEncapsulated { status: StatusCode::BAD_GATEWAY }));
//! # Ok(())
//! # }
//! # fn published_keys() -> bytes::Bytes {
//! #     use oblivious_hpke::{KeyPair, KeyRing};
//! #     let kem = oblivious_keys::KemId::X25519_HKDF_SHA256;
//! #     let pair = KeyPair::generate(kem, Provider::default()).unwrap();
//! #     let mut ring = KeyRing::new();
//! #     let suite = oblivious_keys::SymmetricSuite::HKDF_SHA256_AES_128_GCM;
//! #     ring.add(1, pair, vec![suite]).unwrap();
//! #     ring.config_list().unwrap().encode()
//! # }
//! ```
//!
//! # What the outer request shows
//!
//! The relay's URI, the content type, and a length; no other field comes from here (RFC 9458
//! §6.1). Whatever the inner service adds by itself, such as a `User-Agent` or cookies, the relay
//! sees. [`ClientLayer::pad_requests`] blurs the length.
//!
//! # Other payloads
//!
//! [`ClientLayer::for_payload`] carries messages of any other protocol, as bytes, under labels and
//! media types of that protocol's own (RFC 9458 §4.6).
//!
//! # Retries
//!
//! Nothing is ever sent twice (RFC 9458 §6.5). The inner service must not either: many clients
//! repeat a request when a connection breaks, and that has to be switched off.

mod config;
mod error;
mod exchange;
mod layer;

pub use error::ClientError;
pub use layer::{Client, ClientLayer};
