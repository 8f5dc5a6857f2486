//! Requests that were seen before, and requests with a date that is off, as a client sees them.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::BytesMut;
use common::{
    chunks::{Opening, Sealing, content, outer_chunked, pipe},
    get, layer, outer, ring_until, seal, send,
};
use http::{Method, Request, Response, StatusCode, header};
use oblivious_bhttp::{
    Content, DecodeOptions, EncodeOptions, decode_response, encode_request_into,
};
use oblivious_gateway::{
    DatePolicy, Gateway, GatewayBody, GatewayKeys, GatewayLayer, MemoryReplayGuard, Origin,
    ReplayCheck, ReplayEntry, ReplayError, ReplayGuard, ReplayLoad, ReplayVerdict, UnixSeconds,
};
use oblivious_service::{BoxError, Clock, Problem};
use tower::{Layer, Service, ServiceExt, service_fn};

const NOW: u64 = 1_800_000_000;

/// A clock that is set by hand.
#[derive(Clone, Debug)]
struct SetClock(Arc<AtomicU64>);

impl SetClock {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(NOW)))
    }

    fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for SetClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

/// A gateway whose target counts how often it is asked.
fn counting(
    layer: GatewayLayer,
) -> (
    Gateway<
        impl Service<Request<GatewayBody>, Response = Response<Content>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + 'static,
    >,
    Arc<AtomicUsize>,
) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let target = service_fn(move |_: Request<GatewayBody>| {
        count.fetch_add(1, Ordering::Relaxed);
        async { Ok::<_, BoxError>(Response::new(Content::from("ok"))) }
    });
    (layer.layer(target), asked)
}

fn encoded(request: &Request<Content>) -> BytesMut {
    let mut message = BytesMut::new();
    encode_request_into(request, &EncodeOptions::default(), &mut message).unwrap();
    message
}

fn dated(seconds: u64) -> Request<Content> {
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
    let mut request = get("https://example.com/");
    request.headers_mut().insert(header::DATE, date.parse().unwrap());
    request
}

