//! Gateways that live in the test, and relays before them.

// Each test file uses a part of this.
#![allow(dead_code)]

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use oblivious_relay::{Relay, RelayRequestBody, RelayResponseBody};
use oblivious_service::{BoxError, Clock, Content};
use tokio::time::Instant;
use tower::util::BoxCloneService;
use tower::{ServiceExt, service_fn};

pub(crate) type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;
pub(crate) type Gateway =
    BoxCloneService<Request<RelayRequestBody<Body>>, Response<Body>, BoxError>;
pub(crate) type Answer = Response<RelayResponseBody<Body>>;

pub(crate) const GATEWAY: &str = "https://gateway.example/gateway?fixed=1";

/// What a gateway got.
pub(crate) type Seen = Arc<Mutex<Vec<Request<Bytes>>>>;

/// A clock that goes with tokio's timers, also while those are stopped.
pub(crate) struct TimerClock(Instant);

impl TimerClock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for TimerClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.uptime()
    }

    fn uptime(&self) -> Duration {
        self.0.elapsed()
    }
}

pub(crate) fn body(data: &'static str) -> Body {
    Content::from(data).map_err(|never| match never {}).boxed_unsync()
}

/// The body that a gateway gets, as a plain one.
pub(crate) fn erase(body: RelayRequestBody<Body>) -> Body {
    body.map_err(Into::into).boxed_unsync()
}

/// A body of these frames, which does not tell its length.
pub(crate) fn frames(
    frames: impl IntoIterator<Item = Result<Frame<Bytes>, BoxError>, IntoIter: Send + Unpin + 'static>,
) -> Body {
    struct Frames<I>(I);

    impl<I: Iterator<Item = Result<Frame<Bytes>, BoxError>> + Unpin> http_body::Body for Frames<I> {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Ready(self.0.next())
        }
    }

    Frames(frames.into_iter()).boxed_unsync()
}

/// A request as a good client sends it.
pub(crate) fn request() -> Request<Body> {
    Request::post("https://relay.example/gateway")
        .header("content-type", "message/ohttp-req")
        .body(body("sealed request"))
        .unwrap()
}

/// A response as a good gateway sends it.
pub(crate) fn response() -> Response<Body> {
    Response::builder().header("content-type", "message/ohttp-res").body(body("sealed")).unwrap()
}

/// A relay whose gateway reads what it gets, writes it down, and answers with `answer`.
pub(crate) fn relay_answering(
    answer: impl Fn() -> Response<Body> + Clone + Send + 'static,
) -> (Relay<Gateway>, Seen) {
    let seen = Seen::default();
    let gateway = {
        let seen = seen.clone();
        service_fn(move |request: Request<RelayRequestBody<Body>>| {
            let (seen, answer) = (seen.clone(), answer.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = erase(body).collect().await?;
                assert!(body.trailers().is_none());
                seen.lock().unwrap().push(Request::from_parts(head, body.to_bytes()));
                Ok(answer())
            }
        })
    };
    (relay_to(BoxCloneService::new(gateway)), seen)
}

pub(crate) fn relay_to(gateway: Gateway) -> Relay<Gateway> {
    Relay::new(gateway).route("/gateway", GATEWAY.parse().unwrap()).unwrap()
}

pub(crate) async fn send(relay: &Relay<Gateway>, request: Request<Body>) -> Answer {
    let answer: Result<Answer, Infallible> = relay.clone().oneshot(request).await;
    answer.unwrap()
}

pub(crate) async fn text(answer: Answer) -> String {
    let data = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(data.to_vec()).unwrap()
}

/// The names and values of all fields, in order of their names.
pub(crate) fn fields(headers: &http::HeaderMap) -> Vec<(&str, &str)> {
    let mut fields: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    fields.sort_unstable();
    fields
}
