//! Messages as bodies, read and written while they come in.

#![cfg(feature = "http")]

mod common;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::{Bytes, BytesMut};
use common::*;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use oblivious_bhttp::{
    Content, ConvertError, DecodeError, DecodeOptions, Decoder, EncodableRequest,
    EncodableResponse, EncodeError, EncodeOptions, EncodedBody, Framing, Informational, Padding,
    Part, ReadError, Request, Response, ResponseEncoder, WriteError, decode_response, read_request,
    read_response,
};
use proptest::prelude::*;

/// A body that gives what it was told to, and `Pending` in between.
#[derive(Debug, Default)]
struct Script {
    steps: VecDeque<Step>,
    length: Option<u64>,
    polls: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    /// Pending, with a wake-up on its way.
    Later,
    Fail,
}

#[derive(Debug, PartialEq, Eq)]
struct Failed;

impl Body for Script {
    type Data = Bytes;
    type Error = Failed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failed>>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        match self.steps.pop_front() {
            Some(Step::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Step::Trailers(map)) => Poll::Ready(Some(Ok(Frame::trailers(map)))),
            Some(Step::Later) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Step::Fail) => Poll::Ready(Some(Err(Failed))),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn script(steps: impl IntoIterator<Item = Step>) -> Script {
    Script { steps: steps.into_iter().collect(), ..Script::default() }
}

/// The bytes in pieces of this size, each of them late.
fn dribble(bytes: &Bytes, size: usize) -> Script {
    let pieces = bytes.chunks(size).map(|piece| bytes.slice_ref(piece));
    script(pieces.flat_map(|piece| [Step::Later, Step::Data(piece)]))
}

/// A waker that knows whether it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls until it is ready; to be pending without having seen to being woken is a failure.
fn run<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut cx = Context::from_waker(&waker);
    loop {
        match poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => assert!(woken.0.swap(0, Ordering::Relaxed) > 0, "nobody wakes it"),
        }
    }
}

fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    run(|cx| future.as_mut().poll(cx))
}

/// All of a body: its data, its trailers, and the error that it ended with.
fn collect<B: Body<Data = Bytes>>(body: B) -> (BytesMut, Option<HeaderMap>, Option<B::Error>) {
    let mut body = pin!(body);
    let (mut data, mut trailers) = (BytesMut::new(), None);
    loop {
        match run(|cx| body.as_mut().poll_frame(cx)) {
            None => {
                assert!(body.is_end_stream());
                return (data, trailers, None);
            }
            Some(Err(error)) => {
                assert!(run(|cx| body.as_mut().poll_frame(cx)).is_none(), "errors are final");
                return (data, trailers, Some(error));
            }
            Some(Ok(frame)) => {
                assert!(trailers.is_none(), "trailers are last");
                match frame.into_data() {
                    Ok(piece) => data.extend(piece),
                    Err(frame) => trailers = frame.into_trailers().ok(),
                }
            }
        }
    }
}

fn trailers() -> HeaderMap {
    let mut map = HeaderMap::new();
    map.insert("c", "d".parse().unwrap());
    map
}

fn options() -> DecodeOptions {
    DecodeOptions::default()
}

/// RFC 9292 §3.1, §3.2: what is written while a body is read, is the message of it.
#[test]
fn bodies_are_written_as_messages() {
    let large = Bytes::from(vec![b'l'; 10_000]);
    let whole = [b"small", &large[..], b"s"].concat();
    for framing in [Framing::KnownLength, Framing::IndeterminateLength] {
        for padding in [Padding::None, Padding::ToMultiple(4096)] {
            for late in [true, false] {
                let mut steps = vec![
                    Step::Data("small".into()),
                    Step::Data(Bytes::new()),
                    Step::Data(large.clone()),
                    Step::Data("s".into()),
                    Step::Trailers(trailers()),
                ];
                if late {
                    steps = steps.into_iter().flat_map(|step| [Step::Later, step]).collect();
                }
                let mut body = script(steps);
                body.length = Some(whole.len() as u64);
                let request = http::Request::post("https://a/b").body(body).unwrap();
                let encoded =
                    EncodedBody::from_request(request, &encode_options(framing, padding.clone()))
                        .unwrap();
                let (message, none, error) = collect(encoded);
                assert!(none.is_none() && error.is_none());
                assert_eq!(padding.padded_len(message.len()), Ok(message.len()));
                let request = Request::decode(message.freeze()).unwrap();
                assert_eq!(request.head.path(), b"/b");
                assert_eq!(request.content, whole);
                assert_eq!(request.trailers, fields([("c", "d")]));
            }
        }
    }
}