/// RFC 9458 §6.5: the target is asked once. §6.5.2: the answer to a copy is no problem `date`, or a
/// client whose relay copies requests would send a third.
#[tokio::test]
async fn a_copy_is_a_409_inside() {
    let (gateway, asked) = counting(layer());
    let (sealed, pending) = seal(&encoded(&get("https://example.com/")));
    // One answer can be opened: that to the copy. The target was asked for the other one.
    let first = send(gateway.clone(), outer(sealed.clone())).await;
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(asked.load(Ordering::Relaxed), 1);

    let copied = send(gateway, outer(sealed)).await;
    assert_eq!(copied.status, StatusCode::OK, "the refusal is inside");
    assert_eq!(copied.headers["content-type"], "message/ohttp-res");
    let opened = pending.open(copied.body).unwrap().freeze();
    let refusal = decode_response(opened, &Method::GET, &DecodeOptions::default()).unwrap();
    assert_eq!(refusal.status(), StatusCode::CONFLICT);
    assert!(!refusal.headers().contains_key(header::DATE));
    assert_eq!(Problem::parse(&refusal.body().data), None);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// The same in chunks.
#[tokio::test]
async fn a_copy_in_chunks_is_a_409_inside() {
    let (gateway, asked) = counting(layer());
    let (mut sealing, pending) = Sealing::start();
    let sealed = sealing.finish(&encoded(&dated(1)));
    // Whatever its date says, what counts first is that it is a copy. The first one gets a 400
    // that nobody opens here.
    let request = || outer_chunked(Content::from(sealed.clone()));
    let first = gateway.clone().oneshot(request()).await.unwrap();
    oblivious_service::collect(first.into_body(), 10_000).await.unwrap();
    let copy = gateway.oneshot(request()).await.unwrap();
    let opening = Opening::new(pending, copy.into_body());
    let answer = opening.response(&Method::GET).await.unwrap();
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert!(!answer.headers().contains_key(header::DATE));
    let text = content(answer.into_body()).await.unwrap().data;
    assert_eq!(Problem::parse(&text), None);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

/// RFC 9458 §6.5 and §6.4: what is sent to a key is forgotten after the key's end, so a copy that was
/// opened before is not served after it, however long it is held open.
#[tokio::test]
async fn a_copy_held_open_over_the_end_of_its_key_is_a_408_inside() {
    const END: u64 = NOW + 5;
    let clock = SetClock::new();
    let keys = GatewayKeys::from(ring_until(END));
    let layer = GatewayLayer::new(keys).targets("https://example.com".parse::<Origin>().unwrap());
    let guard = MemoryReplayGuard::new(100, UnixSeconds(NOW)).unwrap();
    let (gateway, asked) = counting(layer.clock(clock.clone()).replay_guard(guard));
    for (held_until, status) in [(END, 409), (END + 1, 408), (END + 1000, 408)] {
        clock.set(NOW);
        let before = asked.load(Ordering::Relaxed);
        let message = encoded(&get("https://example.com/"));
        let (start, rest) = message.split_at(4);
        let (mut sealing, pending) = Sealing::start();
        let parts = [sealing.chunk(start), sealing.finish(rest)];

        let original = outer_chunked(Content::from(parts.concat()));
        let answer = gateway.clone().oneshot(original).await.unwrap();
        oblivious_service::collect(answer.into_body(), 10_000).await.unwrap();
        assert_eq!(asked.load(Ordering::Relaxed), before + 1);

        let (sender, pipe) = pipe();
        sender.send(Ok(parts[0].clone())).unwrap();
        let held = gateway.clone().oneshot(outer_chunked(pipe)).await.unwrap();
        clock.set(held_until);
        sender.send(Ok(parts[1].clone())).unwrap();
        drop(sender);
        let answer = Opening::new(pending, held.into_body()).response(&Method::GET).await.unwrap();
        assert_eq!(answer.status(), status, "{held_until}");
        assert_eq!(asked.load(Ordering::Relaxed), before + 1, "{held_until}");
    }
}

/// RFC 9458 §6.5.2
#[tokio::test]
async fn a_date_outside_of_the_window_is_the_problem_date_inside() {
    let clock = SetClock::new();
    let dates = DatePolicy::default().with_window(Duration::from_secs(60));
    let guard = MemoryReplayGuard::new(100, UnixSeconds(NOW - 1000)).unwrap();
    let (gateway, asked) = counting(layer().clock(clock).dates(dates).replay_guard(guard));
    for (seconds, accepted) in
        [(NOW - 61, false), (NOW - 60, true), (NOW + 60, true), (NOW + 61, false)]
    {
        let answer = common::ask(gateway.clone(), dated(seconds)).await;
        if accepted {
            assert_eq!(answer.status(), StatusCode::OK, "{seconds}");
            continue;
        }
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{seconds}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(Problem::parse(&answer.body().data), Some(Problem::Date));
        let date = answer.headers()[header::DATE].to_str().unwrap();
        let date = httpdate::parse_http_date(date).unwrap();
        assert_eq!(date, UNIX_EPOCH + Duration::from_secs(NOW), "the gateway's own");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_date_can_be_required() {
    let strict = DatePolicy::default().with_required_date(true);
    for (dates, status) in [(DatePolicy::default(), 200), (strict, 400)] {
        let (gateway, _) = counting(layer().dates(dates));
        assert_eq!(common::ask(gateway, get("https://example.com/")).await.status(), status);
    }
}

/// A guard that was started anew does not know what it forgot.
#[tokio::test]
async fn dates_from_before_the_start_are_refused() {
    let guard = MemoryReplayGuard::new(100, UnixSeconds(NOW)).unwrap();
    let (gateway, _) = counting(layer().clock(SetClock::new()).replay_guard(guard));
    let early = common::ask(gateway.clone(), dated(NOW - 1)).await;
    assert_eq!(Problem::parse(&early.body().data), Some(Problem::Date));
    assert_eq!(common::ask(gateway, dated(NOW)).await.status(), StatusCode::OK);
}

/// The guard that is made unasked has the clock of the gateway, be it years behind.
#[tokio::test]
async fn the_default_guard_goes_by_the_clock_that_is_set() {
    let clock = SetClock::new();
    clock.set(NOW / 2);
    let (gateway, asked) = counting(layer().clock(clock));
    for (seconds, status) in [(NOW / 2 - 1, 400), (NOW / 2, 200)] {
        assert_eq!(common::ask(gateway.clone(), dated(seconds)).await.status(), status);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// A request is remembered for as long as its date is acceptable; then the date is what stops it.
#[tokio::test]
async fn a_copy_is_refused_for_ever() {
    let clock = SetClock::new();
    let guard = MemoryReplayGuard::new(100, UnixSeconds(NOW)).unwrap();
    let (gateway, asked) = counting(layer().clock(clock.clone()).replay_guard(guard));
    let (sealed, _) = seal(&encoded(&dated(NOW + 10)));
    for now in
        [NOW, NOW, NOW + 299, NOW + 310, NOW + 311, NOW + 370, NOW + 371, NOW + 1000, NOW + 100_000]
    {
        clock.set(now);
        let received = send(gateway.clone(), outer(sealed.clone())).await;
        assert_eq!(received.status, StatusCode::OK);
        assert_eq!(asked.load(Ordering::Relaxed), 1, "{now}");
    }
}

/// A guard that notes what it is asked and answers as it was told.
#[derive(Clone)]
struct Scripted {
    answer: Result<ReplayVerdict, ReplayError>,
    asked: Arc<AtomicUsize>,
}

impl ReplayGuard for Scripted {
    fn check_and_insert(&self, _: ReplayEntry<'_>) -> ReplayCheck {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.answer;
        ReplayCheck::Pending(Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        }))
    }

    fn remembers_since(&self) -> Option<UnixSeconds> {
        None
    }

    fn load(&self) -> Option<ReplayLoad> {
        None
    }
}

#[tokio::test]
async fn a_guard_that_cannot_tell_is_a_503_inside() {
    for error in [ReplayError::Full, ReplayError::Unavailable] {
        let guard = Scripted { answer: Err(error), asked: Arc::default() };
        let (gateway, asked) = counting(layer().replay_guard(guard));
        let answer = common::ask(gateway, get("https://example.com/")).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(asked.load(Ordering::Relaxed), 0);
    }
}

/// What does not open cannot fill the guard.
#[tokio::test]
async fn garbage_is_not_remembered() {
    let guard = Scripted { answer: Ok(ReplayVerdict::Fresh), asked: Arc::default() };
    let (gateway, _) = counting(layer().replay_guard(guard.clone()));
    let (sealed, _) = seal(&encoded(&get("https://example.com/")));
    for position in [0, 7, 40, sealed.len() - 1] {
        let mut damaged = sealed.to_vec();
        damaged[position] ^= 1;
        let refused = send(gateway.clone(), outer(damaged)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{position}");
    }
    assert_eq!(guard.asked.load(Ordering::Relaxed), 0);
    send(gateway, outer(sealed)).await;
    assert_eq!(guard.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn without_a_guard_a_copy_is_served() {
    let (gateway, asked) = counting(layer().without_replay_guard());
    let (sealed, _) = seal(&encoded(&get("https://example.com/")));
    for _ in 0..2 {
        send(gateway.clone(), outer(sealed.clone())).await;
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}
