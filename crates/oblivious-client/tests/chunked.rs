//! Exchanges in chunks (draft-ietf-ohai-chunked-ohttp): both messages stream.

mod common;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use oblivious_bhttp::{Content, Informational};
use oblivious_client::{ClientError, OnInformational, OuterBody};
use oblivious_gateway::{GatewayBody, GatewayKeys, GatewayLayer, InformationalSender, Origin};
use oblivious_service::{BoxError, Clock, Problem};
use tokio::sync::oneshot;
use tower::{Layer, Service, ServiceExt, service_fn};

use common::{
    FixedClock, get, layer, ring,
    streams::{asking, collected, data, fed, next, next_text, post, trailers},
    whole,
};

/// Answers with what it was sent, header, content and trailers.
async fn echo(request: Request<GatewayBody>) -> Result<Response<GatewayBody>, BoxError> {
    let (parts, body) = request.into_parts();
    let mut response = Response::new(body);
    let path = HeaderValue::from_str(&parts.uri.to_string())?;
    response.headers_mut().insert("x-target", path);
    Ok(response)
}

#[tokio::test]
async fn content_and_trailers_pass_both_ways() {
    let (feed, body) = fed();
    let asking = tokio::spawn(asking(layer(), service_fn(echo)).oneshot(post(body)));
    let long = "x".repeat(100_000);
    let parts = [data("one "), Ok(Frame::data(long.clone().into())), trailers("x-sum", "12")];
    tokio::spawn(async move {
        for part in parts {
            feed.send(part).await.unwrap();
        }
    });
    let response = whole(asking.await.unwrap().unwrap()).await;
    assert_eq!(response.headers()["x-target"], "https://example.com/x");
    assert_eq!(response.body().data, format!("one {long}"));
    assert_eq!(response.body().trailers.as_ref().unwrap()["x-sum"], "12");
}

/// Neither waits for the end of anything: what is sent comes back while more is to come.
#[tokio::test]
async fn the_response_begins_before_the_request_has_ended() {
    let (feed, body) = fed();
    let asking = tokio::spawn(asking(layer(), service_fn(echo)).oneshot(post(body)));
    feed.send(data("one")).await.unwrap();
    let mut answer = asking.await.unwrap().unwrap().into_body();
    assert_eq!(next_text(&mut answer).await, "one");
    for text in ["two", "three"] {
        feed.send(data(text)).await.unwrap();
        assert_eq!(next_text(&mut answer).await, text);
    }
    assert!(!answer.is_end_stream());
    drop(feed);
    assert!(next(&mut answer).await.is_none());
}

/// RFC 9292 §3.5.1: as they come, while the target still thinks.
#[tokio::test]
async fn informational_responses_come_before_the_answer_is_known() {
    let (decided, decision) = oneshot::channel::<()>();
    let decision = Arc::new(Mutex::new(Some(decision)));
    let target = service_fn(move |request: Request<GatewayBody>| {
        let early = request.extensions().get::<InformationalSender>().unwrap().clone();
        let decision = decision.lock().unwrap().take();
        async move {
            early.send(Response::builder().status(103).header("link", "<a>").body(()).unwrap());
            decision.expect("one request").await?;
            Ok::<_, BoxError>(Response::new(Content::from("done")))
        }
    });
    let (told, tell) = oneshot::channel();
    let told = Mutex::new(Some(told));
    let mut request = get("https://example.com/");
    request.extensions_mut().insert(OnInformational::new(move |early| {
        let told = told.lock().unwrap().take().expect("one of them");
        told.send(early.headers()["link"].clone()).unwrap();
    }));
    let asking = tokio::spawn(asking(layer(), target).oneshot(request));
    assert_eq!(tell.await.unwrap(), "<a>");
    decided.send(()).unwrap();
    let response = asking.await.unwrap().unwrap();
    assert!(response.extensions().get::<Informational>().is_none());
    assert_eq!(whole(response).await.body().data, "done");
}