/// A large frame goes through as the memory that it is, and one at a time.
#[test]
fn writing_neither_copies_nor_reads_ahead() {
    let large = Bytes::from(vec![0; 16 << 10]);
    let body = script((0..100).map(|_| Step::Data(large.clone())));
    let polls = body.polls.clone();
    let response = http::Response::new(body);
    let encoded = EncodedBody::from_response(
        response,
        &encode_options(Framing::IndeterminateLength, Padding::None),
    )
    .unwrap();
    let mut encoded = pin!(encoded);
    assert_eq!(polls.load(Ordering::Relaxed), 0);
    for read in 1..=100 {
        let mut next =
            || run(|cx| encoded.as_mut().poll_frame(cx)).unwrap().unwrap().into_data().unwrap();
        assert!(next().len() <= 16, "head and length");
        let data = next();
        assert_eq!((data.as_ptr(), data.len()), (large.as_ptr(), large.len()));
        assert_eq!(polls.load(Ordering::Relaxed), read);
    }
}

/// The head does not wait for content that is not there yet.
#[test]
fn the_head_is_written_at_once() {
    let body = script([Step::Later, Step::Data("x".into())]);
    let response = http::Response::new(body);
    let encoded = EncodedBody::from_response(
        response,
        &encode_options(Framing::IndeterminateLength, Padding::None),
    )
    .unwrap();
    let mut encoded = pin!(encoded);
    let first = run(|cx| encoded.as_mut().poll_frame(cx)).unwrap().unwrap();
    // With the end of its empty header section, or its receiver would wait for more of it.
    assert_eq!(first.into_data().unwrap(), [0x03, 0x40, 0xc8, 0x00][..]);
}

/// A body that is not what was said of it breaks the message off.
#[test]
fn writing_fails_with_the_body() {
    let write = |steps: Vec<Step>, length, framing| {
        let mut body = script(steps);
        body.length = length;
        let encoded = EncodedBody::from_response(
            http::Response::new(body),
            &encode_options(framing, Padding::None),
        );
        encoded.map(|encoded| collect(encoded).2)
    };
    let declared = Ok(Some(WriteError::Encode(EncodeError::DeclaredLength)));
    let known = Framing::KnownLength;
    assert_eq!(write(vec![], None, known), Err(EncodeError::UnknownLength));
    assert_eq!(write(vec![], Some(1), known), declared);
    assert_eq!(write(vec![Step::Data("ab".into())], Some(1), known), declared);
    assert_eq!(write(vec![Step::Trailers(trailers())], Some(1), known), declared);
    let steps = vec![Step::Data("ab".into()), Step::Fail];
    let failed = write(steps, None, Framing::IndeterminateLength);
    assert_eq!(failed, Ok(Some(WriteError::Body(Failed))));
}

/// RFC 9292 §3.5.1: informational responses come with the head.
#[test]
fn responses_are_written_with_what_came_before() {
    let mut early = http::Response::new(());
    *early.status_mut() = http::StatusCode::EARLY_HINTS;
    let mut response = http::Response::new(Content::from("x"));
    response.extensions_mut().insert(Informational(vec![early]));
    let encoded =
        EncodedBody::from_response(response, &encode_options(Framing::KnownLength, Padding::None))
            .unwrap();
    let response = Response::decode(collect(encoded).0.freeze(), "GET").unwrap();
    assert_eq!(response.informational[0].status, 103);
    assert_eq!(response.content, "x");

    let mut response = http::Response::new(Content::default());
    *response.status_mut() = http::StatusCode::CONTINUE;
    let error =
        EncodedBody::from_response(response, &encode_options(Framing::KnownLength, Padding::None));
    assert_eq!(error.unwrap_err(), EncodeError::Status);
}

