//! Relays that do what they should not.

mod common;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use oblivious_bhttp::Content;
use oblivious_client::{ClientBodyError, ClientError, ClientLayer, OuterBody};
use oblivious_hpke::{ChunkError, ChunkLimits, OpenError, UnixSeconds};
use oblivious_service::{BoxError, Timeout, TokioTimer, collect};
use tower::{Layer, Service, ServiceExt, service_fn};

use common::{client, get, layer, open, outer_response, ring, sealed};

/// A client in chunks whose relay makes a body of what was asked.
async fn asked<F>(layer: ClientLayer, answer: F) -> Outcome
where
    F: Fn(BytesMut) -> Vec<Bytes> + Clone + Send + 'static,
{
    let relay = service_fn(move |outer: Request<OuterBody>| {
        let answer = answer.clone();
        async move {
            let request = collect(outer.into_body(), usize::MAX).await?.data;
            let frames =
                answer(request.into()).into_iter().map(|data| Ok::<_, BoxError>(Frame::data(data)));
            let response = Response::builder().header("content-type", "message/ohttp-chunked-res");
            Ok::<_, BoxError>(response.body(StreamBody::new(stream::iter(frames)))?)
        }
    });
    outcome(layer.in_chunks().layer(relay)).await
}

/// What became of a request: its content, or where it failed.
#[derive(Debug)]
enum Outcome {
    Content(Bytes),
    /// Before there was a response.
    Failed(ClientError),
    /// After so many bytes of content.
    BrokeOff(usize, ClientBodyError),
}

async fn outcome<S, R>(client: oblivious_client::Client<S>) -> Outcome
where
    S: Service<Request<OuterBody>, Response = Response<R>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + 'static,
    R: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let mut body = match client.oneshot(get("https://example.com/")).await {
        Ok(response) => response.into_body(),
        Err(error) => return Outcome::Failed(error),
    };
    let mut content = BytesMut::new();
    while let Some(frame) = common::streams::next(&mut body).await {
        match frame {
            Ok(frame) => content.extend_from_slice(&frame.into_data().unwrap()),
            Err(error) => return Outcome::BrokeOff(content.len(), error),
        }
    }
    Outcome::Content(content.freeze())
}

/// A response of indeterminate length: status 200, and content in two parts.
const PARTS: [&[u8]; 2] = [b"\x03\x40\xc8\x00\x03abc", b"\x03def\x00\x00"];

/// The answer of a gateway that behaves, in two chunks and a final one.
fn answer(mut request: BytesMut) -> Bytes {
    let limits = ChunkLimits::default();
    let (_, reply) =
        ring(1).at(UnixSeconds::EPOCH).decapsulate_chunked(&mut request, &limits).unwrap().unwrap();
    let mut out = BytesMut::new();
    let mut sealer = reply.start(&mut out, &limits).unwrap();
    for part in PARTS {
        sealer.seal(part, &mut out).unwrap();
    }
    sealer.finish(b"", &mut out).unwrap();
    out.freeze()
}

#[tokio::test]
async fn an_answer_opens_however_the_relay_divides_it() {
    for size in [1, 2, 7, 1000] {
        let outcome = asked(layer(), move |request| {
            answer(request).chunks(size).map(Bytes::copy_from_slice).collect()
        });
        let Outcome::Content(content) = outcome.await else { panic!("{size}") };
        assert_eq!(content, "abcdef");
    }
}