/// Without anybody who takes them, they come with the answer.
#[tokio::test]
async fn informational_responses_are_not_lost() {
    let target = service_fn(|request: Request<GatewayBody>| async move {
        let early = request.extensions().get::<InformationalSender>().unwrap();
        early.send(Response::builder().status(103).body(()).unwrap());
        Ok::<_, BoxError>(Response::new(Content::default()))
    });
    let response = asking(layer(), target).oneshot(get("https://example.com/")).await.unwrap();
    assert_eq!(response.extensions().get::<Informational>().unwrap().0[0].status(), 103);
}

/// RFC 9458 §5, draft-ietf-ohai-chunked-ohttp §3: one content type, and nothing of the request.
#[tokio::test]
async fn the_outer_request_says_that_it_is_in_chunks_and_nothing_more() {
    let relay = service_fn(|outer: Request<OuterBody>| async move {
        let fields: Vec<_> =
            outer.headers().iter().map(|(name, value)| (name.as_str(), value)).collect();
        let expected = ["message/ohttp-chunked-req", "?1"].map(HeaderValue::from_static);
        assert_eq!(fields, [("content-type", &expected[0]), ("incremental", &expected[1])]);
        assert!(outer.extensions().is_empty());
        assert_eq!(outer.body().size_hint().exact(), None);
        Err::<Response<Content>, BoxError>("that will do".into())
    });
    let mut request = get("https://example.com/");
    request.extensions_mut().insert("for this process only");
    let error = layer().in_chunks().layer(relay).oneshot(request).await.unwrap_err();
    assert!(matches!(error, ClientError::Relay(_)), "{error:?}");
}

/// draft-ietf-ohai-chunked-ohttp §3: none falls back to the other form.
#[tokio::test]
async fn an_answer_in_the_other_form_is_none() {
    for (kind, chunked) in [("message/ohttp-res", true), ("message/ohttp-chunked-res", false)] {
        let relay = service_fn(move |_: Request<OuterBody>| async move {
            let response = Response::builder().header("content-type", kind);
            Ok::<_, BoxError>(response.body(Content::from("x")).unwrap())
        });
        let layer = if chunked { layer().in_chunks() } else { layer() };
        let error = layer.layer(relay).oneshot(get("https://example.com/")).await.unwrap_err();
        assert!(matches!(error, ClientError::NotEncapsulated { .. }), "{error:?}");
    }
}

/// A body without end that counts how much of it was read.
fn endless(read: Arc<AtomicUsize>) -> impl Body<Data = Bytes, Error = BoxError> + Send + Unpin {
    StreamBody::new(Box::pin(stream::repeat_with(move || {
        read.fetch_add(1, Ordering::Relaxed);
        Ok(Frame::data(Bytes::from_static(&[b'x'; 16_384])))
    })))
}

/// Lets every task do what it can.
async fn settle() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_endless_request_waits_for_a_target_that_does_not_read() {
    let read = Arc::new(AtomicUsize::new(0));
    let (asked, is_asked) = oneshot::channel();
    let asked = Arc::new(Mutex::new(Some(asked)));
    let target = service_fn(move |request: Request<GatewayBody>| {
        let asked = asked.lock().unwrap().take().unwrap();
        async move {
            asked.send(()).unwrap();
            std::future::pending::<()>().await;
            drop(request);
            Ok::<_, BoxError>(Response::new(Content::default()))
        }
    });
    let asking = tokio::spawn(asking(layer(), target).oneshot(post(endless(Arc::clone(&read)))));
    is_asked.await.unwrap();
    settle().await;
    let read = read.load(Ordering::Relaxed);
    assert!(read < 16, "{read} chunks are held");
    asking.abort();
}

#[tokio::test]
async fn an_endless_response_waits_for_who_reads_it() {
    let read = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&read);
    let target = service_fn(move |_: Request<GatewayBody>| {
        let body = endless(Arc::clone(&counter));
        async move { Ok::<_, BoxError>(Response::new(body)) }
    });
    let response = asking(layer(), target).oneshot(get("https://example.com/")).await.unwrap();
    settle().await;
    assert!(read.load(Ordering::Relaxed) < 16, "{read:?} chunks are held");
    // What is read makes room for as much, over any length.
    let mut body = response.into_body();
    let mut taken = 0;
    while taken < 8 << 20 {
        taken += next(&mut body).await.unwrap().unwrap().into_data().unwrap().len();
    }
    assert!(read.load(Ordering::Relaxed) * 16_384 < taken + (1 << 20));
}

