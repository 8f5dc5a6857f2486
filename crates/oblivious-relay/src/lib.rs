//! An Oblivious HTTP relay (RFC 9458 §6.2) as a tower service round an HTTP client.
//!
//! A relay knows who asks and not what: it passes an encapsulated request on to a gateway
//! without anything that tells whose it is, and the encapsulated answer back. It cannot decrypt
//! either. No cryptographic crate is in the dependency tree of this one.
//!
//! ```
//! use http::{Request, Response};
//! use oblivious_relay::{Relay, RelayRequestBody};
//! use oblivious_service::FullBody;
//! use tower::{ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Your HTTP client goes here. This one answers by itself.
//! let http_client = service_fn(|request: Request<RelayRequestBody<FullBody>>| async move {
//!     assert_eq!(request.uri(), "https://gateway.example/gateway");
//!     assert!(!request.headers().contains_key("cookie"));
//!     Response::builder()
//!         .header("content-type", "message/ohttp-res")
//!         .header("set-cookie", "who=you")
//!         .body(FullBody::from("encapsulated response"))
//! });
//!
//! let relay = Relay::new(http_client)
//!     .route("/gateway", "https://gateway.example/gateway".parse()?)?
//!     .body_limit(1024 * 1024);
//!
//! let request = Request::post("/gateway")
//!     .header("content-type", "message/ohttp-req")
//!     .header("cookie", "who=me")
//!     .body(FullBody::from("encapsulated request"))?;
//! let response = relay.oneshot(request).await?;
//! assert_eq!(response.status(), 200);
//! assert!(!response.headers().contains_key("set-cookie"));
//! # Ok(())
//! # }
//! ```
//!
//! # What passes
//!
//! To the gateway: a POST to the one URI that the route names, the body, its media type,
//! `Incremental: ?1`, and a `Via` with the relay's own [pseudonym](Relay::pseudonym), which is the
//! same for all clients. Back: the status, the body, its media type, and `Incremental: ?1`. A
//! field that is not listed here does not pass, in either direction, whatever it is called.
//! Bodies are streamed, whole (`message/ohttp-req`) and chunked (`message/ohttp-chunked-req`)
//! messages alike; trailers do not pass.
//!
//! # What the relay answers by itself
//!
//! | status | when |
//! | --- | --- |
//! | 400 | the body of the request broke off |
//! | 404 | no route has this path |
//! | 405 | the method is not POST |
//! | 408 | the client paused for longer than [`Relay::timeout`] |
//! | 413 | the body is longer than [`Relay::body_limit`] |
//! | 415 | the media type is not that of an encapsulated request, or there is a content coding |
//! | 502 | the gateway cannot be reached, redirects, or answers with what is no encapsulated response |
//! | 504 | the gateway was silent for longer than [`Relay::timeout`] |
//! | 508 | the request has been sent by this relay before: a route leads back to it |
//!
//! A request is never sent twice (RFC 9458 §6.5), provided that the HTTP client does not do so
//! behind the relay's back: switch its retries off, and let it follow no redirects and add no
//! header fields.
//!
//! # Logging
//!
//! Events carry the path of a route, a status, and what the HTTP client says of the connection
//! to the gateway. Nothing of a request is logged.

mod body;
mod breaker;
mod delay;
mod exchange;
mod gateway_uri;
mod held;
mod idle;
mod incremental;
mod key_cache;
mod key_fetch;
mod key_list;
mod limits;
mod media;
mod observe;
mod outgoing;
mod refusal;
mod relay;
mod response;
mod route;
mod route_error;
mod routes;
mod settings;

pub use body::{RelayBodyError, RelayRequestBody, RelayResponseBody};
pub use breaker::Breaker;
pub use delay::Delay;
pub use limits::{ClientPrefixes, ClientPrefixesError, RateLimit};
pub use observe::describe_metrics;
pub use relay::Relay;
pub use route::Route;
pub use route_error::RouteError;
pub use routes::Routes;
