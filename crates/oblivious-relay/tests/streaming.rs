//! Bodies on their way: streamed, limited in length and in time, dropped with their client.

mod common;

use std::future::pending;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use common::{
    Body, Gateway, TimerClock, erase, relay_answering, relay_to, request, response, send, text,
};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use oblivious_relay::{Relay, RelayBodyError, RelayRequestBody};
use oblivious_service::{BoxError, Clock, Timeout, TokioTimer};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use tower::service_fn;
use tower::util::BoxCloneService;

const SECOND: Duration = Duration::from_secs(1);

/// A body that is sent bit by bit.
fn channel() -> (Sender<Bytes, BoxError>, Body) {
    let (sender, body) = Channel::<Bytes, BoxError>::new(1);
    (sender, body.boxed_unsync())
}

fn with_body(body: Body) -> Request<Body> {
    request().map(|_| body)
}

fn timeout() -> Timeout {
    Timeout::new(10 * SECOND, TokioTimer)
}

/// A gateway that answers each request after `delay`, without a look at the body.
fn slow(delay: Duration) -> Gateway {
    BoxCloneService::new(service_fn(move |_| async move {
        sleep(delay).await;
        Ok(response())
    }))
}

/// A gateway that sends back the very body that it gets.
fn echo() -> Gateway {
    BoxCloneService::new(service_fn(|request: Request<RelayRequestBody<Body>>| async {
        let body = erase(request.into_body());
        Ok(response().map(|_| body))
    }))
}

#[tokio::test]
async fn each_frame_passes_as_it_comes() {
    let (mut client, body) = channel();
    let mut answer = send(&relay_to(echo()), with_body(body)).await.into_body();
    for data in ["one", "two", "three"] {
        client.send_data(Bytes::from_static(data.as_bytes())).await.unwrap();
        let frame = answer.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), data);
    }
    drop(client);
    assert!(answer.frame().await.is_none());
}

/// Without an announced length the limit is found half-way, and the gateway never takes the part
/// that it got for the whole.
#[tokio::test]
async fn a_body_that_grows_over_the_limit_is_refused() {
    let chunk = |_| Ok(Frame::data(Bytes::from_static(&[0; 1000])));
    let (relay, seen) = relay_answering(response);
    let relay = relay.body_limit(3999);
    let answer = send(&relay, with_body(common::frames((0..4).map(chunk)))).await;
    assert_eq!(answer.status(), 413);
    assert!(text(answer).await.contains("Send less"));
    assert!(seen.lock().unwrap().is_empty());

    let answer = send(&relay, with_body(common::frames((0..3).map(chunk)))).await;
    assert_eq!(answer.status(), 200);
    let endless = (0..u64::MAX).map(chunk);
    assert_eq!(send(&relay, with_body(common::frames(endless))).await.status(), 413);
}

/// Even if the gateway does not care and answers.
#[tokio::test]
async fn an_answer_to_a_part_of_a_request_does_not_pass() {
    let gateway = service_fn(|request: Request<RelayRequestBody<Body>>| async {
        assert!(erase(request.into_body()).collect().await.is_err());
        Ok(response())
    });
    let relay = relay_to(BoxCloneService::new(gateway)).body_limit(3);
    let data = || Ok(Frame::data(Bytes::from_static(b"ab")));
    let answer = send(&relay, with_body(common::frames([data(), data()]))).await;
    assert_eq!(answer.status(), 413);
    let answer = send(&relay, with_body(common::frames([data(), Err("reset".into())]))).await;
    assert_eq!(answer.status(), 400);
}

#[tokio::test]
async fn a_response_that_grows_over_the_limit_breaks_off() {
    let (relay, _) = relay_answering(|| {
        let chunk = |_| Ok(Frame::data(Bytes::from_static(&[0; 1000])));
        response().map(|_| common::frames((0..u64::MAX).map(chunk)))
    });
    let mut body = send(&relay.body_limit(2000), request()).await.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert!(body.frame().await.unwrap().is_ok());
    let error = body.frame().await.unwrap().unwrap_err();
    assert!(matches!(error, RelayBodyError::TooLarge { limit: 2000 }));
}

