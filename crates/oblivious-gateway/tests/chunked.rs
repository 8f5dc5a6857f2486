//! Exchanges in chunks (draft-ietf-ohai-chunked-ohttp): both messages stream, and neither ends as
//! if it were complete when it is not.

mod common;

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering},
    task::{Context, Waker},
};

use bytes::{Bytes, BytesMut};
use common::{
    chunks::{Opening, Sealing, Sender, content, echo, open, piece, pipe, post, post_head, send},
    gateway_without_target, layer,
};
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};
use oblivious_bhttp::{EncodeOptions, EncodedBody, Framing, Padding};
use oblivious_gateway::{
    GatewayBody, GatewayKeys, GatewayLayer, InformationalSender, TargetPolicy,
};
use oblivious_hpke::KeyRing;
use oblivious_service::{BoxError, Content, Live, collect};
use tokio::sync::oneshot;
use tower::{Layer, service_fn};

/// draft-ietf-ohai-chunked-ohttp §3: what comes in chunks is answered in chunks.
#[tokio::test]
async fn content_and_trailers_pass_however_the_request_is_divided() {
    let text: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
    let message = post(text.clone());
    for (chunk, frame) in [(1 << 20, 1 << 20), (16384, 1000), (7777, 16384), (100, 1 << 20)] {
        let (mut sealing, pending) = Sealing::start();
        let mut sealed = BytesMut::new();
        for data in message.chunks(chunk) {
            sealed.extend_from_slice(&sealing.chunk(data));
        }
        sealed.extend_from_slice(&sealing.finish(b""));
        let (sender, body) = pipe();
        for frame in sealed.chunks(frame) {
            sender.send(Ok(Bytes::copy_from_slice(frame))).unwrap();
        }
        drop(sender);
        let response = send(layer().layer(service_fn(echo)), body).await;
        let response = open(pending, response).await;
        let content = content(response.into_body()).await.unwrap();
        assert!(content.data == text, "{chunk} {frame}");
        assert_eq!(content.trailers.unwrap()["x-length"], "100000");
    }
}

#[tokio::test]
async fn the_answer_can_begin_and_end_while_the_request_goes_on() {
    let (sender, body) = pipe();
    let (mut sealing, pending) = Sealing::start();
    // Sends back what it gets, piece by piece.
    let target = service_fn(|request: Request<GatewayBody>| async move {
        Ok::<_, BoxError>(Response::new(request.into_body()))
    });
    sender.send(Ok(sealing.chunk(&post_head()))).unwrap();
    let response = open(pending, send(layer().layer(target), body).await).await;
    let mut answer = response.into_body();
    for data in [&b"one"[..], b"two"] {
        sender.send(Ok(sealing.chunk(&piece(data)))).unwrap();
        let frame = answer.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), data);
    }
    sender.send(Ok(sealing.finish(&[0, 0]))).unwrap();
    drop(sender);
    assert!(answer.frame().await.is_none());
}

/// RFC 9292 §3.5.1: they are of use only ahead of the answer.
#[tokio::test]
async fn informational_responses_arrive_before_the_final_one() {
    let (go_on, wait) = oneshot::channel::<()>();
    let wait = std::sync::Arc::new(std::sync::Mutex::new(Some(wait)));
    let target = service_fn(move |request: Request<GatewayBody>| {
        let wait = wait.lock().unwrap().take().unwrap();
        async move {
            let sender = request.extensions().get::<InformationalSender>().unwrap();
            let hints = Response::builder().status(103).header("connection", "link, x-hop");
            let hints = hints.header("x-hop", "1").header("x-hint", "</style.css>");
            sender.send(hints.body(()).unwrap());
            wait.await.unwrap();
            sender.send(Response::builder().status(102).body(()).unwrap());
            Ok::<_, BoxError>(Response::new(Content::from("done")))
        }
    });
    let (mut sealing, pending) = Sealing::start();
    let body = Content::from(sealing.finish(&post("")));
    let response = send(layer().layer(target), body).await;
    let mut reading = Opening::new(pending, response.into_body()).response(&Method::POST);
    let early = poll_fn(|cx| reading.poll_informational(cx)).await.unwrap().unwrap();
    assert_eq!(early.status(), StatusCode::EARLY_HINTS);
    assert_eq!(early.headers()["x-hint"], "</style.css>");
    assert!(!early.headers().contains_key("x-hop"), "it concerned a connection");
    go_on.send(()).unwrap();
    let second = poll_fn(|cx| reading.poll_informational(cx)).await.unwrap().unwrap();
    assert_eq!(second.status(), StatusCode::PROCESSING);
    let response = reading.await.unwrap();
    assert_eq!(content(response.into_body()).await.unwrap().data, "done");
}

