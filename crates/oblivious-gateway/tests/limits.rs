//! What bounds exchanges in chunks: sizes, times, and how many there are at once.

mod common;

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use common::{
    ask_bytes,
    chunks::{Pipe, Sealing, content, echo, open, piece, pipe, post, post_head, send},
    layer, outer, seal,
};
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use oblivious_bhttp::{DecodeOptions, Padding};
use oblivious_gateway::{GatewayBody, TargetPolicy};
use oblivious_hpke::{ChunkLimits, RequestHeader};
use oblivious_service::{BoxError, Content, Timeout, TokioTimer};
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};

const SECOND: Duration = Duration::from_secs(1);

fn timeout(seconds: u32) -> Timeout {
    Timeout::new(SECOND * seconds, TokioTimer)
}

#[tokio::test]
async fn a_request_over_the_limit_is_a_413_inside() {
    let (mut sealing, pending) = Sealing::start();
    let (sender, body) = pipe();
    sender.send(Ok(sealing.chunk(&post_head()))).unwrap();
    for _ in 0..30 {
        sender.send(Ok(sealing.chunk(&piece(&[0; 60])))).unwrap();
    }
    let gateway = layer().stream_limit(1000).layer(service_fn(echo));
    let response = open(pending, send(gateway, body).await).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

/// A POST that says how long its content is (RFC 9292 §3.1), and the beginning of that content.
fn announcing(length: u64) -> Vec<u8> {
    let mut message = post_head().to_vec();
    message[0] = 0;
    message.extend((length | 3 << 62).to_be_bytes());
    message.extend([b'x'; 10]);
    message
}

#[tokio::test]
async fn content_in_chunks_has_the_limit_of_the_stream_unless_another_was_set() {
    let mut small = DecodeOptions::default();
    small.limits.content = Some(1000);
    let mut lenient = DecodeOptions::default();
    lenient.accept_nonzero_padding = true;
    // The default of 2 GiB first, which the decoder's own default is not to undercut.
    for (layer, limit) in [
        (layer(), 2 << 30),
        (layer().decode_options(lenient), 2 << 30),
        (layer().stream_limit(3 << 30), 3 << 30),
        (layer().decode_options(small), 1000),
        (layer().decode_options(small).stream_limit(3 << 30), 1000),
    ] {
        for (length, status) in
            [(limit, StatusCode::OK), (limit + 1, StatusCode::PAYLOAD_TOO_LARGE)]
        {
            let target = service_fn(|request: Request<GatewayBody>| async move {
                request.into_body().frame().await.unwrap()?;
                Ok::<_, BoxError>(Response::new(Content::default()))
            });
            let (mut sealing, pending) = Sealing::start();
            let (sender, body) = pipe();
            sender.send(Ok(sealing.chunk(&announcing(length)))).unwrap();
            let response = open(pending, send(layer.clone().layer(target), body).await).await;
            assert_eq!(response.status(), status, "{length}");
        }
    }
}

#[tokio::test]
async fn whole_content_over_a_limit_that_was_set_is_a_413_inside() {
    let mut options = DecodeOptions::default();
    options.limits.content = Some(100);
    for (length, status) in [(100, StatusCode::OK), (101, StatusCode::PAYLOAD_TOO_LARGE)] {
        let gateway = layer().decode_options(options).layer(service_fn(echo));
        let message = post(vec![0; length]);
        assert_eq!(ask_bytes(gateway, &message, &Method::POST).await.status(), status);
    }
}

#[tokio::test]
async fn an_answer_over_the_limit_is_broken_off() {
    let target =
        service_fn(|_| async { Ok::<_, BoxError>(Response::new(Content::from(vec![0; 5000]))) });
    for (limit, complete) in [(6000, true), (5000, false)] {
        let (mut sealing, pending) = Sealing::start();
        let body = Content::from(sealing.finish(&post("")));
        let response = send(layer().stream_limit(limit).layer(target), body).await;
        let response = open(pending, response).await;
        assert_eq!(content(response.into_body()).await.is_ok(), complete, "{limit}");
    }
}

/// A chunk that is announced as longer than the limit is refused before any of it has come.
#[tokio::test]
async fn a_chunk_over_the_limit_is_no_chunk() {
    for (limit, length, refused) in
        [(16_384, 16_385, true), (16_384, 16_384, false), (16_385, 16_385, false)]
    {
        let limits = ChunkLimits::default().with_max_chunk_len(limit).unwrap();
        let (mut sealing, _) = Sealing::start();
        let mut begun = sealing.chunk(&post("")).to_vec();
        // Nothing of a request is left but what precedes its first chunk.
        begun.truncate(RequestHeader::LEN + 32);
        begun.extend_from_slice(&(0x8000_0000 | (length + 16_u32)).to_be_bytes());
        begun.extend_from_slice(&[0; 32]);
        let gateway = layer().chunk_limits(limits).layer(service_fn(echo));
        let (sender, body) = pipe();
        sender.send(Ok(begun.into())).unwrap();
        let sending = send(gateway, body);
        let status = tokio::time::timeout(Duration::from_secs(1), sending).await;
        assert_eq!(status.ok().map(|response| response.status().as_u16()), refused.then_some(422));
    }
}

/// RFC 9458 §6.2.3 and §5.2: padding hides a length, and is no reason to answer in clear, or not at
/// all, once the target has acted.
#[tokio::test]
async fn an_answer_longer_than_its_padding_is_an_answer() {
    let target =
        service_fn(|_| async { Ok::<_, BoxError>(Response::new(Content::from(vec![0; 70]))) });
    for (length, padded) in [(1, 76), (64, 128), (200, 200)] {
        let layer = layer().pad_responses(Padding::ToExact(length));
        for (layer, status) in [
            (layer.clone(), StatusCode::OK),
            (layer.targets(TargetPolicy::deny_all()), StatusCode::FORBIDDEN),
        ] {
            let whole = ask_bytes(layer.clone().layer(target), &post(""), &Method::POST).await;
            assert_eq!(whole.status(), status);
            let (mut sealing, pending) = Sealing::start();
            let body = Content::from(sealing.finish(&post("")));
            let response = open(pending, send(layer.clone().layer(target), body).await).await;
            assert_eq!(response.status(), status);
            let _ = content(response.into_body()).await.unwrap();
        }
        let (sealed, pending) = seal(&post(""));
        let gateway = common::layer().pad_responses(Padding::ToExact(length)).layer(target);
        let received = common::send(gateway, outer(sealed)).await;
        assert_eq!(pending.open(received.body).unwrap().len(), padded);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_stands_still_is_a_408() {
    // Before the first chunk it is told in clear.
    let (sender, body) = pipe();
    let gateway = layer().request_timeout(timeout(5)).layer(service_fn(echo));
    assert_eq!(send(gateway, body).await.status(), StatusCode::REQUEST_TIMEOUT);
    drop(sender);

    let (mut sealing, pending) = Sealing::start();
    let (sender, body) = pipe();
    sender.send(Ok(sealing.chunk(&post_head()))).unwrap();
    let gateway = layer().idle_timeout(timeout(5)).layer(service_fn(echo));
    let response = open(pending, send(gateway, body).await).await;
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_slow_is_a_504_and_one_that_stalls_is_broken_off() {
    let stalls = service_fn(|_| async {
        let (sender, body) = pipe();
        sender.send(Ok(Bytes::from("some"))).unwrap();
        // Kept open forever.
        std::mem::forget(sender);
        Ok::<_, BoxError>(Response::new(body))
    });
    let hangs = service_fn(|_| std::future::pending::<Result<Response<Pipe>, BoxError>>());
    let get = || {
        let (mut sealing, pending) = Sealing::start();
        (Content::from(sealing.finish(&post(""))), pending)
    };
    for layer in [layer().target_timeout(timeout(9)), layer().exchange_timeout(timeout(9))] {
        let (body, pending) = get();
        let response = open(pending, send(layer.layer(hangs), body).await).await;
        assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    }
    for layer in [layer().idle_timeout(timeout(9)), layer().exchange_timeout(timeout(9))] {
        let (body, pending) = get();
        let response = open(pending, send(layer.layer(stalls), body).await).await;
        let began = Instant::now();
        assert!(content(response.into_body()).await.is_err());
        assert_eq!(began.elapsed(), 9 * SECOND);
    }
}

/// A body that never ends and never lets wait.
struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; 20_000])))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_always_has_more_is_broken_off_in_time() {
    let target = service_fn(|_| async { Ok::<_, BoxError>(Response::new(Endless)) });
    let (mut sealing, pending) = Sealing::start();
    let body = Content::from(sealing.finish(&post("")));
    let began = Instant::now();
    let gateway = layer().exchange_timeout(timeout(9)).layer(target);
    let mut answer = open(pending, send(gateway, body).await).await.into_body();
    while answer.frame().await.unwrap().is_ok() {
        assert!(began.elapsed() < 10 * SECOND, "it goes on");
        tokio::time::advance(SECOND / 4).await;
    }
    assert!(began.elapsed() >= 9 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_first_chunk_that_drips_is_a_408_in_time() {
    let (mut sealing, _) = Sealing::start();
    let chunk = sealing.chunk(&post_head());
    let (sender, body) = pipe();
    let dripping = tokio::spawn(async move {
        for byte in chunk {
            sender.send(Ok(Bytes::from(vec![byte]))).unwrap();
            tokio::time::sleep(SECOND).await;
        }
    });
    let began = Instant::now();
    let gateway = layer().exchange_timeout(timeout(9)).idle_timeout(timeout(2));
    let response = send(gateway.layer(service_fn(echo)), body).await;
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(began.elapsed(), 9 * SECOND);
    dripping.abort();
}

/// RFC 9110 §9.3.2
#[tokio::test(start_paused = true)]
async fn an_exchange_that_is_late_gets_head_no_content() {
    let hangs = service_fn(|_| std::future::pending::<Result<Response<Pipe>, BoxError>>());
    let message = post("").freeze();
    let head = [&message[..1], &piece(b"HEAD"), &message[6..]].concat();
    for layer in [layer().target_timeout(timeout(9)), layer().exchange_timeout(timeout(9))] {
        let (mut sealing, pending) = Sealing::start();
        let body = Content::from(sealing.finish(&head));
        let response = open(pending, send(layer.layer(hangs), body).await).await;
        assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
        assert!(content(response.into_body()).await.unwrap().data.is_empty());
    }
}

/// Sends the head of a POST, then content in `pieces` at intervals of 5 seconds, then the end.
fn upload(mut sealing: Sealing, pieces: u32) -> Pipe {
    let (sender, body) = pipe();
    sender.send(Ok(sealing.chunk(&post_head()))).unwrap();
    tokio::spawn(async move {
        for _ in 0..pieces {
            tokio::time::sleep(5 * SECOND).await;
            // A target that is given up lets go of the body.
            let _ = sender.send(Ok(sealing.chunk(&piece(b"some"))));
        }
        let _ = sender.send(Ok(sealing.finish(&[0, 0])));
    });
    body
}

#[tokio::test(start_paused = true)]
async fn a_target_is_not_late_while_the_request_arrives() {
    let (sealing, pending) = Sealing::start();
    let gateway = layer().target_timeout(timeout(9)).layer(service_fn(echo));
    let response = open(pending, send(gateway, upload(sealing, 10)).await).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(content(response.into_body()).await.unwrap().data, "some".repeat(10));
}

#[tokio::test(start_paused = true)]
async fn a_target_is_late_when_it_stops_reading_or_has_read_it_all() {
    // Ten pieces and the end, after 50 seconds; or three of the pieces, after 15.
    for (reads, late) in [(11, 59), (3, 24)] {
        let target = service_fn(move |request: Request<GatewayBody>| async move {
            let mut body = request.into_body();
            for _ in 0..reads {
                body.frame().await;
            }
            std::future::pending::<Result<Response<Content>, BoxError>>().await
        });
        let (sealing, pending) = Sealing::start();
        let began = Instant::now();
        let gateway = layer().target_timeout(timeout(9)).layer(target);
        let response = open(pending, send(gateway, upload(sealing, 10)).await).await;
        assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(began.elapsed(), late * SECOND);
    }
}

#[tokio::test]
async fn an_exchange_in_chunks_takes_a_place_until_its_answer_is_over() {
    let gateway = layer().concurrency_limit(1).layer(service_fn(echo));
    let get = || {
        let (mut sealing, pending) = Sealing::start();
        (Content::from(sealing.finish(&post("x"))), pending)
    };
    let (body, pending) = get();
    let first = send(gateway.clone(), body).await;
    let refused = send(gateway.clone(), get().0).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "1");
    let whole = outer(seal(b"x").0);
    let refused = gateway.clone().oneshot(whole).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);

    let answer = open(pending, first).await;
    let _ = content(answer.into_body()).await.unwrap();
    assert_eq!(send(gateway.clone(), get().0).await.status(), StatusCode::OK);
    // A client that goes away frees its place too: the last response was dropped unread.
    assert_eq!(send(gateway, get().0).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_whole_exchange_takes_a_place_until_its_answer_is_sent() {
    let gateway = layer().concurrency_limit(1).layer(service_fn(echo));
    let whole = async || gateway.clone().oneshot(outer(seal(b"x").0)).await.unwrap();
    let mut first = whole().await;
    assert_eq!(first.status(), StatusCode::OK);
    assert_eq!(whole().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    // What a server has taken to send it is not yet sent.
    let sending = first.body_mut().frame().await.unwrap().unwrap();
    assert!(first.body().is_end_stream());
    drop(first);
    assert_eq!(whole().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(sending);
    // A client that goes away frees its place too.
    assert_eq!(whole().await.status(), StatusCode::OK);
    assert_eq!(whole().await.status(), StatusCode::OK);
    // What gets no answer takes no place.
    let refused = async || gateway.clone().oneshot(outer(vec![0; 100])).await.unwrap();
    let _first = refused().await;
    assert_eq!(refused().await.status(), StatusCode::UNPROCESSABLE_ENTITY);
}