/// A server asks a body whether it is at its end, and does not read what comes then.
#[tokio::test]
async fn the_last_frame_over_the_limit_is_no_end() {
    struct Last(Option<Bytes>);

    impl http_body::Body for Last {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            std::task::Poll::Ready(self.0.take().map(|data| Ok(Frame::data(data))))
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_none()
        }
    }

    let (relay, _) = relay_answering(|| {
        response().map(|_| Last(Some(Bytes::from_static(b"too much"))).boxed_unsync())
    });
    let mut body = send(&relay.body_limit(7), with_body(common::body("x"))).await.into_body();
    let first = std::future::poll_fn(|cx| {
        std::task::Poll::Ready(http_body::Body::poll_frame(std::pin::Pin::new(&mut body), cx))
    });
    assert!(first.await.is_pending());
    assert!(!http_body::Body::is_end_stream(&body));
    assert!(matches!(body.frame().await, Some(Err(RelayBodyError::TooLarge { limit: 7 }))));
}

#[tokio::test]
async fn a_response_that_breaks_off_breaks_off_for_the_client_too() {
    let (relay, _) = relay_answering(|| {
        let frames = [Ok(Frame::data(Bytes::from_static(b"half"))), Err("reset".into())];
        response().map(|_| common::frames(frames))
    });
    let mut body = send(&relay, request()).await.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    assert!(matches!(body.frame().await.unwrap(), Err(RelayBodyError::Body(_))));
}

#[tokio::test]
async fn trailers_of_the_gateway_do_not_pass() {
    let (relay, _) = relay_answering(|| {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("set-cookie", "who=you".parse().unwrap());
        let frames = [Ok(Frame::data(Bytes::from_static(b"all"))), Ok(Frame::trailers(trailers))];
        response().map(|_| common::frames(frames))
    });
    let body = send(&relay, request()).await.into_body().collect().await.unwrap();
    assert!(body.trailers().is_none());
    assert_eq!(body.to_bytes(), "all");
}

/// ohttp-relay has no time-outs.
#[tokio::test(start_paused = true)]
async fn a_silent_gateway_is_a_gateway_timeout() {
    let start = Instant::now();
    let relay = relay_to(slow(11 * SECOND)).idle_timeout(timeout());
    let answer = send(&relay, request()).await;
    assert_eq!(answer.status(), 504);
    assert_eq!(start.elapsed().as_secs(), 10);
    assert!(text(answer).await.contains("in time"));

    let relay = relay_to(slow(9 * SECOND)).idle_timeout(timeout());
    assert_eq!(send(&relay, request()).await.status(), 200);
}

/// A gateway that dies while it answers wedges nothing.
#[tokio::test(start_paused = true)]
async fn a_response_that_stalls_breaks_off() {
    let (mut gateway, body) = channel();
    let body = Mutex::new(Some(body));
    let body = Arc::new(body);
    let (relay, _) =
        relay_answering(move || response().map(|_| body.lock().unwrap().take().unwrap()));
    let mut answer = send(&relay.idle_timeout(timeout()), request()).await.into_body();
    for _ in 0..3 {
        let (sent, frame) = tokio::join!(
            async {
                sleep(9 * SECOND).await;
                gateway.send_data(Bytes::from_static(b"slow")).await
            },
            answer.frame()
        );
        sent.unwrap();
        assert!(frame.unwrap().is_ok());
    }
    let start = Instant::now();
    assert!(matches!(answer.frame().await.unwrap(), Err(RelayBodyError::Stalled)));
    assert_eq!(start.elapsed().as_secs(), 10);
}

/// A client may take its time as long as something moves; one that stops is told so.
#[tokio::test(start_paused = true)]
async fn a_client_that_stops_sending_is_a_request_timeout() {
    let (relay, seen) = relay_answering(response);
    let relay = relay.idle_timeout(timeout());
    let (mut client, body) = channel();
    let answer = async { send(&relay, with_body(body)).await.status() };
    let sending = async {
        for _ in 0..3 {
            sleep(9 * SECOND).await;
            client.send_data(Bytes::from_static(b"slow")).await.unwrap();
        }
        client
    };
    let start = Instant::now();
    let (status, _client) = tokio::join!(answer, sending);
    assert_eq!(status, 408);
    assert_eq!(start.elapsed().as_secs(), 37);
    assert!(seen.lock().unwrap().is_empty());
}

