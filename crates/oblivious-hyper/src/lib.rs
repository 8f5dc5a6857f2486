//! The network side of Oblivious HTTP (RFC 9458), over hyper, tokio and rustls: servers and HTTP
//! clients for the gateway, relay and client of the other crates, which know no sockets.
//!
//! - [`server`]: serves any tower service over HTTP/1.1 and HTTP/2, with or without TLS, and with a
//!   limit on everything that a peer could do slowly or endlessly.
//! - [`HttpClient`]: an HTTP client that sends nothing twice, follows no redirects and adds no
//!   fields; through an HTTP proxy, if the server must not see the client's address.
//! - [`Connector`]: for a gateway, connects only to addresses that its
//!   [`TargetPolicy`](oblivious_gateway::TargetPolicy) permits; the address really connected to is
//!   checked.
//! - [`Forward`]: the target service of a gateway that forwards.
//! - [`Credentials`]: lets a gateway recognize its relays by tokens or certificates, which a relay
//!   shows with [`TokenFile`] and [`ClientTls`].
//! - [`ClientAddresses`]: how the server learns who its clients are.
//! - [`tls`]: configurations of rustls from PEM files.
//!
//! # A gateway that forwards
//!
//! ```no_run
//! use std::{convert::Infallible, time::Duration};
//!
//! use http::Request;
//! use oblivious_gateway::{GatewayKeys, GatewayLayer, Origin, TargetPolicy};
//! use oblivious_hpke::{KeyPair, KeyRing, Provider};
//! use oblivious_hyper::{Forward, HttpClient, server, tls};
//! use oblivious_keys::{KemId, SymmetricSuite};
//! use oblivious_service::{Timeout, TokioTimer};
//! use tower::Layer;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // A key that lasts as long as the process. In production take a KeySchedule, and publish
//!     // its configurations with PublishKeys.
//!     let mut ring = KeyRing::new();
//!     let pair = KeyPair::generate(KemId::X25519_HKDF_SHA256, Provider::default())?;
//!     ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM])?;
//!
//!     // One target. If its name resolved to an address that is not public, the answer would be a
//!     // 502.
//!     let policy = TargetPolicy::from("https://example.com".parse::<Origin>()?);
//!     let http_client = HttpClient::guarded(policy.clone(), tls::client_config(None)?);
//!     let timeout = Timeout::new(Duration::from_secs(30), TokioTimer);
//!     let gateway = GatewayLayer::new(GatewayKeys::from(ring))
//!         .targets(policy)
//!         .request_timeout(timeout.clone())
//!         .target_timeout(timeout)
//!         .layer(Forward::new(http_client));
//!
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:8081").await?;
//!     let end = async { _ = tokio::signal::ctrl_c().await };
//!     server::serve(listener, None, gateway, end).await;
//!     Ok(())
//! }
//! ```
//!
//! # A relay
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use oblivious_hyper::{HttpClient, server, tls};
//! use oblivious_relay::Relay;
//! use oblivious_service::{Timeout, TokioTimer};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let http_client = HttpClient::new(tls::client_config(None)?);
//!     let relay = Relay::new(http_client)
//!         .idle_timeout(Timeout::new(Duration::from_secs(30), TokioTimer))
//!         .route("/gateway", "https://gateway.example/gateway".parse()?)?;
//!     let tls = tls::server_config("cert.pem".as_ref(), "key.pem".as_ref(), None)?;
//!     let listener = tokio::net::TcpListener::bind("0.0.0.0:443").await?;
//!     let end = async { _ = tokio::signal::ctrl_c().await };
//!     server::serve(listener, Some(tls), relay, end).await;
//!     Ok(())
//! }
//! ```
//!
//! # What is ours, and why
//!
//! TLS is rustls', HTTP/2 hyper's, and HTTP/1.1 this crate's own, around the parsers of httparse.
//! hyper's connections to servers live in tasks of their own, to which requests, responses and
//! their contents go through channels; and its server keeps buffers for connections that have
//! nothing to do. For a message of 1 KiB that costs more than all that a relay does with it. Here
//! the task of an exchange reads and writes both of its connections, in memory that the thread's
//! connections use in turn. Both sides are strict about where a message ends: what could be read in
//! two ways is refused (RFC 9112 §6.3, §11.2).
//!
//! The crate also adds what they leave to others, and what the servers built on them lack: limits
//! on connections that stand still, on HTTP/2 streams without a window, and on whole exchanges;
//! connections that stay on one thread; a pool of those to servers that tells them nothing about
//! who asks; early answers that still reach the client; and a check of the address that a
//! connection goes to, with no second look-up after it. axum-server and the limits of tower-http
//! see requests, but not the connections on which a slow peer holds them up.
//!
//! # Features
//!
//! `client`, `server`, `credentials` and `egress`, the guard of a gateway, are on by default.
//! `self-signed` makes certificates on the spot, for tests. Without `egress` the crate does not
//! depend on the gateway or its cryptography.

