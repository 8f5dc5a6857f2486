//! What the client, the relay and the gateway of Oblivious HTTP (RFC 9458) have in common:
//! bodies with a limit, time that can be injected, problem documents, header hygiene.
//!
//! There is no cryptography here, so a relay built on this crate visibly cannot decrypt. There is
//! no runtime either: time comes in through the traits [`Clock`] and [`Timer`].
//!
//! ```
//! use bytes::Bytes;
//! use oblivious_service::{Content, MediaType, Problem, collect, media_type};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), oblivious_service::CollectError> {
//! // A gateway that cannot open a request says so with a problem document ...
//! let response = Problem::OhttpKey.into_response();
//! assert_eq!(response.status(), 422);
//!
//! // ... and a client recognizes it, reading no more than it is willing to hold.
//! assert_eq!(media_type(response.headers()), Some(MediaType::ProblemJson));
//! let body = collect(response.into_body(), 4096).await?;
//! assert_eq!(Problem::parse(&body.data), Some(Problem::OhttpKey));
//!
//! // What is over the limit is refused, not cut.
//! let too_much = Content::from(Bytes::from_static(b"five!"));
//! assert!(collect(too_much, 4).await.is_err());
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! `tokio` adds `TokioTimer`. Off by default.

mod authorization;
mod body;
mod client_address;
mod forwarded;
mod future;
mod headers;
mod live;
mod location;
mod media_type;
mod payload;
mod problem;
mod time;
mod timeout;
mod trusted_proxies;
mod via;

pub use authorization::{Authorization, AuthorizationError};
pub use body::{CollectError, SendBody, collect};
pub use client_address::ClientAddress;
pub use future::ResponseFuture;
pub use headers::{
    expects_continue, has_content_coding, media_type, names_entity_tag, strip_connection_fields,
    strip_forwarding_fields,
};
pub use live::Live;
pub use location::resolve_location;
pub use media_type::MediaType;
pub use oblivious_wire::Content;
pub use payload::{BinaryHttp, Payload, PayloadError};
pub use problem::{Problem, plain_text, refusal};
#[cfg(feature = "tokio")]
pub use time::TokioTimer;
pub use time::{Clock, Sleep, SystemClock, Timer};
pub use timeout::{Timeout, TimeoutError};
pub use trusted_proxies::{TrustedProxies, TrustedProxiesError};
pub use via::{Pseudonym, PseudonymError};

/// An error whose type only its origin knows, such as that of a body or an inner service.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