/// The messages of RFC 9292 §5, however they come in.
#[test]
fn messages_are_read_as_bodies() {
    for size in [1, 2, 7, 1000] {
        for message in [REQUEST_KNOWN, REQUEST_INDETERMINATE] {
            let body = dribble(&Bytes::from_static(message), size);
            let request = wait(read_request(body, &options())).unwrap();
            assert_eq!(request.uri(), "https://www.example.com/hello.txt");
            assert_eq!(request.headers().len(), 2);
            let (data, none, error) = collect(request.into_body());
            assert!(data.is_empty() && none.is_none() && error.is_none());
        }
        let body = dribble(&Bytes::from_static(RESPONSE_INFORMATIONAL), size);
        let response = wait(read_response(body, &http::Method::GET, &options())).unwrap();
        let Informational(informational) = response.extensions().get().unwrap();
        assert_eq!(informational.len(), 2);
        assert_eq!(response.body().size_hint().exact(), Some(51));
        let (data, none, error) = collect(response.into_body());
        assert_eq!(data.len(), 51);
        assert!(none.is_none() && error.is_none());

        let body = dribble(&Bytes::from_static(RESPONSE_TRAILER), size);
        let response = wait(read_response(body, &http::Method::GET, &options())).unwrap();
        assert!(response.extensions().get::<Informational>().is_none());
        let (data, trailers, error) = collect(response.into_body());
        assert_eq!(data, "This content contains CRLF.\r\n");
        assert_eq!(trailers.unwrap()["trailer"], "text");
        assert!(error.is_none());
    }
}

/// Informational responses can be taken as they come in.
#[test]
fn informational_responses_do_not_wait() {
    let message = Bytes::from_static(RESPONSE_INFORMATIONAL);
    let mut reading = read_response(dribble(&message, 5), &http::Method::GET, &options());
    let first = run(|cx| reading.poll_informational(cx)).unwrap().unwrap();
    assert_eq!(first.status(), 102);
    let response = wait(&mut reading).unwrap();
    let Informational(rest) = response.extensions().get().unwrap();
    assert_eq!(rest.len(), 1);
    assert!(run(|cx| reading.poll_informational(cx)).is_none());
}

/// Nothing is read before it is asked for, and pieces come out as the memory that went in.
#[test]
fn reading_neither_copies_nor_reads_ahead() {
    let large = Bytes::from(vec![0; 16 << 10]);
    let head = Step::Data(Bytes::from_static(b"\x01\x40\xc8\0\x80\x19\0\0"));
    let body = script([head].into_iter().chain((0..100).map(|_| Step::Data(large.clone()))));
    let polls = body.polls.clone();
    let reading = read_response(body, &http::Method::GET, &options());
    assert_eq!(polls.load(Ordering::Relaxed), 0);
    let mut body = pin!(wait(reading).unwrap().into_body());
    assert_eq!(polls.load(Ordering::Relaxed), 1);
    for read in 0..100 {
        let frame = run(|cx| body.as_mut().poll_frame(cx)).unwrap().unwrap();
        let data = frame.into_data().unwrap();
        assert_eq!((data.as_ptr(), data.len()), (large.as_ptr(), large.len()));
        assert_eq!(polls.load(Ordering::Relaxed), 2 + read);
        assert_eq!(body.size_hint().exact(), Some((99 - read as u64) * (16 << 10)));
    }
    assert!(!body.is_end_stream());
    assert!(run(|cx| body.as_mut().poll_frame(cx)).is_none());
    assert!(body.is_end_stream());
}

/// RFC 9292 §4: a message that is cut off, or turns out to be invalid, never ends cleanly.
#[test]
fn reading_fails_with_the_message() {
    let truncated = |part| Some(ReadError::Message(DecodeError::Truncated(part).into()));
    let read = |message: &'static [u8], last: Option<Step>| {
        let body = script([Step::Data(Bytes::from_static(message))].into_iter().chain(last));
        match wait(read_response(body, &http::Method::GET, &options())) {
            Ok(response) => {
                let (_, trailers, error) = collect(response.into_body());
                assert!(trailers.is_none(), "trailers wait for the end");
                error
            }
            Err(error) => Some(error),
        }
    };
    assert_eq!(read(b"\x01\x40\xc8", None), None);
    assert_eq!(read(b"\x01\x40", None), truncated(Part::ControlData));
    assert_eq!(read(b"\x01\x40\xc8\0\x05abc", None), truncated(Part::Content));
    assert_eq!(read(b"\x03\x40\xc8\0\x03abc", None), truncated(Part::Content));
    assert_eq!(read(b"\x01\x40\xc8\0\x03abc", Some(Step::Fail)), Some(ReadError::Body(Failed)));
    assert_eq!(read(b"\x01\x40", Some(Step::Fail)), Some(ReadError::Body(Failed)));
    let padding = Some(ReadError::Message(DecodeError::NonZeroPadding.into()));
    assert_eq!(read(b"\x01\x40\xc8\0\0\x04\x01a\x01b\0\x01", None), padding);
    let pseudo = Some(ReadError::Message(ConvertError::PseudoField));
    assert_eq!(read(b"\x01\x40\xc8\x04\x02:a\0", None), pseudo);
    // Trailers of the transport are not those of the message.
    assert_eq!(read(b"\x01\x40\xc8", Some(Step::Trailers(trailers()))), None);
}