#[cfg(feature = "server")]
mod arrival;
#[cfg(any(feature = "client", feature = "server"))]
mod bytes_body;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "server")]
mod client_addresses;
#[cfg(feature = "client")]
mod client_tls;
#[cfg(feature = "client")]
mod connection;
#[cfg(feature = "client")]
mod connector;
#[cfg(feature = "credentials")]
mod credentials;
#[cfg(feature = "server")]
mod date;
#[cfg(feature = "server")]
mod deadline;
#[cfg(feature = "egress")]
mod forward;
#[cfg(feature = "server")]
mod framed_body;
#[cfg(feature = "client")]
mod http1_client_head;
#[cfg(feature = "client")]
mod http1_connection;
#[cfg(any(feature = "client", feature = "server"))]
mod http1_content;
#[cfg(feature = "server")]
mod http1_feeding;
#[cfg(feature = "server")]
mod http1_incoming;
#[cfg(any(feature = "client", feature = "server"))]
mod http1_message;
#[cfg(any(feature = "client", feature = "server"))]
mod http1_sending;
#[cfg(feature = "server")]
mod http1_server;
#[cfg(feature = "server")]
mod http1_server_head;
#[cfg(feature = "client")]
mod http2_connection;
#[cfg(feature = "server")]
mod http2_server;
#[cfg(feature = "server")]
mod http2_streams;
#[cfg(feature = "client")]
mod http_error;
#[cfg(feature = "client")]
mod informational;
#[cfg(feature = "client")]
mod moving_stream;
#[cfg(feature = "client")]
mod pool;
#[cfg(feature = "server")]
mod proxy_protocol;
#[cfg(any(feature = "client", feature = "server"))]
mod read_buffer;
#[cfg(feature = "client")]
mod reading_on;
#[cfg(feature = "server")]
mod request_body;
#[cfg(feature = "server")]
mod request_body_error;
#[cfg(feature = "client")]
mod response_body;
#[cfg(feature = "server")]
mod rewound;
#[cfg(feature = "server")]
mod seldom;
#[cfg(feature = "self-signed")]
mod self_signed;
#[cfg(feature = "server")]
pub mod server;
#[cfg(any(feature = "client", feature = "server"))]
mod spare_memory;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "credentials")]
mod token_file;
#[cfg(any(feature = "client", feature = "server"))]
mod transfer_coding;
#[cfg(any(feature = "client", feature = "server"))]
mod windows;
#[cfg(feature = "server")]
mod workers;

#[cfg(feature = "client")]
pub use client::{HttpClient, ResponseFuture};
#[cfg(feature = "server")]
pub use client_addresses::ClientAddresses;
#[cfg(feature = "client")]
pub use client_tls::ClientTls;
#[cfg(feature = "client")]
pub use connector::{AddressError, Connector, ProxyError, Resolver, Resolving};
#[cfg(feature = "credentials")]
pub use credentials::{Credentials, CredentialsError};
#[cfg(feature = "egress")]
pub use forward::{Forward, TargetBody};
#[cfg(feature = "client")]
pub use http_error::HttpError;
#[cfg(feature = "server")]
pub use request_body::RequestBody;
#[cfg(feature = "server")]
pub use request_body_error::RequestBodyError;
#[cfg(feature = "client")]
pub use response_body::ResponseBody;
#[cfg(feature = "self-signed")]
pub use self_signed::self_signed;
#[cfg(feature = "credentials")]
pub use token_file::{TokenFile, TokenFileError};
#[cfg(feature = "server")]
pub use workers::Workers;