/// RFC 9458 §5.3 and §6.4: whole or in chunks, what does not decrypt gets one and the same answer.
#[tokio::test]
async fn a_first_chunk_that_does_not_open_is_refused_like_any_failed_decryption() {
    let (whole, _) = common::seal(b"x");
    let mut damaged = whole.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let expected = common::send(gateway_without_target(), common::outer(damaged)).await;
    assert_eq!(expected.status, StatusCode::UNPROCESSABLE_ENTITY);

    let sealed = |change: &dyn Fn(&mut Vec<u8>)| {
        let (mut sealing, _) = Sealing::start();
        let mut sealed = [sealing.chunk(b"first"), sealing.finish(b"")].concat();
        change(&mut sealed);
        sealed
    };
    type Change<'a> = &'a dyn Fn(&mut Vec<u8>);
    let changes: [Change<'_>; 7] = [
        &|sealed| sealed[0] ^= 1, // key id
        &|sealed| sealed[6] = 2,  // AEAD
        // KEM; it has a longer `enc`.
        &|sealed| {
            sealed[2] = 0x10;
            sealed.resize(100, 0);
        },
        &|sealed| sealed[7..39].fill(0), // a point of low order
        &|sealed| sealed[45] ^= 1,       // ciphertext
        &|sealed| sealed.truncate(60),   // cut within the first chunk
        &|sealed| sealed.truncate(55),   // cut to where it could end if it were shorter
    ];
    for (number, change) in changes.iter().enumerate() {
        let response = send(gateway_without_target(), Content::from(sealed(change))).await;
        let (parts, body) = response.into_parts();
        assert_eq!(parts.status, expected.status, "{number}");
        assert_eq!(parts.headers, expected.headers, "{number}");
        assert_eq!(collect(body, 1000).await.unwrap().data, expected.body, "{number}");
    }
}

/// RFC 9458 §5.2: a 400, whatever there is of it. The shortest request has a header, `enc` and a
/// tag; as for whole messages, what is shorter says nothing of keys.
#[tokio::test]
async fn a_request_shorter_than_its_structure_is_a_400() {
    type Change = fn(&mut [u8]);
    let changes: [Change; 5] = [
        |_| {},
        |sealed| sealed[0] ^= 1,        // key id
        |sealed| sealed[7..39].fill(0), // a point of low order
        |sealed| sealed[39] = 1,        // a chunk that no tag fits in
        |sealed| sealed[39] = 0xc0,     // one that is too long
    ];
    let gateway = gateway_without_target();
    for (number, change) in changes.iter().enumerate() {
        let (mut sealing, _) = Sealing::start();
        let mut sealed = sealing.chunk(b"first").to_vec();
        change(&mut sealed);
        for length in 0..=7 + 32 + 16 {
            let cut = Content::from(sealed[..length].to_vec());
            let response = send(gateway.clone(), cut).await;
            let status = if length < 7 + 32 + 16 { 400 } else { 422 };
            assert_eq!(response.status(), status, "{number} {length}");
        }
    }
}

