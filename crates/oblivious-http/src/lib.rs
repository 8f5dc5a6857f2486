//! Oblivious HTTP (RFC 9458): a relay knows who asks but not what, a gateway knows what is asked
//! but not by whom.
//!
//! This is the one crate to add. It re-exports the layers behind features, so that a program
//! takes what it needs and compiles nothing else:
//!
//! | module | feature | what for |
//! | --- | --- | --- |
//! | [`client`] | `client` | `http` requests in, `http` responses out, through a relay |
//! | [`gateway`] | `gateway` | answers encapsulated requests with any tower service |
//! | [`relay`] | `relay` | forwards what it cannot read; no cryptography in its dependencies |
//! | [`hyper`] | `hyper` | server, HTTP client and guarded connections for all of these |
//! | [`service`] | with any of these | bodies, limits, clocks and timers that they share |
//! | [`hpke`] | `hpke` | encapsulation alone: bytes in, bytes out |
//! | [`keys`] | `keys` | key configurations: what a gateway publishes |
//! | [`bhttp`] | `bhttp` | binary HTTP (RFC 9292), to and from `http` types |
//!
//! The three services and all KEMs are on by default; `nist` and `post-quantum` are the KEMs beyond
//! X25519. Off by default are `hyper`, the network side; `tokio`, the timer for programs on tokio;
//! `aws-lc` and `graviola`, faster providers of primitives, the latter without a C compiler;
//! `reqwest`, to send a client's requests with that HTTP client; `dns`, to ask the DNS before keys
//! are discovered; and `extended-keys`, for keys that say when they are valid.
//!
//! # A whole exchange
//!
//! Client, relay, gateway and target in one process, each calling the next as it would over the
//! network:
//!
//! ```
//! # #[cfg(all(feature = "client", feature = "gateway", feature = "relay"))] {
//! use std::convert::Infallible;
//!
//! use http::{Request, Response, Uri};
//! use oblivious_http::client::{ClientLayer, Gateway};
//! use oblivious_http::gateway::{GatewayKeys, GatewayBody, GatewayLayer, Origin};
//! use oblivious_http::hpke::{KeyPair, KeyRing, Provider, Recipient};
//! use oblivious_http::keys::{KemId, Preferences, SymmetricSuite};
//! use oblivious_http::relay::Relay;
//! use oblivious_http::service::{Content, collect};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! // The target answers ordinary requests.
//! let target = service_fn(|request: Request<GatewayBody>| async move {
//!     let hello = format!("hello from {}", request.uri());
//!     Ok::<_, Infallible>(Response::new(Content::from(hello)))
//! });
//!
//! // The gateway has a key and says which targets it asks.
//! let mut ring = KeyRing::new();
//! let pair = KeyPair::generate(KemId::X25519_HKDF_SHA256, Provider::default())?;
//! ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM])?;
//! let published = ring.config_list()?;
//! let gateway = GatewayLayer::new(GatewayKeys::from(ring))
//!     .targets("https://example.com".parse::<Origin>()?)
//!     .layer(target);
//!
//! // The relay knows where its gateway is.
//! let gateway_uri = Uri::from_static("https://gateway.example/gateway");
//! let relay = Relay::new(gateway).route("/gateway", gateway_uri)?;
//!
//! // The client knows the gateway's key, where its relay is, and what it may be asked.
//! let recipient = Recipient::select(&published, &Preferences::default(), Provider::default())?;
//! let relay_uri = Uri::from_static("https://relay.example/gateway");
//! let gateway = Gateway::new(relay_uri, recipient)?.allow("https://example.com".parse()?);
//! let client = ClientLayer::new(gateway).layer(relay);
//!
//! let request = Request::get("https://example.com/private").body(Content::default())?;
//! let response = client.oneshot(request).await?;
//! let content = collect(response.into_body(), 1 << 20).await?.data;
//! assert_eq!(content, "hello from https://example.com/private");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What each party must be
//!
//! The split only protects people if relay and gateway are run by different parties that do not
//! pool what they see (RFC 9458 §6), and if the client gets the gateway's key in a way that the
//! relay cannot tamper with: a relay that could substitute its own key could read everything.

#[cfg(feature = "bhttp")]
pub use oblivious_bhttp as bhttp;
#[cfg(feature = "client")]
pub use oblivious_client as client;
#[cfg(feature = "gateway")]
pub use oblivious_gateway as gateway;
#[cfg(feature = "hpke")]
pub use oblivious_hpke as hpke;
#[cfg(feature = "hyper")]
pub use oblivious_hyper as hyper;
#[cfg(feature = "keys")]
pub use oblivious_keys as keys;
#[cfg(feature = "relay")]
pub use oblivious_relay as relay;
#[cfg(any(feature = "client", feature = "gateway", feature = "relay"))]
pub use oblivious_service as service;

/// The README's code, compiled with the tests.
#[cfg(all(doctest, feature = "hyper"))]
#[doc = include_str!("../README.md")]
struct Readme;
