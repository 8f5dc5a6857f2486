//! Content that comes in pieces, and goes out as the same memory.

use benches::{Race, Report};
use bytes::{Bytes, BytesMut};
use criterion::Criterion;
use oblivious_bhttp::{DecodeOptions, Decoder, Encoder, Event, RequestHead};

const PIECE: usize = 16 << 10;
const PIECES: u32 = 1024;

pub(crate) fn race(criterion: &mut Criterion, report: &mut Report) {
    let pieces: Vec<_> = (0..PIECES).map(|_| Bytes::from(vec![b'x'; PIECE])).collect();
    let known = before_content(Encoder::known_length(u64::from(PIECES) * PIECE as u64), true);
    let (known_name, open_name) = ("known length", "indeterminate length");
    let open = before_content(Encoder::indeterminate_length(), false);
    let chunk = chunk_length();
    Race::new("push 16 MiB in pieces of 16 KiB: time per push")
        .units(PIECES)
        .contender(known_name, || push(&known, None, &pieces))
        .contender(open_name, || push(&open, Some(&chunk), &pieces))
        .at_most_ns(known_name, 200.0)
        .at_most_ns(open_name, 200.0)
        .run(criterion, report);
}

/// Decodes the message, each piece a push of its own; before each comes the length of its chunk.
fn push(head: &Bytes, chunk_length: Option<&Bytes>, pieces: &[Bytes]) -> usize {
    let mut options = DecodeOptions::default();
    options.limits.content = Some(u64::MAX);
    let mut decoder = Decoder::for_request(&options);
    decoder.push(head.clone());
    assert!(matches!(decoder.next_event(), Ok(Some(Event::Request(_)))));
    let mut same = 0;
    for piece in pieces {
        if let Some(length) = chunk_length {
            decoder.push(length.clone());
        }
        decoder.push(piece.clone());
        match decoder.next_event() {
            // Not only equal: the same memory.
            Ok(Some(Event::Content(content))) => {
                assert_eq!((content.as_ptr(), content.len()), (piece.as_ptr(), PIECE));
                same += 1;
            }
            other => panic!("not the content: {other:?}"),
        }
    }
    if chunk_length.is_some() {
        decoder.push(Bytes::from_static(&[0]));
    }
    decoder.finish();
    assert_eq!(decoder.next_event(), Ok(Some(Event::End)));
    assert_eq!(same, pieces.len());
    same
}

/// The bytes of the message up to its content.
fn before_content(mut encoder: Encoder, with_length: bool) -> Bytes {
    let mut out = BytesMut::new();
    let head = RequestHead::new("POST", "https", "www.example.com", "/upload");
    encoder.request(&head, &mut out).unwrap();
    let first = out.len();
    encoder.content_prefix(PIECE, &mut out).unwrap();
    if !with_length {
        // The length of a chunk is not wanted yet.
        out.truncate(first);
    }
    out.freeze()
}

/// The length before a chunk of one piece.
fn chunk_length() -> Bytes {
    let length = u32::try_from(PIECE).unwrap() | 0x8000_0000;
    Bytes::copy_from_slice(&length.to_be_bytes())
}