/// A client that was slow, and is through, is not to blame for what the gateway does then.
#[tokio::test(start_paused = true)]
async fn a_gateway_that_is_silent_after_a_slow_request_is_a_gateway_timeout() {
    let gateway = service_fn(|request: Request<RelayRequestBody<Body>>| async {
        erase(request.into_body()).collect().await?;
        pending().await
    });
    let relay = relay_to(BoxCloneService::new(gateway)).idle_timeout(timeout());
    let (mut client, body) = channel();
    let sending = async {
        sleep(5 * SECOND).await;
        client.send_data(Bytes::from_static(b"slow")).await.unwrap();
        drop(client);
    };
    let answer = async { send(&relay, with_body(body)).await.status() };
    let (status, ()) = tokio::join!(answer, sending);
    assert_eq!(status, 504);
}

/// Frames without data cost a client nothing; they do not keep an exchange alive.
#[tokio::test(start_paused = true)]
async fn empty_frames_are_no_progress() {
    let (relay, _) = relay_answering(response);
    let relay = relay.idle_timeout(timeout());
    let (mut client, body) = channel();
    let start = Instant::now();
    let sending = async {
        for _ in 0..100 {
            sleep(SECOND).await;
            if client.send_data(Bytes::new()).await.is_err() {
                return;
            }
        }
    };
    let answer = async { send(&relay, with_body(body)).await.status() };
    let (status, ()) = tokio::join!(answer, sending);
    assert_eq!(status, 408);
    assert!(start.elapsed() <= 12 * SECOND);
}

/// An answer that waits for the request while that still comes in is not late.
#[tokio::test(start_paused = true)]
async fn a_request_that_moves_keeps_its_response_alive() {
    let relay = relay_to(BoxCloneService::new(service_fn(
        |request: Request<RelayRequestBody<Body>>| async {
            let (mut gateway, body) = channel();
            tokio::spawn(async move {
                let data = erase(request.into_body()).collect().await.unwrap().to_bytes();
                gateway.send_data(data).await
            });
            Ok(response().map(|_| body))
        },
    )));
    let (mut client, body) = channel();
    let sending = async {
        for _ in 0..4 {
            sleep(6 * SECOND).await;
            client.send_data(Bytes::from_static(b"x")).await.unwrap();
        }
        drop(client);
    };
    let relay = relay.idle_timeout(timeout());
    let answer = async { text(send(&relay, with_body(body)).await).await };
    let (answer, ()) = tokio::join!(answer, sending);
    assert_eq!(answer, "xxxx");
}

/// What a gateway got of a request, once it has all of it or no more of it comes.
type Read = tokio::task::JoinHandle<Result<Bytes, BoxError>>;

/// A gateway that answers at once, and goes on reading what it was sent.
fn early() -> (Gateway, Arc<Mutex<Vec<Read>>>) {
    let reading = Arc::<Mutex<Vec<Read>>>::default();
    let seen = reading.clone();
    let gateway = service_fn(move |request: Request<RelayRequestBody<Body>>| {
        let body = erase(request.into_body());
        let read = tokio::spawn(async { Ok(body.collect().await?.to_bytes()) });
        seen.lock().unwrap().push(read);
        async { Ok(response()) }
    });
    (BoxCloneService::new(gateway), reading)
}

/// Sends a request that goes on after its answer, which is read to its end. Returns how the gateway
/// reads the request.
async fn answered_early(relay: &Relay<Gateway>, body: Body, reading: &Mutex<Vec<Read>>) -> Read {
    let answer = send(relay, with_body(body)).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(text(answer).await, "sealed");
    reading.lock().unwrap().pop().unwrap()
}

fn broke_off(read: Result<Bytes, BoxError>) -> RelayBodyError {
    *read.unwrap_err().downcast().unwrap()
}

