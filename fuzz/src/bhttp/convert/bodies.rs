//! The same conversion while the bytes come in, or go out.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Response};
use http_body::{Body, Frame};
use oblivious_bhttp::{
    Content, ConvertError, DecodeOptions, EncodeOptions, EncodedBody, Framing, Informational,
    MessageBody, Padding, ReadError, ResponseEncoder, read_request, read_response,
};

use super::super::case::Case;
use super::message::Http;

/// Reading a message that comes in pieces gives what converting it at once does, errors too.
pub(super) fn check_read(case: &Case, at_once: &Result<Http, ConvertError>) {
    let read = read(case, Pieces::of(&case.message, case.knob));
    match (read, at_once) {
        (Ok(read), Ok(at_once)) => assert_eq!(read.parts(), at_once.parts()),
        (Err(ReadError::Message(read)), Err(at_once)) => assert_eq!(read, *at_once),
        (read, at_once) => panic!("{read:?}, but at once {at_once:?}"),
    }
}

/// Writing a message from a body gives one that says the same.
pub(super) fn check_written(case: &Case, message: &Http, framing: Framing, at_once: &Bytes) {
    // The options may be tighter than the message is in another framing.
    let read = |bytes| Http::decode(case, bytes, &DecodeOptions::default());
    let bytes = match message {
        Http::Request(request) => {
            let body = EncodedBody::from_request(
                request.clone(),
                &EncodeOptions::default().with_framing(framing),
            )
            .unwrap();
            collect(body).unwrap().data
        }
        Http::Response(response) => {
            let one_by_one = read(write_one_by_one(response)).unwrap();
            assert_eq!(one_by_one.parts(), read(at_once.clone()).unwrap().parts());
            let body = EncodedBody::from_response(
                response.clone(),
                &EncodeOptions::default().with_framing(framing),
            )
            .unwrap();
            collect(body).unwrap().data
        }
    };
    assert_eq!(read(bytes).unwrap().parts(), read(at_once.clone()).unwrap().parts());
}

/// The informational responses first, before the final one with its body is there.
fn write_one_by_one(response: &Response<Content>) -> Bytes {
    let mut encoder = ResponseEncoder::new();
    let mut out = BytesMut::new();
    let informational = response.extensions().get::<Informational>();
    for one in informational.iter().flat_map(|informational| &informational.0) {
        encoder.informational(one, &mut out).unwrap();
    }
    let response = response.clone().map(|body| Waiting { body, waited: false });
    let body = encoder.response(response, Padding::None).unwrap();
    out.extend_from_slice(&collect(body).unwrap().data);
    out.freeze()
}

fn read(case: &Case, body: Waiting<Pieces>) -> Result<Http, ReadError<Infallible>> {
    if case.is_request() {
        let request = wait(read_request(body, &case.options))?;
        let (head, body) = request.into_parts();
        return Ok(Http::Request(http::Request::from_parts(head, collect_checked(body)?)));
    }
    let method = Method::from_bytes(case.request_method().as_bytes()).unwrap();
    let response = wait(read_response(body, &method, &case.options))?;
    let (head, body) = response.into_parts();
    Ok(Http::Response(http::Response::from_parts(head, collect_checked(body)?)))
}

/// Reads a body to its end; its size hint must have been right.
fn collect_checked(body: MessageBody<Waiting<Pieces>>) -> Result<Content, ReadError<Infallible>> {
    let hint = body.size_hint();
    let content = collect(body)?;
    let length = content.data.len() as u64;
    assert!(hint.lower() <= length && hint.upper().is_none_or(|upper| length <= upper));
    Ok(content)
}

fn collect<B: Body<Data = Bytes>>(body: B) -> Result<Content, B::Error> {
    let mut body = pin!(body);
    let mut data = BytesMut::new();
    let mut trailers = None;
    while let Some(frame) = wait(std::future::poll_fn(|cx| body.as_mut().poll_frame(cx))) {
        assert!(trailers.is_none(), "trailers come last");
        match frame?.into_data() {
            Ok(piece) => data.extend_from_slice(&piece),
            Err(frame) => {
                trailers = Some(frame.into_trailers().unwrap_or_else(|_| HeaderMap::new()))
            }
        }
    }
    assert!(body.is_end_stream());
    Ok(Content { data: data.freeze(), trailers })
}

/// Polls until it is ready.
fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}

/// A body whose frames come one at a time.
#[derive(Debug)]
struct Pieces(VecDeque<Bytes>);

impl Pieces {
    fn of(message: &Bytes, knob: u16) -> Waiting<Self> {
        let size = usize::from(knob % 100) + 1;
        let starts = (0..message.len()).step_by(size);
        let piece = |start| message.slice(start..message.len().min(start + size));
        Waiting { body: Self(starts.map(piece).collect()), waited: false }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

/// A body with a wait before each frame.
#[derive(Debug)]
struct Waiting<B> {
    body: B,
    waited: bool,
}

impl<B: Body + Unpin> Body for Waiting<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.waited = !self.waited;
        if self.waited {
            return Poll::Pending;
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }
}