/// RFC 9458 §6.4 and §6.6: a sender that is slow does not keep a key alive.
#[tokio::test]
async fn a_key_that_is_withdrawn_while_a_request_arrives_is_gone() {
    // Cut within `enc`, and within the first chunk, which is opened by what was made of the key.
    for (cut, status) in [(30, StatusCode::UNPROCESSABLE_ENTITY), (60, StatusCode::OK)] {
        let keys = Live::new(GatewayKeys::from(common::ring()));
        let ours = Arc::downgrade(&keys.current());
        let (mut sealing, _) = Sealing::start();
        let sealed = sealing.chunk(&post_head());
        let (sender, body) = pipe();
        sender.send(Ok(sealed.slice(..cut))).unwrap();
        let gateway = GatewayLayer::new(keys.clone()).layer(service_fn(echo));
        let mut exchange = pin!(send(gateway, body));
        assert!(exchange.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        keys.replace(KeyRing::new().into());
        assert!(ours.upgrade().is_none(), "{cut}: still in memory");
        sender.send(Ok(sealed.slice(cut..))).unwrap();
        assert_eq!(exchange.await.status(), status, "{cut}");
    }
}

/// draft-ietf-ohai-chunked-ohttp §7.1. A fault found elsewhere: a stream that is cut off, or has a
/// chunk that does not open, passed for complete.
#[tokio::test]
async fn the_target_never_takes_a_part_of_a_request_for_all_of_it() {
    let (mut sealing, _) = Sealing::start();
    let message = post("some content");
    let (first, second) = message.split_at(40);
    let chunks = [sealing.chunk(first), sealing.chunk(second), sealing.finish(b"")];
    drop(sealing);
    let whole = chunks.concat();
    let after_first = chunks[0].len();
    for length in after_first..whole.len() {
        // The answer cannot be opened: its context is that of another sealing, so look at the
        // target instead.
        let (note, noted) = oneshot::channel();
        let note = std::sync::Arc::new(std::sync::Mutex::new(Some(note)));
        let target = service_fn(move |request: Request<GatewayBody>| {
            let note = note.lock().unwrap().take().unwrap();
            async move {
                let outcome = collect(request.into_body(), 1000).await.map(|_| ());
                let failed = outcome.is_err();
                note.send(failed).unwrap();
                outcome?;
                Ok::<_, BoxError>(Response::new(Content::default()))
            }
        });
        let body = Content::from(whole[..length].to_vec());
        let response = send(layer().layer(target), body).await;
        assert_eq!(response.status(), StatusCode::OK);
        let _ = collect(response.into_body(), 10_000).await.unwrap();
        // Not called at all is right as well: the head may be in what is missing.
        assert_ne!(noted.await, Ok(false), "{length} of {}", whole.len());
    }
}

#[tokio::test]
async fn a_request_that_breaks_off_is_a_400_inside() {
    type Break<'a> = &'a dyn Fn(&Sender, &mut Sealing);
    let broken: [Break<'_>; 3] = [
        &|sender, _| sender.send(Err("connection reset".into())).unwrap(),
        &|_, _| {},
        &|sender, sealing| {
            let mut chunk = sealing.chunk(b"more").to_vec();
            chunk[3] ^= 1;
            sender.send(Ok(chunk.into())).unwrap();
        },
    ];
    for breaks in broken {
        let (mut sealing, pending) = Sealing::start();
        let (sender, body) = pipe();
        sender.send(Ok(sealing.chunk(&post_head()))).unwrap();
        breaks(&sender, &mut sealing);
        drop(sender);
        let response = open(pending, send(layer().layer(service_fn(echo)), body).await).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    }
}

/// draft-ietf-ohai-chunked-ohttp §7.1: an answer that breaks off has no final chunk, so the client cannot take it for complete.
#[tokio::test]
async fn an_answer_that_breaks_off_is_broken_off() {
    let (sender, body) = pipe();
    let body = std::sync::Arc::new(std::sync::Mutex::new(Some(body)));
    let target = service_fn(move |_| {
        let body = body.lock().unwrap().take().unwrap();
        async { Ok::<_, BoxError>(Response::new(body)) }
    });
    let (mut sealing, pending) = Sealing::start();
    let body = Content::from(sealing.finish(&post("")));
    sender.send(Ok(Bytes::from("half of"))).unwrap();
    let response = open(pending, send(layer().layer(target), body).await).await;
    let mut answer = response.into_body();
    assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "half of");
    sender.send(Err("reset by 10.0.0.1".into())).unwrap();
    let error = content(answer).await.unwrap_err();
    assert!(error.contains("TargetFailed"), "{error}");
    assert!(!error.contains("10.0.0.1"), "{error}");
}

struct Frames(std::collections::VecDeque<Result<Frame<Bytes>, BoxError>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        std::task::Poll::Ready(self.0.pop_front())
    }
}