/// An exchange has its place until both of its bodies are over, whichever ends first.
#[tokio::test]
async fn an_upload_after_its_answer_counts_as_under_way() {
    let (gateway, reading) = early();
    let relay = relay_to(gateway).concurrency_limit(NonZeroUsize::MIN);
    let (mut client, body) = channel();
    let read = answered_early(&relay, body, &reading).await;
    client.send_data(Bytes::from_static(b"more")).await.unwrap();
    assert_eq!(send(&relay, request()).await.status(), 503);
    drop(client);
    assert_eq!(read.await.unwrap().unwrap(), "more");
    assert_eq!(send(&relay, request()).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn an_upload_after_its_answer_must_not_stand_still() {
    let (gateway, reading) = early();
    let relay = relay_to(gateway).concurrency_limit(NonZeroUsize::MIN).idle_timeout(timeout());
    let (mut client, body) = channel();
    let read = answered_early(&relay, body, &reading).await;
    for _ in 0..3 {
        sleep(9 * SECOND).await;
        client.send_data(Bytes::from_static(b"slow")).await.unwrap();
    }
    let start = Instant::now();
    assert!(matches!(broke_off(read.await.unwrap()), RelayBodyError::Stalled));
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!(send(&relay, request()).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn an_upload_after_its_answer_ends_with_the_time_of_the_exchange() {
    let (gateway, reading) = early();
    let relay = relay_to(gateway)
        .concurrency_limit(NonZeroUsize::MIN)
        .idle_timeout(timeout())
        .exchange_timeout(Timeout::new(30 * SECOND, TokioTimer))
        .clock(TimerClock::new());
    let (mut client, body) = channel();
    let start = Instant::now();
    let read = answered_early(&relay, body, &reading).await;
    tokio::spawn(async move {
        while client.send_data(Bytes::from_static(b"x")).await.is_ok() {
            sleep(SECOND).await;
        }
    });
    assert!(matches!(broke_off(read.await.unwrap()), RelayBodyError::TooLong));
    assert_eq!(start.elapsed().as_secs(), 30);
    assert_eq!(send(&relay, request()).await.status(), 200);
}

/// A clock that goes on by a second whenever it is looked at.
#[derive(Default)]
struct Hasty(AtomicU64);

impl Clock for Hasty {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Nothing is ever waited for, so no timer is ever asked.
#[tokio::test]
async fn an_upload_after_its_answer_ends_even_if_it_never_pauses() {
    let (gateway, reading) = early();
    let limit = Timeout::new(30 * SECOND, TokioTimer);
    let relay = relay_to(gateway).exchange_timeout(limit).clock(Hasty::default());
    let chunk = |_| Ok(Frame::data(Bytes::from_static(b"x")));
    let endless = common::frames((0..u64::MAX).map(chunk));
    let read = answered_early(&relay, endless, &reading).await;
    assert!(matches!(broke_off(read.await.unwrap()), RelayBodyError::TooLong));
}

/// Says when it is dropped.
struct Witness(Arc<AtomicBool>);

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_the_call() {
    let cancelled = Arc::new(AtomicBool::new(false));
    let (started, has_started) = oneshot::channel();
    let started = Arc::new(Mutex::new(Some(started)));
    let gateway = {
        let cancelled = cancelled.clone();
        service_fn(move |_| {
            let witness = Witness(cancelled.clone());
            started.lock().unwrap().take().unwrap().send(()).unwrap();
            async move {
                let _witness = witness;
                pending::<Result<Response<Body>, BoxError>>().await
            }
        })
    };
    let relay = relay_to(BoxCloneService::new(gateway));
    tokio::select! {
        _ = send(&relay, request()) => unreachable!("the gateway does not answer"),
        started = has_started => started.unwrap(),
    }
    assert!(cancelled.load(Ordering::Relaxed));
}

#[tokio::test]
async fn a_client_that_goes_away_while_it_reads_drops_the_gateways_body() {
    let (mut gateway, body) = channel();
    let body = Arc::new(Mutex::new(Some(body)));
    let (relay, _) =
        relay_answering(move || response().map(|_| body.lock().unwrap().take().unwrap()));
    let answer = send(&relay, request()).await;
    gateway.send_data(Bytes::from_static(b"first")).await.unwrap();
    drop(answer);
    assert!(gateway.send_data(Bytes::from_static(b"second")).await.is_err());
}