/// draft-ietf-ohai-chunked-ohttp §7.1: a stream that is cut off is never taken for a whole one.
#[tokio::test]
async fn a_response_in_chunks_that_is_cut_off_is_an_error_wherever_it_is_cut() {
    let length = {
        let length = Arc::new(AtomicUsize::new(0));
        let noted = Arc::clone(&length);
        asked(layer(), move |request| {
            let answer = answer(request);
            noted.store(answer.len(), Ordering::Relaxed);
            vec![answer]
        })
        .await;
        length.load(Ordering::Relaxed)
    };
    for cut in 0..length {
        let outcome = asked(layer(), move |request| vec![answer(request).slice(..cut)]).await;
        let cut_off = matches!(
            outcome,
            Outcome::Failed(ClientError::OpenChunk(_))
                | Outcome::BrokeOff(_, ClientBodyError::Open(_))
        );
        assert!(cut_off, "{cut}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_response_in_chunks_that_is_altered_is_an_error() {
    for at in [0, 16, 20, 40, 60] {
        let outcome = asked(layer(), move |request| {
            let mut answer = BytesMut::from(&answer(request)[..]);
            answer[at] ^= 1;
            vec![answer.freeze()]
        })
        .await;
        assert!(!matches!(outcome, Outcome::Content(_)), "{at}: {outcome:?}");
    }
    let longer = asked(layer(), |request| vec![answer(request), Bytes::from_static(b"x")]).await;
    assert!(!matches!(longer, Outcome::Content(_)), "{longer:?}");
}

/// The answer to one request is none to another, whole or in chunks.
#[tokio::test]
async fn answers_cannot_be_swapped_or_replayed() {
    let kept = Arc::new(Mutex::new(None));
    let relay = move |outer: Request<Content>| {
        let mut kept = kept.lock().unwrap();
        let first: &mut Option<Bytes> = &mut kept;
        let first = first.get_or_insert_with(|| {
            let (_, reply) = open(outer);
            sealed(reply, &Response::new(Content::from("for the first"))).into_body().data
        });
        outer_response(first.clone())
    };
    let client = client(layer(), relay);
    assert!(client.clone().oneshot(get("https://example.com/")).await.is_ok());
    let error = client.oneshot(get("https://example.com/")).await.unwrap_err();
    assert!(matches!(error, ClientError::Open(OpenError::Failed)), "{error:?}");

    let kept = Arc::new(Mutex::new(None));
    let replay = move |request: BytesMut| {
        let mut kept = kept.lock().unwrap();
        let first: &mut Option<Bytes> = &mut kept;
        vec![first.get_or_insert_with(|| answer(request)).clone()]
    };
    assert!(matches!(asked(layer(), replay.clone()).await, Outcome::Content(_)));
    let outcome = asked(layer(), replay).await;
    let Outcome::Failed(ClientError::OpenChunk(ChunkError::Failed)) = outcome else {
        panic!("{outcome:?}")
    };
}

/// A body that does not end is read no further than it has to be.
#[tokio::test]
async fn an_answer_without_end_has_an_end() {
    for (kind, status, in_chunks) in [
        ("message/ohttp-res", 200, false),
        ("application/problem+json", 422, false),
        ("message/ohttp-chunked-res", 200, true),
        ("application/problem+json", 422, true),
        ("text/html", 200, true),
    ] {
        let read = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&read);
        let relay = service_fn(move |_: Request<OuterBody>| {
            let counter = Arc::clone(&counter);
            let frames = stream::repeat_with(move || {
                let data = Bytes::from_static(&[0x40; 16_384]);
                counter.fetch_add(data.len(), Ordering::Relaxed);
                Ok::<_, BoxError>(Frame::data(data))
            });
            let response = Response::builder().status(status).header("content-type", kind);
            let response = response.body(StreamBody::new(Box::pin(frames))).unwrap();
            async { Ok::<_, BoxError>(response) }
        });
        let layer = layer().response_limit(1 << 20);
        let layer = if in_chunks { layer.in_chunks() } else { layer };
        let outcome = outcome(layer.layer(relay)).await;
        assert!(matches!(outcome, Outcome::Failed(_)), "{kind}: {outcome:?}");
        assert!(read.load(Ordering::Relaxed) < 2 << 20, "{kind}");
    }
}

/// Claims of length cost nothing.
#[tokio::test]
async fn a_chunk_that_claims_to_be_long_is_refused_at_once() {
    for claim in [&b"\x80\x01\x00\x00"[..], b"\xff\xff\xff\xff\xff\xff\xff\xff", b"\x41\x00"] {
        let outcome = asked(layer(), move |request| {
            let nonce = answer(request).slice(..16);
            vec![nonce, Bytes::from_static(claim), Bytes::from_static(&[0; 1000])]
        })
        .await;
        let refused = matches!(outcome, Outcome::Failed(ClientError::OpenChunk(_)));
        assert!(refused, "{claim:?}: {outcome:?}");
    }
}

/// One byte now and then does not hold a client up for ever.
#[tokio::test(start_paused = true)]
async fn a_slow_relay_is_given_up() {
    let second = Duration::from_secs(1);
    for in_chunks in [false, true] {
        let relay = service_fn(move |_: Request<OuterBody>| {
            let frames = stream::unfold((), move |()| async move {
                tokio::time::sleep(second).await;
                Some((Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"\x40"))), ()))
            });
            let kind = if in_chunks { "message/ohttp-chunked-res" } else { "message/ohttp-res" };
            let response = Response::builder().header("content-type", kind);
            let response = response.body(StreamBody::new(Box::pin(frames))).unwrap();
            async { Ok::<_, BoxError>(response) }
        });
        let layer = layer().timeout(Timeout::new(10 * second, TokioTimer));
        let layer = if in_chunks { layer.in_chunks() } else { layer };
        let start = tokio::time::Instant::now();
        let outcome = outcome(layer.layer(relay)).await;
        assert!(matches!(outcome, Outcome::Failed(ClientError::TimedOut)), "{outcome:?}");
        assert_eq!(start.elapsed(), 10 * second);
    }
}

/// RFC 9458 §6.5: the date problem in clear is the relay's word, and leads to nothing.
#[tokio::test]
async fn a_date_problem_outside_the_encapsulation_repeats_nothing() {
    use oblivious_service::Problem;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let client = client(layer().clock(common::FixedClock), move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        let mut response = Problem::Date.into_response();
        let date = "Mon, 07 Feb 2022 00:28:05 GMT".parse().unwrap();
        response.headers_mut().insert("date", date);
        response
    });
    let error = client.oneshot(get("https://example.com/")).await.unwrap_err();
    assert!(matches!(error, ClientError::NotEncapsulated { .. }));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// What the gateway seals can be wrong as well: it ends in an error, in its place.
#[tokio::test]
async fn nonsense_in_chunks_is_an_error_where_it_begins() {
    let nonsense = |parts: &'static [&'static [u8]]| {
        move |mut request: BytesMut| {
            let limits = ChunkLimits::default();
            let (_, reply) = ring(1)
                .at(UnixSeconds::EPOCH)
                .decapsulate_chunked(&mut request, &limits)
                .unwrap()
                .unwrap();
            let mut out = BytesMut::new();
            let mut sealer = reply.start(&mut out, &limits).unwrap();
            for part in parts {
                sealer.seal(part, &mut out).unwrap();
            }
            sealer.finish(b"", &mut out).unwrap();
            vec![out.freeze()]
        }
    };
    let outcome = asked(layer(), nonsense(&[b"no binary HTTP"])).await;
    assert!(matches!(outcome, Outcome::Failed(ClientError::InvalidResponse(_))), "{outcome:?}");
    let outcome = asked(layer(), nonsense(&[b"\x03\x40\xc8\x00\x03abc\x09"])).await;
    assert!(matches!(outcome, Outcome::BrokeOff(3, ClientBodyError::Invalid(_))), "{outcome:?}");
    let outcome = asked(layer(), nonsense(&[b""])).await;
    assert!(matches!(outcome, Outcome::Failed(ClientError::InvalidResponse(_))), "{outcome:?}");
}
