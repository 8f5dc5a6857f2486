//! Limits per client and in all, and that they fire.

mod common;

use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use common::{
    Answer, Body, Gateway, TimerClock, relay_answering, relay_to, request, response, send, text,
};
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use oblivious_relay::{
    Batching, Breaker, ClientPrefixes, Delay, RateLimit, Relay, RelayBodyError, RelayRequestBody,
};
use oblivious_service::{BoxError, ClientAddress, Clock, Pseudonym, Timeout, TokioTimer};
use tokio::time::{Instant, sleep};
use tower::util::BoxCloneService;
use tower::{ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

/// A clock that goes when it is told to, in seconds.
#[derive(Clone, Default)]
struct Manual(Arc<AtomicU64>);

impl Manual {
    fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for Manual {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.uptime()
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn from(address: &str) -> Request<Body> {
    let mut request = request();
    let address: IpAddr = address.parse().unwrap();
    request.extensions_mut().insert(ClientAddress::from(address));
    request
}

fn proxy_error(answer: &Answer) -> &str {
    answer.headers()["proxy-status"].to_str().unwrap().rsplit_once("error=").unwrap().1
}

/// In ohttp-gateway the limiter is made anew for each request, and never fires.
#[tokio::test]
async fn a_client_over_its_rate_gets_429_while_another_is_served() {
    let clock = Manual::default();
    let (relay, seen) = relay_answering(response);
    let relay =
        relay.rate_limit(RateLimit::per_minute(number(6)).burst(number(3))).clock(clock.clone());
    for _ in 0..3 {
        assert_eq!(send(&relay, from("192.0.2.1")).await.status(), 200);
    }
    let answer = send(&relay.clone(), from("192.0.2.1")).await;
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["retry-after"], "10");
    assert_eq!(proxy_error(&answer), "http_request_denied");
    assert!(text(answer).await.contains("retry-after"));
    assert_eq!(send(&relay, from("192.0.2.2")).await.status(), 200);
    assert_eq!(seen.lock().unwrap().len(), 4);

    clock.set(9);
    let answer = send(&relay, from("192.0.2.1")).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (429, &"1".parse().unwrap())
    );
    clock.set(10);
    assert_eq!(send(&relay, from("192.0.2.1")).await.status(), 200);
    assert_eq!(send(&relay, from("192.0.2.1")).await.status(), 429);
}

/// Whatever a client asks for counts: being refused costs something too.
#[tokio::test]
async fn requests_that_are_refused_count() {
    let (relay, _) = relay_answering(response);
    let relay = relay.rate_limit(RateLimit::per_minute(number(1))).clock(Manual::default());
    let mut wrong = from("192.0.2.1");
    *wrong.method_mut() = http::Method::PUT;
    assert_eq!(send(&relay, wrong).await.status(), 405);
    assert_eq!(send(&relay, from("192.0.2.1")).await.status(), 429);
    for expected in [404, 429] {
        let mut lost = from("192.0.2.2");
        *lost.uri_mut() = "/nowhere".parse().unwrap();
        assert_eq!(send(&relay, lost).await.status(), expected);
    }
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_client() {
    let (relay, _) = relay_answering(response);
    let relay = relay.rate_limit(RateLimit::per_minute(number(1))).clock(Manual::default());
    assert_eq!(send(&relay, from("2001:db8:0:1::1")).await.status(), 200);
    assert_eq!(send(&relay, from("2001:db8:0:ff:2::2")).await.status(), 429);
    assert_eq!(send(&relay, from("2001:db8:0:100::1")).await.status(), 200);
    // Set after the limit, all the same it applies.
    let relay = relay.client_prefixes(ClientPrefixes::new(24, 128).unwrap());
    assert_eq!(send(&relay, from("198.51.100.1")).await.status(), 200);
    assert_eq!(send(&relay, from("198.51.100.2")).await.status(), 429);
    assert_eq!(send(&relay, from("::ffff:198.51.100.3")).await.status(), 429);
    assert_eq!(send(&relay, from("198.51.101.1")).await.status(), 200);
}

/// A limit that nobody can apply must not read as none.
#[tokio::test]
async fn a_client_without_an_address_is_not_served_where_it_would_be_limited() {
    for limited in [
        |relay: Relay<Gateway>| relay.rate_limit(RateLimit::per_second(number(1000))),
        |relay: Relay<Gateway>| relay.client_concurrency_limit(number(1000)),
    ] {
        let (relay, seen) = relay_answering(response);
        let answer = send(&limited(relay), request()).await;
        assert_eq!(answer.status(), 500);
        assert_eq!(proxy_error(&answer), "proxy_configuration_error");
        assert!(seen.lock().unwrap().is_empty());
    }
    let (relay, _) = relay_answering(response);
    let relay = relay.concurrency_limit(NonZeroUsize::MIN);
    assert_eq!(send(&relay, request()).await.status(), 200);
}

#[tokio::test]
async fn the_address_of_a_client_goes_nowhere() {
    let (relay, seen) = relay_answering(response);
    let relay =
        relay.rate_limit(RateLimit::per_second(number(1000))).client_concurrency_limit(number(10));
    let request = from("192.0.2.77");
    assert!(!format!("{request:?}").contains("192.0.2.77"));
    let answer = send(&relay, request).await;
    assert!(!format!("{relay:?} {answer:?} {:?}", seen.lock().unwrap()).contains("192.0.2.77"));
    assert!(seen.lock().unwrap()[0].extensions().is_empty());
}

/// RFC 10036: who keeps a place for as long as it likes is told apart from the others.
#[tokio::test]
async fn exchanges_beyond_the_limit_are_refused_until_an_answer_has_been_read() {
    let (relay, _) = relay_answering(response);
    for (relay, other) in [
        (relay.clone().concurrency_limit(NonZeroUsize::MIN), 503),
        (relay.client_concurrency_limit(number(1)), 200),
    ] {
        let relay = relay.pseudonym(Pseudonym::new("r").unwrap());
        let first = send(&relay, from("192.0.2.1")).await;
        assert_eq!(first.status(), 200);
        let second = send(&relay, from("192.0.2.1")).await;
        assert_eq!(second.status(), 503);
        assert_eq!(second.headers()["retry-after"], "1");
        assert_eq!(second.headers()["proxy-status"], "r; error=connection_limit_reached");
        let mut incremental = from("192.0.2.1");
        incremental.headers_mut().insert("incremental", HeaderValue::from_static("?1"));
        let third = send(&relay, incremental).await;
        assert_eq!(third.status(), 429);
        assert_eq!(third.headers()["proxy-status"], "r; error=connection_limit_reached");
        assert_eq!(send(&relay, from("192.0.2.2")).await.status(), other);

        // To the end, but not dropped.
        let mut body = first.into_body();
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.is_none());
        let fourth = send(&relay, from("192.0.2.1")).await;
        assert_eq!(fourth.status(), 200);
        // Dropped, but not to the end.
        drop(fourth);
        assert_eq!(send(&relay, from("192.0.2.1")).await.status(), 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_is_free_again_when_a_client_leaves() {
    let relay = relay_to(BoxCloneService::new(service_fn(|_| async {
        std::future::pending::<Result<Response<Body>, BoxError>>().await
    })));
    let relay = relay.concurrency_limit(NonZeroUsize::MIN);
    for _ in 0..3 {
        let left = tokio::time::timeout(SECOND, send(&relay, request())).await;
        assert!(left.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_never_stands_still_ends_all_the_same() {
    let limit = || Timeout::new(10 * SECOND, TokioTimer);
    let dribble = || {
        let (mut gateway, body) = http_body_util::channel::Channel::<_, BoxError>::new(1);
        tokio::spawn(async move {
            while gateway.send_data(bytes::Bytes::from_static(b"x")).await.is_ok() {
                sleep(SECOND).await;
            }
        });
        body.boxed_unsync()
    };
    // The answer.
    let (relay, _) = relay_answering(move || response().map(|_| dribble()));
    let idle = Timeout::new(2 * SECOND, TokioTimer);
    let relay = relay.idle_timeout(idle).exchange_timeout(limit()).clock(TimerClock::new());
    let start = Instant::now();
    let mut body = send(&relay, request()).await.into_body();
    let error = loop {
        match body.frame().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, RelayBodyError::TooLong));
    assert_eq!(start.elapsed().as_secs(), 10);
    // The request.
    let start = Instant::now();
    assert_eq!(send(&relay, request().map(|_| dribble())).await.status(), 408);
    assert_eq!(start.elapsed().as_secs(), 10);
    // A gateway that is silent, with nothing else to stop it.
    let silent = relay_to(BoxCloneService::new(service_fn(|_| async {
        std::future::pending::<Result<Response<Body>, BoxError>>().await
    })));
    assert_eq!(send(&silent.exchange_timeout(limit()), request()).await.status(), 504);
}

/// An answer that is always there, and a client that reads it slowly: nothing waits for the gateway.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_does_not_hold_an_exchange_open() {
    let (relay, _) = relay_answering(|| {
        let chunk = |_| Ok(http_body::Frame::data(bytes::Bytes::from_static(b"x")));
        response().map(|_| common::frames((0..u64::MAX).map(chunk)))
    });
    let relay =
        relay.exchange_timeout(Timeout::new(10 * SECOND, TokioTimer)).clock(TimerClock::new());
    let mut body = send(&relay, request()).await.into_body();
    let mut read = 0;
    while body.frame().await.unwrap().is_ok() {
        read += 1;
        sleep(SECOND).await;
    }
    assert!((9..=11).contains(&read), "{read}");
}

/// A gateway that can be switched off and on, and counts what it is asked.
fn switched() -> (Gateway, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (calls, up) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let gateway = {
        let (calls, up) = (calls.clone(), up.clone());
        service_fn(move |request: Request<RelayRequestBody<Body>>| {
            calls.fetch_add(1, Ordering::Relaxed);
            let up = up.load(Ordering::Relaxed) > 0;
            async move {
                let read = common::erase(request.into_body()).collect().await;
                match (up, read) {
                    (true, Ok(_)) => Ok(response()),
                    _ => Err::<Response<Body>, BoxError>("down".into()),
                }
            }
        })
    };
    (BoxCloneService::new(gateway), calls, up)
}

#[tokio::test]
async fn a_gateway_that_is_down_is_left_in_peace() {
    let clock = Manual::default();
    let (gateway, calls, up) = switched();
    let relay = relay_to(gateway)
        .route("/other", "https://other.example/".parse().unwrap())
        .unwrap()
        .breaker(Breaker::new(number(3), 10 * SECOND))
        .clock(clock.clone());
    for _ in 0..3 {
        assert_eq!(send(&relay, request()).await.status(), 502);
    }
    let answer = send(&relay, request()).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "10");
    assert_eq!(proxy_error(&answer), "destination_unavailable");
    assert_eq!(calls.load(Ordering::Relaxed), 3);
    // Another gateway is another matter.
    let mut other = request();
    *other.uri_mut() = "/other".parse().unwrap();
    assert_eq!(send(&relay, other).await.status(), 502);

    // One real request finds out that it is still down.
    clock.set(10);
    assert_eq!(send(&relay, request()).await.status(), 502);
    assert_eq!(send(&relay, request()).await.status(), 503);
    up.store(1, Ordering::Relaxed);
    assert_eq!(send(&relay, request()).await.status(), 503);
    clock.set(20);
    for _ in 0..5 {
        assert_eq!(send(&relay, request()).await.status(), 200);
    }
    assert_eq!(calls.load(Ordering::Relaxed), 10);
}

/// ohttp-relay counts a probe whose client left as under way, for ever.
#[tokio::test]
async fn clients_that_leave_or_break_off_during_a_probe_wedge_nothing() {
    let clock = Manual::default();
    let (gateway, _, up) = switched();
    let relay =
        relay_to(gateway).breaker(Breaker::new(number(1), 10 * SECOND)).clock(clock.clone());
    assert_eq!(send(&relay, request()).await.status(), 502);
    assert_eq!(send(&relay, request()).await.status(), 503);
    up.store(1, Ordering::Relaxed);
    clock.set(10);
    // Leaves with its request half sent.
    let (half, body) = http_body_util::channel::Channel::<_, BoxError>::new(1);
    let leaving = send(&relay, request().map(|_| body.boxed_unsync()));
    assert!(tokio::time::timeout(Duration::from_millis(1), leaving).await.is_err());
    drop(half);
    // Breaks off.
    let broken = request().map(|_| common::frames([Err("reset".into())]));
    assert_eq!(send(&relay, broken).await.status(), 400);
    assert_eq!(send(&relay, request()).await.status(), 200);
}

/// What a client does wrong is not held against the gateway.
#[tokio::test(start_paused = true)]
async fn clients_cannot_open_the_breaker() {
    let (gateway, _, up) = switched();
    up.store(1, Ordering::Relaxed);
    let relay = relay_to(gateway)
        .breaker(Breaker::new(number(1), 10 * SECOND))
        .idle_timeout(Timeout::new(SECOND, TokioTimer))
        .body_limit(20);
    let chunk = || Ok(http_body::Frame::data(bytes::Bytes::from_static(b"0123456789ab")));
    let too_long = request().map(|_| common::frames([chunk(), chunk()]));
    assert_eq!(send(&relay, too_long).await.status(), 413);
    let broken = request().map(|_| common::frames([Err("reset".into())]));
    assert_eq!(send(&relay, broken).await.status(), 400);
    let (_stalled, body) = http_body_util::channel::Channel::<_, BoxError>::new(1);
    assert_eq!(send(&relay, request().map(|_| body.boxed_unsync())).await.status(), 408);
    assert_eq!(send(&relay, request()).await.status(), 200);
}

/// RFC 9458 §6.2.3
#[tokio::test(start_paused = true)]
async fn delays_are_random_and_bounded() {
    let (relay, seen) = relay_answering(response);
    let relay = relay.delay(Delay::up_to(10 * SECOND, TokioTimer));
    let mut taken = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        assert_eq!(send(&relay, request()).await.status(), 200);
        taken.push(start.elapsed());
    }
    assert_eq!(seen.lock().unwrap().len(), 20);
    assert!(taken.iter().all(|taken| *taken <= 21 * SECOND));
    taken.sort();
    taken.dedup();
    assert!(taken.len() > 10, "{taken:?}");
}

/// RFC 9458 §6.2.3: requests to a gateway go out together, and so do the answers of a gateway; what
/// goes elsewhere makes no batch fuller.
#[tokio::test(start_paused = true)]
async fn requests_to_a_gateway_go_out_in_batches() {
    let (relay, seen) = relay_answering(response);
    let size = NonZeroUsize::new(3).unwrap();
    let relay = relay
        .route("/other", "https://other.example/".parse().unwrap())
        .unwrap()
        .batching(Batching::of(size, Timeout::new(10 * SECOND, TokioTimer)));
    let ask = |path: &'static str| {
        let mut request = request();
        *request.uri_mut() = path.parse().unwrap();
        tokio::spawn(relay.clone().oneshot(request))
    };
    let start = Instant::now();
    let mut asked = vec![ask("/gateway"), ask("/other"), ask("/gateway"), ask("/other")];
    sleep(SECOND).await;
    assert!(seen.lock().unwrap().is_empty());
    asked.push(ask("/gateway"));
    for one in asked.drain(..).step_by(2) {
        assert_eq!(one.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(start.elapsed(), SECOND);
    assert_eq!(seen.lock().unwrap().len(), 3);

    // Two are fewer than a batch. They wait on their way to the gateway, and back.
    let start = Instant::now();
    let asked = [ask("/gateway"), ask("/gateway")];
    for one in asked {
        assert_eq!(one.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(start.elapsed(), 20 * SECOND);
}