/// A witness that something is dropped.
struct Held(Option<oneshot::Sender<()>>);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.take().unwrap().send(());
    }
}

fn held() -> (Held, oneshot::Receiver<()>) {
    let (sender, receiver) = oneshot::channel();
    (Held(Some(sender)), receiver)
}

#[tokio::test]
async fn dropping_the_future_ends_the_exchange() {
    let (held, is_dropped) = held();
    let held = Arc::new(Mutex::new(Some(held)));
    let relay = service_fn(move |_: Request<OuterBody>| {
        let held = held.lock().unwrap().take();
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok::<_, BoxError>(Response::new(Content::default()))
        }
    });
    let mut asking = layer().in_chunks().layer(relay).oneshot(get("https://example.com/"));
    let polled = futures_util::poll!(&mut asking);
    assert!(matches!(polled, Poll::Pending));
    drop(asking);
    is_dropped.await.unwrap();
}

#[tokio::test]
async fn dropping_the_body_ends_the_exchange() {
    let (held, mut is_dropped) = held();
    let held = Arc::new(Mutex::new(Some(held)));
    let target = service_fn(move |_: Request<GatewayBody>| {
        let held = held.lock().unwrap().take();
        let body = stream::unfold(held, |held| async {
            Some((Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"x"))), held))
        });
        async { Ok::<_, BoxError>(Response::new(StreamBody::new(Box::pin(body)))) }
    });
    let response = asking(layer(), target).oneshot(get("https://example.com/")).await.unwrap();
    let mut body = response.into_body();
    next(&mut body).await.unwrap().unwrap();
    assert!(is_dropped.try_recv().is_err());
    drop(body);
    is_dropped.await.unwrap();
}

/// A transport that sends the request by itself, as HTTP/2 does, whatever becomes of the response.
fn detached(request: Request<OuterBody>) -> Request<impl Body<Data = Bytes, Error = BoxError>> {
    let (parts, mut body) = request.into_parts();
    let (feed, fed) = fed();
    tokio::spawn(async move {
        while let Some(frame) = next(&mut body).await {
            let is_over = frame.is_err();
            // There may be nobody any more who takes it.
            let _ = feed.send(frame).await;
            if is_over {
                break;
            }
        }
    });
    Request::from_parts(parts, fed)
}

/// RFC 9458 §6.5: what nobody waits for does not go on.
#[tokio::test(start_paused = true)]
async fn an_upload_ends_with_the_exchange() {
    let gateway = GatewayLayer::new(GatewayKeys::from(ring(1)))
        .targets("https://example.com".parse::<Origin>().unwrap())
        .layer(service_fn(echo));
    let relay = service_fn(move |outer| gateway.clone().oneshot(detached(outer)));
    let client = layer().in_chunks().layer(relay);

    let (feed, body) = fed();
    feed.send(data("one")).await.unwrap();
    let mut answer = client.oneshot(post(body)).await.unwrap().into_body();
    assert_eq!(next_text(&mut answer).await, "one");
    drop(answer);
    tokio::time::timeout(Duration::from_secs(60), feed.closed())
        .await
        .expect("the body is dropped");

    // Before there is an answer, the same.
    let relay = service_fn(|outer| {
        let _detached = detached(outer);
        std::future::pending::<Result<Response<Content>, BoxError>>()
    });
    let (feed, body) = fed();
    let mut asking = layer().in_chunks().layer(relay).oneshot(post(body));
    assert!(futures_util::poll!(&mut asking).is_pending());
    feed.send(data("one")).await.unwrap();
    settle().await;
    assert!(!feed.is_closed());
    drop(asking);
    tokio::time::timeout(Duration::from_secs(60), feed.closed())
        .await
        .expect("the body is dropped");
}

