//! An Oblivious HTTP relay (RFC 9458 §6.2) as a tower service around an HTTP client.
//!
//! A relay knows who asks but not what: it passes an encapsulated request on to a gateway without
//! anything that identifies the client, and passes the encapsulated answer back. It cannot decrypt
//! either: this crate has no cryptography in its dependency tree.
//!
//! ```
//! use http::{Request, Response};
//! use oblivious_relay::{Relay, RelayRequestBody};
//! use oblivious_service::Content;
//! use tower::{ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Your HTTP client goes here. This one answers by itself.
//! let http_client = service_fn(|request: Request<RelayRequestBody<Content>>| async move {
//!     assert_eq!(request.uri(), "https://gateway.example/gateway");
//!     assert!(!request.headers().contains_key("cookie"));
//!     Response::builder()
//!         .header("content-type", "message/ohttp-res")
//!         .header("set-cookie", "who=you")
//!         .body(Content::from("encapsulated response"))
//! });
//!
//! let relay = Relay::new(http_client)
//!     .route("/gateway", "https://gateway.example/gateway".parse()?)?
//!     .body_limit(1024 * 1024);
//!
//! let request = Request::post("/gateway")
//!     .header("content-type", "message/ohttp-req")
//!     .header("cookie", "who=me")
//!     .body(Content::from("encapsulated request"))?;
//! let response = relay.oneshot(request).await?;
//! assert_eq!(response.status(), 200);
//! assert!(!response.headers().contains_key("set-cookie"));
//! # Ok(())
//! # }
//! ```
//!
//! # What passes
//!
//! To the gateway: a POST to the one URI that the [route](Route) names, the body, its media type,
//! `Incremental: ?1` (RFC 10036), the relay's own `Authorization` if the route has one, and a `Via`
//! with the relay's own [pseudonym](Relay::pseudonym), which is the same for all clients. Back: the
//! status, the body, its media type, `Cache-Control`, which is `no-store` if the gateway sends
//! none, `Date`, `Retry-After`, and `Incremental: ?1`. Fields that are not listed here do not pass,
//! in either direction. Bodies are streamed, whole (`message/ohttp-req`) and chunked
//! (`message/ohttp-chunked-req`) messages alike, and those of other protocols that a [route
//! takes](Route::payload); trailers do not pass.
//!
//! # What the relay itself answers
//!
//! | status | when |
//! | --- | --- |
//! | 400 | the body of the request broke off |
//! | 404 | no route takes this path and host |
//! | 405 | the method is not POST, nor GET where there are [keys](Route::keys) |
//! | 408 | the client paused for longer than [`Relay::idle_timeout`], or was too slow in all |
//! | 413 | the body is longer than [`Relay::body_limit`] |
//! | 415 | the media type is not that of an encapsulated request, or there is a content coding |
//! | 429 | the client is over its [rate](Relay::rate_limit); or there is no place for an incremental request |
//! | 500 | the client's address, or the credential for the gateway, is needed and not known |
//! | 502 | the gateway cannot be reached, redirects, or answers with what is neither encapsulated nor a problem document |
//! | 503 | too many [exchanges](Relay::concurrency_limit) are under way, or the [breaker](Relay::breaker) is open |
//! | 504 | the gateway was silent for longer than [`Relay::idle_timeout`], or too slow in all |
//! | 508 | the request has been sent by this relay before: a route leads back to it |
//!
//! Each is a problem document (RFC 9457) that says what to do, with a `Proxy-Status` (RFC 9209)
//! that names the pseudonym and the kind of error, and a `Retry-After` where waiting helps. The
//! gateway's own problem documents, above all the one that says that the client's key is old (RFC
//! 9458 §5.3), pass with their status.
//!
//! A request is never sent twice (RFC 9458 §6.5), provided that the HTTP client does not do so on
//! its own: switch its retries off, and let it follow no redirects and add no header fields.
//!
//! # Limits
//!
//! By default only the length of bodies is limited. A public relay also needs limits on time
//! ([`idle_timeout`](Relay::idle_timeout), [`exchange_timeout`](Relay::exchange_timeout)), on each client
//! ([`rate_limit`](Relay::rate_limit),
//! [`client_concurrency_limit`](Relay::client_concurrency_limit)) and on all of them together
//! ([`concurrency_limit`](Relay::concurrency_limit)).
//!
//! # Who may use the relay
//!
//! A tower layer in front of the relay decides that. It only sees the outer request, so it cannot
//! know what is asked, and the fields it checks are not passed on. A client that shows a blindly
//! issued token (RFC 9578) only reveals that it is entitled.
//!
//! ```
//! use http::{Request, Response, StatusCode};
//! use oblivious_relay::{Relay, RelayRequestBody, RelayResponseBody};
//! use oblivious_service::{Content, refusal};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! type Answer = Response<RelayResponseBody<Content>>;
//!
//! /// Passes whoever shows a token that holds.
//! fn check(request: &Request<Content>) -> Option<Answer> {
//!     let shown = request.headers().get("authorization");
//!     let holds = shown.is_some_and(|token| token == "PrivateToken token=AAAA");
//!     let refused = || refusal(StatusCode::UNAUTHORIZED, "Show a token.");
//!     (!holds).then(|| refused().map(RelayResponseBody::from))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let http_client = service_fn(|request: Request<RelayRequestBody<Content>>| async move {
//! #     assert!(!request.headers().contains_key("authorization"));
//! #     Response::builder().header("content-type", "message/ohttp-res").body(Content::default())
//! # });
//! # let relay = Relay::new(http_client).route("/gateway", "https://gateway.example/".parse()?)?;
//! let relay = ServiceBuilder::new()
//!     .layer_fn(|relay: Relay<_>| {
//!         service_fn(move |request: Request<Content>| {
//!             let relay = relay.clone();
//!             async move {
//!                 match check(&request) {
//!                     Some(refusal) => Ok(refusal),
//!                     None => relay.oneshot(request).await,
//!                 }
//!             }
//!         })
//!     })
//!     .service(relay);
//!
//! let request = Request::post("/gateway").header("content-type", "message/ohttp-req");
//! let without = relay.clone().oneshot(request.body(Content::from("sealed"))?).await?;
//! assert_eq!(without.status(), 401);
//! let request = Request::post("/gateway")
//!     .header("content-type", "message/ohttp-req")
//!     .header("authorization", "PrivateToken token=AAAA");
//! let with = relay.oneshot(request.body(Content::from("sealed"))?).await?;
//! assert_eq!(with.status(), 200);
//! # Ok(())
//! # }
//! ```
//!
//! # What a relay cannot hide
//!
//! Anyone who watches both sides of it sees requests of the same size go in and out at nearly the
//! same time (RFC 9458 §6.2.3). [`Delay`] blurs the times, and [`Batching`] the order as well. Sizes
//! can only be blurred inside the encryption: by padding, which the client adds to requests and the
//! gateway to answers. And relay and gateway together know everything, so they must be run by
//! parties that do not share what they know.
//!
//! # Logging and metrics
//!
//! Events and [metrics](describe_metrics) carry the name of a route, a status or outcome, and what
//! the HTTP client says of the connection to the gateway. They never contain anything from a
//! request, or a client's address.

mod batching;
mod body;
mod breaker;
mod delay;
mod exchange;
mod gateway_uri;
mod incremental;
mod key_cache;
mod key_fetch;
mod key_list;
mod learned;
mod limits;
mod media;
mod observe;
mod outgoing;
mod random;
mod refusal;
mod relay;
mod response;
mod route;
mod route_error;
mod routes;
mod settings;
mod timing;
mod under_way;

pub use batching::Batching;
pub use body::{RelayBodyError, RelayRequestBody, RelayResponseBody};
pub use breaker::Breaker;
pub use delay::Delay;
pub use limits::{ClientPrefixes, ClientPrefixesError, RateLimit};
pub use observe::describe_metrics;
pub use relay::Relay;
pub use route::Route;
pub use route_error::RouteError;
pub use routes::Routes;
