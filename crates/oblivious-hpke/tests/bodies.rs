//! Messages in chunks as HTTP bodies.

#![cfg(feature = "http-body")]

mod common;

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use common::{KEY_ID, NOW, recipient, ring, suites};
use futures::executor::block_on;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use oblivious_hpke::{
    ChunkError, ChunkLimits, ChunkOpener, ChunkSealer, OpeningBody, OpeningError, SealingBody,
    SealingError,
};

/// A body that does as it is told.
#[derive(Default)]
struct Script(VecDeque<Step>);

enum Step {
    Data(&'static [u8]),
    Pending,
    Failure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failure;

impl Script {
    fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self(steps.into_iter().collect())
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        Poll::Ready(match self.0.pop_front() {
            Some(Step::Data(data)) => Some(Ok(Frame::data(data.into()))),
            Some(Step::Failure) => Some(Err(Failure)),
            Some(Step::Pending) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            None => None,
        })
    }
}

/// What seals a request, its prefix, and the ring that opens it.
fn start() -> (BytesMut, ChunkSealer) {
    let list = ring().config_list().unwrap();
    let mut prefix = BytesMut::new();
    let recipient = recipient(&list, suites()[0]);
    let (sealer, _) = recipient.start_chunked(&mut prefix, &ChunkLimits::default()).unwrap();
    (prefix, sealer)
}

/// What opens a request, of which the ring has taken the start.
fn opener(received: &mut BytesMut) -> ChunkOpener {
    let limits = ChunkLimits::default();
    let (opener, reply) = ring().at(NOW).decapsulate_chunked(received, &limits).unwrap().unwrap();
    assert_eq!(reply.header().key_id, KEY_ID);
    opener
}

fn next<B: Body + Unpin>(body: &mut B) -> Poll<Option<Result<B::Data, B::Error>>> {
    let mut cx = Context::from_waker(Waker::noop());
    Pin::new(body).poll_frame(&mut cx).map_ok(|frame| frame.into_data().ok().unwrap())
}

#[test]
fn what_is_sealed_opens() {
    let (prefix, sealer) = start();
    let script = Script::new([Step::Data(b"a "), Step::Pending, Step::Data(b"message")]);
    let sealed = block_on(SealingBody::new(prefix, sealer, script).collect()).unwrap().to_bytes();
    let mut sealed = BytesMut::from(&sealed[..]);
    let opener = opener(&mut sealed);
    let opened = OpeningBody::new(Script::default(), opener);
    assert_eq!(block_on(opened.collect()).unwrap().to_bytes(), "a message");
}

/// draft-ietf-ohai-chunked-ohttp §6: a message without its final chunk was cut off.
#[test]
fn a_message_that_is_cut_off_is_an_error() {
    let (mut sealed, mut sealer) = start();
    sealer.seal(b"a message", &mut sealed).unwrap();
    let mut opened = OpeningBody::new(Script::default(), opener(&mut sealed));
    assert_eq!(next(&mut opened), Poll::Ready(Some(Ok(Bytes::from("a message")))));
    assert!(!opened.is_end_stream());
    let cut_off = Err(OpeningError::Chunk(ChunkError::Truncated));
    assert_eq!(next(&mut opened), Poll::Ready(Some(cut_off)));
    assert!(opened.is_end_stream());
    assert_eq!(next(&mut opened), Poll::Ready(None));
}

#[test]
fn a_body_that_fails_while_it_is_opened_is_an_error() {
    let (mut sealed, _) = start();
    let mut opened = OpeningBody::new(Script::new([Step::Failure]), opener(&mut sealed));
    assert_eq!(block_on(opened.open_next()), Err(OpeningError::Body(Failure)));
    assert_eq!(next(&mut opened), Poll::Ready(None));
}

#[test]
fn the_first_chunk_is_kept_to_be_read() {
    let (mut sealed, sealer) = start();
    sealer.finish(b"a message", &mut sealed).unwrap();
    let mut opened = OpeningBody::new(Script::default(), opener(&mut sealed));
    block_on(opened.open_next()).unwrap();
    assert!(!opened.is_end_stream());
    assert_eq!(next(&mut opened), Poll::Ready(Some(Ok(Bytes::from("a message")))));
    assert!(opened.is_end_stream());
    assert_eq!(next(&mut opened), Poll::Ready(None));
}

/// The prefix waits for a chunk; a chunk waits for nothing.
#[test]
fn what_is_ready_goes_out_at_once() {
    let (prefix, sealer) = start();
    let prefix_len = prefix.len();
    let script = [Step::Pending, Step::Data(b"a"), Step::Pending, Step::Data(b"b")];
    let mut sealing = SealingBody::new(prefix, sealer, Script::new(script));
    assert_eq!(next(&mut sealing), Poll::Pending);
    let Poll::Ready(Some(Ok(first))) = next(&mut sealing) else { panic!() };
    assert_eq!(first.len(), prefix_len + 1 + 1 + 16);
    let Poll::Ready(Some(Ok(rest))) = next(&mut sealing) else { panic!() };
    // A chunk, and the final one, of which nobody could know before.
    assert_eq!(rest.len(), (1 + 1 + 16) + (1 + 16));
    assert!(sealing.is_end_stream());
    assert_eq!(next(&mut sealing), Poll::Ready(None));
}

#[test]
fn plaintext_that_breaks_off_leaves_a_message_without_an_end() {
    let (prefix, sealer) = start();
    let script = Script::new([Step::Data(b"a message"), Step::Failure]);
    let mut sealing = SealingBody::new(prefix, sealer, script);
    let Poll::Ready(Some(Ok(sealed))) = next(&mut sealing) else { panic!() };
    assert_eq!(next(&mut sealing), Poll::Ready(Some(Err(SealingError::Body(Failure)))));
    assert_eq!(next(&mut sealing), Poll::Ready(None));

    let mut sealed = BytesMut::from(&sealed[..]);
    let mut opened = OpeningBody::new(Script::default(), opener(&mut sealed));
    assert_eq!(next(&mut opened), Poll::Ready(Some(Ok(Bytes::from("a message")))));
    assert!(matches!(next(&mut opened), Poll::Ready(Some(Err(_)))));
}

/// However much is ready, about one chunk is sealed before some of it is taken.
#[test]
fn nothing_is_read_ahead() {
    let (prefix, sealer) = start();
    let piece: &'static [u8] = &[7; 10_000];
    let script = Script::new((0..100).map(|_| Step::Data(piece)));
    let mut sealing = SealingBody::new(prefix, sealer, script);
    let Poll::Ready(Some(Ok(sealed))) = next(&mut sealing) else { panic!() };
    assert!(sealed.len() < 2 * ChunkSealer::MAX_CHUNK_LEN, "{}", sealed.len());
}