/// An answer that is complete leaves the rest of the request to the transport, and so to whoever
/// takes it.
#[tokio::test(start_paused = true)]
async fn an_upload_may_outlast_a_complete_answer() {
    let gateway = GatewayLayer::new(GatewayKeys::from(ring(1)))
        .targets("https://example.com".parse::<Origin>().unwrap())
        .layer(service_fn(|_: Request<GatewayBody>| async {
            Ok::<_, BoxError>(Response::new(Content::from("enough")))
        }));
    let relay = service_fn(move |outer| gateway.clone().oneshot(detached(outer)));
    let client = layer().in_chunks().layer(relay);
    let (feed, body) = fed();
    let response = whole(client.oneshot(post(body)).await.unwrap()).await;
    assert_eq!(response.body().data, "enough");
    feed.send(data("more")).await.unwrap();
    settle().await;
    assert!(!feed.is_closed());
}

/// What happens to the caller's own body is told as that.
#[tokio::test]
async fn a_request_that_fails_is_not_the_relay_s_fault() {
    let (feed, body) = fed();
    let asking = tokio::spawn(asking(layer(), service_fn(collected)).oneshot(post(body)));
    feed.send(data("half of it")).await.unwrap();
    feed.send(Err("disk error".into())).await.unwrap();
    let error = asking.await.unwrap().unwrap_err();
    let ClientError::RequestBody(error) = error else { panic!("{error:?}") };
    assert_eq!(error.to_string(), "disk error");

    let mut request = post(Content::from("four"));
    request.headers_mut().insert("content-length", HeaderValue::from_static("5"));
    let error = self::asking(layer(), service_fn(collected)).oneshot(request).await.unwrap_err();
    assert!(matches!(error, ClientError::InvalidRequest(_)), "{error:?}");
}

/// Mon, 07 Feb 2022 00:28:05 GMT, by the gateway's clock.
struct GatewayClock;

impl Clock for GatewayClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_644_193_685)
    }
}

/// RFC 9458 §6.5.2: once more with the gateway's date, if there is no content that has gone.
#[tokio::test]
async fn a_refused_date_is_corrected_if_there_is_no_content() {
    let dates = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&dates);
    let target = service_fn(move |request: Request<GatewayBody>| {
        noted.lock().unwrap().push(request.headers()["date"].clone());
        async { Ok::<_, BoxError>(Response::new(Content::from("done"))) }
    });
    let gateway = GatewayLayer::new(GatewayKeys::from(ring(1)))
        .clock(GatewayClock)
        .targets("https://example.com".parse::<Origin>().unwrap())
        .layer(target);
    let client = layer().clock(FixedClock).in_chunks().layer(gateway);

    let response = client.clone().oneshot(get("https://example.com/")).await.unwrap();
    assert_eq!(whole(response).await.body().data, "done");
    assert_eq!(*dates.lock().unwrap(), ["Mon, 07 Feb 2022 00:28:05 GMT"]);
    let response = client.oneshot(post(Content::from("once"))).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(Problem::parse(&whole(response).await.body().data), Some(Problem::Date));
    assert_eq!(dates.lock().unwrap().len(), 1);
}

/// An error of the target that is long comes whole, though its start was looked at.
#[tokio::test]
async fn a_long_error_is_not_cut() {
    let target = service_fn(|_: Request<GatewayBody>| async {
        let mut response = Response::new(Content::from("x".repeat(100_000)));
        *response.status_mut() = StatusCode::NOT_FOUND;
        Ok::<_, BoxError>(response)
    });
    let response = asking(layer(), target).oneshot(get("https://example.com/")).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes().len(), 100_000);
}

/// RFC 9110 §9.3.2
#[tokio::test]
async fn the_answer_to_head_may_announce_content() {
    let target = service_fn(|_: Request<GatewayBody>| async {
        let response = Response::builder().header("content-length", "1000");
        Ok::<_, BoxError>(response.body(Content::default())?)
    });
    let head = Request::head("https://example.com/").body(Content::default()).unwrap();
    let response = asking(layer(), target).oneshot(head).await.unwrap();
    assert_eq!(response.headers()["content-length"], "1000");
    assert_eq!(whole(response).await.body().data, "");
}

/// The futures and bodies can go to other threads.
#[test]
fn it_can_be_spawned() {
    fn is_send<T: Send>(_: &T) {}
    let relay = service_fn(|_: Request<OuterBody>| async {
        Ok::<_, BoxError>(Response::new(Content::default()))
    });
    let mut client = layer().in_chunks().layer(relay);
    is_send(&client.call(get("https://example.com/")));
}
