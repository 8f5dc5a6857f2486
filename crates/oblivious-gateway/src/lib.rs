//! An Oblivious HTTP gateway (RFC 9458 §5.2) as a tower layer.
//!
//! [`GatewayLayer`] goes round any service that answers `http` requests: a router in the same
//! process, or a client that forwards to other servers. The layer decapsulates each request, hands
//! it to that service, and encapsulates the answer. [`PublishKeys`] serves the key configurations
//! that clients need.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use http::{Request, Response};
//! use oblivious_gateway::{GatewayBody, GatewayLayer, Origin, PublishKeys};
//! use oblivious_hpke::{KeyPair, KeyRing, Provider};
//! use oblivious_keys::{KemId, SymmetricSuite};
//! use oblivious_service::{FullBody, Shared};
//! use tower::{Layer, service_fn};
//!
//! // The service that answers: an axum router would do as well.
//! let target = service_fn(|request: Request<GatewayBody>| async move {
//!     assert_eq!(request.uri().host(), Some("example.com"));
//!     Ok::<_, Infallible>(Response::new(FullBody::from("hello")))
//! });
//!
//! let mut ring = KeyRing::new();
//! let pair = KeyPair::generate(KemId::X25519_HKDF_SHA256, Provider::default())?;
//! ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM])?;
//! let keys = Shared::new(ring);
//!
//! // POST to this one ...
//! let origin: Origin = "https://example.com".parse()?;
//! let gateway = GatewayLayer::new(keys.clone()).allow(origin).layer(target);
//! // ... and GET from this one.
//! let published = PublishKeys::new(keys);
//! # let _ = (gateway, published);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Errors and who sees them
//!
//! What is wrong with the outer request is answered in clear, with a 4xx that says no more than it
//! must: all failed decryptions look alike. Once a request has been decapsulated every answer goes
//! back encapsulated in a 200, errors of the target among them, so that the relay cannot tell them
//! apart from any other (RFC 9458 §5.2).
//!
//! # What is not here yet
//!
//! There is no guard against replayed requests (RFC 9458 §6.5): put this gateway only in front of
//! targets for which processing a request twice does no harm.

mod address;
mod answer;
mod body;
mod exchange;
mod informational;
mod layer;
mod policy;
mod publish;
mod refusal;

pub use address::is_public;
pub use body::GatewayBody;
pub use informational::InformationalSender;
pub use layer::{Gateway, GatewayLayer};
pub use policy::{
    Admitted, InvalidOrigin, InvalidPathPrefix, InvalidRewrite, InvalidTargetRule, Origin,
    PathPrefix, PolicyRefusal, Rewrite, TargetAddresses, TargetPolicy, TargetRule,
};
pub use publish::PublishKeys;