/// Back-pressure: who does not read is not sent more, in both directions.
#[tokio::test]
async fn nothing_is_read_ahead() {
    let (answer_sender, answer_body) = pipe();
    let answer_taken = answer_body.taken.clone();
    let answer_body = std::sync::Arc::new(std::sync::Mutex::new(Some(answer_body)));
    let (bodies, mut received) = tokio::sync::mpsc::unbounded_channel();
    let target = service_fn(move |request: Request<GatewayBody>| {
        bodies.send(request.into_body()).unwrap();
        let body = answer_body.lock().unwrap().take().unwrap();
        async { Ok::<_, BoxError>(Response::new(body)) }
    });
    let (sender, body) = pipe();
    let taken = body.taken.clone();
    let (mut sealing, pending) = Sealing::start();
    sender.send(Ok(sealing.chunk(&post_head()))).unwrap();
    for _ in 0..100 {
        sender.send(Ok(sealing.chunk(&piece(b"upwards")))).unwrap();
        answer_sender.send(Ok(Bytes::from(vec![0; 16384]))).unwrap();
    }
    let response = open(pending, send(layer().layer(target), body).await).await;
    let mut up = received.recv().await.unwrap();
    let mut down = response.into_body();
    assert!(taken.load(Ordering::Relaxed) <= 2, "before the target reads");
    assert!(answer_taken.load(Ordering::Relaxed) <= 2, "before the client reads");
    for round in 1..=50 {
        up.frame().await.unwrap().unwrap();
        assert!(taken.load(Ordering::Relaxed) <= round + 2);
        down.frame().await.unwrap().unwrap();
        assert!(answer_taken.load(Ordering::Relaxed) <= round + 2);
    }
}

/// RFC 9110 §9.3.2
#[tokio::test]
async fn head_gets_the_header_alone() {
    let target = service_fn(|_| async {
        let response = Response::builder().header("content-length", "7");
        Ok::<_, BoxError>(response.body(Content::from("content"))?)
    });
    let request = Request::head("https://example.com/").body(Empty::<Bytes>::new()).unwrap();
    let options = EncodeOptions::default().with_framing(Framing::IndeterminateLength);
    let encoded = EncodedBody::from_request(request, &options);
    let message = encoded.unwrap().collect().await.unwrap().to_bytes();
    let (mut sealing, pending) = Sealing::start();
    let response = send(layer().layer(target), Content::from(sealing.finish(&message))).await;
    let opening = Opening::new(pending, response.into_body());
    let response = opening.response(&Method::HEAD).await.unwrap();
    assert_eq!(response.headers()["content-length"], "7");
    assert!(content(response.into_body()).await.unwrap().data.is_empty());

    let (mut sealing, pending) = Sealing::start();
    let refused = Content::from(sealing.finish(&message));
    let response = send(layer().targets(TargetPolicy::deny_all()).layer(target), refused).await;
    let opening = Opening::new(pending, response.into_body());
    let response = opening.response(&Method::HEAD).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(content(response.into_body()).await.unwrap().data.is_empty());
}

#[tokio::test]
async fn chunks_can_be_switched_off() {
    let gateway: GatewayLayer = layer().without_chunked();
    let (mut sealing, _) = Sealing::start();
    let body = Content::from(sealing.finish(&post("")));
    let response = send(gateway.layer(service_fn(echo)), body).await;
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

/// RFC 9458 §6.2.3
#[tokio::test]
async fn padded_answers_have_the_same_length() {
    let length = |text: &'static str| async move {
        let target =
            service_fn(
                move |_| async move { Ok::<_, BoxError>(Response::new(Content::from(text))) },
            );
        let (mut sealing, pending) = Sealing::start();
        let body = Content::from(sealing.finish(&post("")));
        let gateway = layer().pad_responses(Padding::ToMultiple(512)).layer(target);
        let response = send(gateway, body).await;
        let sealed = response.into_body().collect().await.unwrap().to_bytes();
        let whole = Frames([Ok(Frame::data(sealed.clone()))].into());
        let opened = Opening::new(pending, whole).response(&Method::POST).await.unwrap();
        assert_eq!(content(opened.into_body()).await.unwrap().data, text);
        sealed.len()
    };
    assert_eq!(length("yes").await, length("no, and here is a long explanation").await);
}
