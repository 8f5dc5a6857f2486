//! What holds for any message.

mod common;

use bytes::{Bytes, BytesMut};
use common::*;
use oblivious_bhttp::{
    DecodeError, DecodeOptions, Decoder, Encoder, Event, Framing, Padding, Request, Response,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn any_decoder() -> Decoder {
    Decoder::for_any(&DecodeOptions::default())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn requests_decode_to_what_was_encoded(
        request in any_request(), options in any_encode_options(),
    ) {
        let message = request.encode(&options).unwrap();
        prop_assert_eq!(Request::decode(message), Ok(request));
    }

    #[test]
    fn responses_decode_to_what_was_encoded(
        response in any_response(), options in any_encode_options(),
    ) {
        let message = response.encode(&options).unwrap();
        prop_assert_eq!(Response::decode(message, "GET"), Ok(response));
    }

    /// Any division into pushes gives the same events as one push.
    #[test]
    fn divisions_make_no_difference(message in any_message(), cuts in vec(any::<usize>(), 0..20)) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (message.len() + 1)).collect();
        cuts.push(message.len());
        cuts.sort_unstable();
        let mut start = 0;
        let pieces = cuts.iter().map(|&end| &message[std::mem::replace(&mut start, end)..end]);
        let divided = events(any_decoder(), pieces);
        prop_assert_eq!(divided.1, Ok(()));
        prop_assert_eq!(&divided, &whole(&message));
        prop_assert_eq!(&events(any_decoder(), message.chunks(1)), &divided);
    }

    /// Several pushes before the first pull are as good.
    #[test]
    fn pieces_may_be_pushed_all_at_once(message in any_message(), size in 1..100_usize) {
        let mut decoder = any_decoder();
        message.chunks(size).for_each(|piece| decoder.push(Bytes::copy_from_slice(piece)));
        decoder.finish();
        let mut content = Vec::new();
        let mut others = Vec::new();
        while let Some(event) = decoder.next_event().unwrap() {
            match event {
                Event::Content(piece) => content.extend(piece),
                other => others.push(other),
            }
        }
        let (mut expected, _) = whole(&message);
        expected.retain(|event| match event {
            Event::Content(piece) => {
                assert_eq!(piece, &content);
                false
            }
            _ => true,
        });
        prop_assert_eq!(others, expected);
    }

    /// A message that is cut off is an error, or one of the ends that RFC 9292 §3.8 allows: then
    /// padding it with zeros changes nothing.
    #[test]
    fn truncations_are_errors_or_empty_parts(message in any_message(), cut in any::<usize>()) {
        let cut = &message[..cut % (message.len() + 1)];
        let (cut_events, result) = whole(cut);
        match result {
            Ok(()) => {
                let padded = [cut, &[0; 10]].concat();
                prop_assert_eq!(whole(&padded), (cut_events, Ok(())));
            }
            Err(error) => prop_assert!(matches!(error, DecodeError::Truncated(_)), "{error:?}"),
        }
        // And in pieces it is the same.
        prop_assert_eq!(events(any_decoder(), cut.chunks(3)).1, result);
    }

    /// Whatever the bytes are, there are events and then the end or an error, in any division.
    #[test]
    fn any_bytes_come_to_an_end(bytes in vec(any::<u8>(), 0..200), size in 1..10_usize) {
        let one = whole(&bytes);
        let divided = events(any_decoder(), bytes.chunks(size));
        prop_assert_eq!(one.1, divided.1);
        prop_assert_eq!(one.1.is_ok(), one.0.last() == Some(&Event::End));
        if one.1.is_ok() {
            prop_assert_eq!(one, divided);
        }
    }

    /// A message with a few other bytes in it: what still decodes, encodes to the same message.
    #[test]
    fn what_decodes_can_be_encoded(
        message in any_message(), at in any::<usize>(), byte: u8, framing in any_framing(),
    ) {
        let mut message = message.to_vec();
        let at = at % message.len();
        message[at] = byte;
        let message = Bytes::from(message);
        if let Ok(request) = Request::decode(message.clone()) {
            let again = request.encode(&encode_options(framing, Padding::None)).unwrap();
            prop_assert_eq!(Request::decode(again), Ok(request));
        }
        if let Ok(response) = Response::decode(message, "GET") {
            let again = response.encode(&encode_options(framing, Padding::None)).unwrap();
            prop_assert_eq!(Response::decode(again, "GET"), Ok(response));
        }
    }

    /// The incremental encoder writes what the whole message does, in however many pieces.
    #[test]
    fn encoding_in_pieces_gives_the_same_message(
        response in any_response(), known: bool, padding in any_padding(), size in 1..50_usize,
    ) {
        let framing = if known { Framing::KnownLength } else { Framing::IndeterminateLength };
        let mut encoder = match framing {
            Framing::KnownLength => Encoder::known_length(response.content.len() as u64),
            Framing::IndeterminateLength => Encoder::indeterminate_length(),
        };
        let mut out = BytesMut::new();
        for head in &response.informational {
            encoder.informational(head, &mut out).unwrap();
        }
        encoder.response(&response.head, &mut out).unwrap();
        for piece in response.content.chunks(size) {
            encoder.content(&[], &mut out).unwrap();
            encoder.content(piece, &mut out).unwrap();
        }
        encoder.trailers(&response.trailers, &mut out).unwrap();
        encoder.finish(&padding, &mut out).unwrap();
        if known || response.content.len() <= size {
            prop_assert_eq!(&out, &response.encode(&encode_options(framing, padding.clone())).unwrap());
        }
        prop_assert_eq!(padding.padded_len(out.len()), Ok(out.len()));
        prop_assert_eq!(Response::decode(out.freeze(), "GET"), Ok(response));
    }
}

/// Every split point of short messages, and single bytes.
#[test]
fn every_split_point_of_the_vectors_gives_the_same_events() {
    for message in VECTORS {
        let expected = whole(message);
        assert_eq!(expected.1, Ok(()));
        assert_eq!(events(any_decoder(), message.chunks(1)), expected);
        for split in 0..=message.len() {
            let (first, second) = message.split_at(split);
            assert_eq!(events(any_decoder(), [first, second]), expected, "split at {split}");
        }
        for size in 2..=20 {
            assert_eq!(events(any_decoder(), message.chunks(size)), expected);
        }
    }
}

/// After an error there is nothing but that error, and after the end nothing at all.
#[test]
fn errors_and_ends_are_final() {
    let mut decoder = any_decoder();
    decoder.push(Bytes::from_static(b"\x01\x40\xc8\x02\x01"));
    assert_eq!(decoder.next_event(), Ok(None));
    decoder.push(Bytes::from_static(b"b\0\0"));
    let error = Err(DecodeError::FieldOverrun);
    assert_eq!(decoder.next_event(), error);
    decoder.push(Bytes::from_static(RESPONSE_TRAILER));
    decoder.finish();
    assert_eq!(decoder.next_event(), error);

    let mut decoder = any_decoder();
    decoder.push(Bytes::from_static(b"\x01\x40\xc8"));
    decoder.finish();
    assert!(matches!(decoder.next_event(), Ok(Some(Event::Response(_)))));
    assert_eq!(decoder.next_event(), Ok(Some(Event::End)));
    assert_eq!(decoder.next_event(), Ok(None));
    decoder.push(Bytes::from_static(b"\0"));
    assert_eq!(decoder.next_event(), Err(DecodeError::PushAfterFinish));
}
