//! An Oblivious HTTP gateway (RFC 9458 §5) as a tower layer.
//!
//! [`GatewayLayer`] wraps any service that answers `http` requests: a router in the same process,
//! or a client that forwards to other servers. The layer decapsulates each request, passes it to
//! that service, and encapsulates the answer. [`PublishKeys`] serves the key configurations that
//! clients need.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use http::{Request, Response};
//! use oblivious_gateway::{GatewayBody, GatewayKeys, GatewayLayer, Origin, PublishKeys};
//! use oblivious_hpke::{KeyPair, KeyRing, Provider};
//! use oblivious_keys::{KemId, SymmetricSuite};
//! use oblivious_service::{Content, Live};
//! use tower::{Layer, service_fn};
//!
//! // The service that answers: an axum router would do as well.
//! let target = service_fn(|request: Request<GatewayBody>| async move {
//!     assert_eq!(request.uri().host(), Some("example.com"));
//!     Ok::<_, Infallible>(Response::new(Content::from("hello")))
//! });
//!
//! let mut ring = KeyRing::new();
//! let pair = KeyPair::generate(KemId::X25519_HKDF_SHA256, Provider::default())?;
//! ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM])?;
//! let keys = Live::new(GatewayKeys::from(ring));
//!
//! // POST to this one ...
//! let origin: Origin = "https://example.com".parse()?;
//! let gateway = GatewayLayer::new(keys.clone()).targets(origin).layer(target);
//! // ... and GET from this one.
//! let published = PublishKeys::new(keys);
//! # let _ = (gateway, published);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Errors, and who sees them
//!
//! Errors in the outer request are answered in clear, with a 4xx that says no more than it must:
//! all failed decryptions look alike. Once a request has been decapsulated, every answer goes back
//! encapsulated in a 200, including errors of the target, so that the relay cannot tell them from
//! other answers (RFC 9458 §5.2).
//!
//! # Keys
//!
//! [`GatewayKeys`] are the keys of a gateway at one time; the gateway gets a [`Live`] handle to
//! them. In the example they never change. In production they should (RFC 9458 §6.4 and §6.6): a
//! [`KeySchedule`] derives one key after another, either from a state file that forgets
//! ([`KeySchedule::ratchet`]) or from a seed ([`KeySchedule::seed`]), and a [`KeyRotation`] puts
//! them in use. [`FixedKey`]s come from files, [`go_gateway_key`] from the settings of the Go
//! gateway.
//!
//! [`Live`]: oblivious_service::Live
//!
//! # Replay
//!
//! Anyone who handles an encapsulated request can send it again, so each is remembered and served
//! only once (RFC 9458 §6.5). By default a [`MemoryReplayGuard`] does so, with room for a million
//! requests; [`GatewayLayer::replay_guard`] sets one of another size, or one that replicas share.
//! [`DatePolicy`] bounds how long a request is remembered.
//!
//! # Whole messages and chunks
//!
//! Requests come whole (`message/ohttp-req`) or in chunks (`message/ohttp-chunked-req`), and are
//! answered alike. Whole messages are held in memory, up to a limit. Chunks stream: the target
//! reads a body that is decrypted while it is read, its answer is encrypted while it is sent, a
//! slow reader slows down the sender, and only a few chunks are held in memory.
//!
//! # Loops
//!
//! A request that is itself encapsulated is answered with a 508 inside, whatever its target: a
//! gateway that can reach itself would otherwise serve one small request as many times as it has
//! layers. To allow nesting, set a depth with [`GatewayLayer::allow_nesting`]. `Max-Forwards` is
//! counted (RFC 9110 §7.6.2).
//!
//! # Other payloads
//!
//! [`GatewayLayer::for_payload`] carries messages of any other protocol, as bytes, under that
//! protocol's own labels and media types (RFC 9458 §4.6).
//!
//! # What an operator sees
//!
//! Metrics through the `metrics` facade, listed at [`describe_metrics`], and spans through
//! `tracing` at the level debug. Neither contains anything from a request.
//!
//! # Features
//!
//! `redis` adds `RedisReplayGuard`, which replicas share; `redis-tls` is the same with TLS. Both
//! need tokio. `extended-keys` adds `PublishKeys::extended`, a draft format in which keys say when
//! they are valid. All are off by default.

mod address;
mod admit;
mod any_body;
mod body;
mod chunked_answer;
mod concurrency;
mod config;
mod date;
mod encapsulate;
mod exchange;
#[cfg(feature = "extended-keys")]
mod extended;
mod informational;
mod keys;
mod layer;
mod max_forwards;
mod nesting;
mod observe;
mod payload;
mod policy;
mod publish;
mod receive;
mod refusal;
mod replay;
mod target;
mod target_error;
mod time_limits;

pub use address::is_public;
pub use body::{EncapsulatedBody, GatewayBody};
pub use date::{DateError, DatePolicy};
pub use informational::InformationalSender;
pub use keys::{
    FixedKey, FixedKeyError, GatewayKeys, KeyRotation, KeySchedule, Published, ScheduleError,
    ScheduleSettings, SecretFileError, Seed, SeedError, StateError, go_gateway_key,
};
pub use layer::{Gateway, GatewayLayer};
#[doc(no_inline)]
pub use oblivious_hpke::UnixSeconds;
pub use observe::describe_metrics;
pub use policy::{
    Admitted, Origin, OriginError, PathPrefix, PathPrefixError, PolicyError, Rewrite, RewriteError,
    TargetAddresses, TargetPolicy, TargetRule, TargetRuleError,
};
pub use publish::PublishKeys;
pub use replay::{
    CapacityError, MemoryReplayGuard, PendingCheck, ReplayCheck, ReplayEntry, ReplayError,
    ReplayGuard, ReplayLoad, ReplayVerdict, required_capacity,
};
#[cfg(feature = "redis")]
pub use replay::{RedisGuardError, RedisReplayGuard};
pub use target::Target;
pub use target_error::TargetError;