/// What is decrypted must not get into a log by way of `Debug`.
#[test]
fn debug_shows_nothing_of_a_message() {
    let secret = "the-secret";
    let mut hints = http::Response::builder().status(103).body(()).unwrap();
    hints.headers_mut().insert("x-hint", secret.parse().unwrap());
    let response = http::Response::builder()
        .header("x-field", secret)
        .extension(Informational(vec![hints]))
        .body(Content::from(secret))
        .unwrap();
    let options = EncodeOptions::default();
    let request = http::Request::get(format!("https://{secret}/")).body(Content::default());
    let mut encoded = Box::pin(EncodedBody::from_response(response.clone(), &options).unwrap());
    let before = format!("{encoded:?}");
    let message = run(|cx| encoded.as_mut().poll_frame(cx)).unwrap().unwrap().into_data().unwrap();
    let mut decoder = Decoder::for_response("GET", &DecodeOptions::default());
    decoder.push(message.clone());
    let mut events = Vec::new();
    while let Some(event) = decoder.next_event().unwrap() {
        events.push(event);
    }
    let mut reading = read_response(
        Content::new(message.slice(..message.len() - 3)),
        &http::Method::GET,
        &DecodeOptions::default(),
    );
    let polled = run(|cx| reading.poll_informational(cx));
    assert!(events.len() > 2 && polled.unwrap().is_ok());
    let shown = [
        before,
        format!("{encoded:?} {decoder:?} {events:?} {reading:?}"),
        format!("{:?}", EncodableRequest::new(request.unwrap(), &options).unwrap()),
        format!("{:?}", EncodableResponse::new(response.clone(), &options).unwrap()),
        format!("{:?} {:?}", response.extensions().get::<Informational>(), response.body()),
    ];
    for text in shown {
        assert!(!text.contains(secret), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Read from a message that is written from a body: the same body.
    #[test]
    fn bodies_come_back_as_they_were(
        content in any_content(), with_trailers: bool, encoding in any_encode_options(),
        size in 1..50_usize,
    ) {
        let trailers = with_trailers.then(trailers);
        let body = Content { data: content.clone(), trailers: trailers.clone() };
        let request = http::Request::post("https://a/").body(body).unwrap();
        let (message, _, error) =
            collect::<EncodedBody<Content>>(EncodedBody::from_request(request, &encoding).unwrap());
        prop_assert_eq!(error, None::<WriteError<Infallible>>);
        let request = wait(read_request(dribble(&message.freeze(), size), &options())).unwrap();
        let (data, again, error) = collect(request.into_body());
        prop_assert_eq!(data, content);
        prop_assert_eq!(again, trailers);
        prop_assert_eq!(error, None);
    }
}

/// RFC 9292 §3.5.1: informational responses go out before the final one is known, and what was
/// refused leaves no trace.
#[test]
fn a_response_can_begin_with_its_informational_ones() {
    let mut encoder = ResponseEncoder::new();
    let mut out = BytesMut::new();
    let hints = http::Response::builder().status(103).header("link", "</a.css>").body(()).unwrap();
    encoder.informational(&hints, &mut out).unwrap();
    let length = out.len();
    let refused = encoder.informational(&http::Response::new(()), &mut out);
    assert_eq!(refused, Err(EncodeError::Status));
    assert_eq!(out.len(), length);

    let invalid = http::Response::builder().status(999).body(Content::default()).unwrap();
    let (encoder, error) = encoder.response(invalid, Padding::None).unwrap_err();
    assert_eq!(error, EncodeError::Status);

    let response = http::Response::builder().status(201).body(Content::from("made")).unwrap();
    let body = encoder.response(response, Padding::None).unwrap();
    out.extend_from_slice(&collect(body).0);
    let options = DecodeOptions::default();
    let decoded = decode_response(out.freeze(), &http::Method::GET, &options).unwrap();
    assert_eq!(decoded.status(), 201);
    assert_eq!(decoded.body().data, "made");
    let informational = &decoded.extensions().get::<Informational>().unwrap().0;
    assert_eq!(informational[0].headers()["link"], "</a.css>");
}
