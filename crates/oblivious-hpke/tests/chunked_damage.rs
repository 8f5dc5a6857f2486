//! Streams of chunks that are cut short, changed, or put together differently: an error each time.

mod common;

use bytes::BytesMut;
use common::chunks::{AES_128, PREFIX, begin, open, open_request, request, seal, split, start};
use common::{recipient, ring};
use oblivious_hpke::{ChunkError, ChunkLimits};
use proptest::{collection::vec, prelude::*};

/// draft-ietf-ohai-chunked-ohttp §7.1: wherever a stream is cut, that is an error. Faults found
/// elsewhere: a stream without a final chunk was accepted.
#[test]
fn every_truncation_is_an_error() {
    let sealed = request(&[b"a", b"bc", b"final"]);
    for cut in PREFIX..sealed.len() {
        let error = open_request(&sealed[..cut]).unwrap_err();
        assert!(matches!(error, ChunkError::Truncated | ChunkError::Failed), "{cut}");
    }

    let ring = ring();
    let recipient = recipient(&ring.config_list().unwrap(), AES_128);
    for cut in 0..10_000 {
        let (out, sealer, pending) = start(&recipient);
        drop(sealer);
        let (_, reply) = begin(&ring, &out);
        let mut response = BytesMut::new();
        let sealer = reply.start(&mut response, &ChunkLimits::default()).unwrap();
        seal(sealer, &[b"a", b"bc", b"final"], &mut response);
        if cut == response.len() {
            break;
        }
        let opened = open(pending.open(&ChunkLimits::default()), [&response[..cut]]);
        assert!(matches!(opened, Err(ChunkError::Truncated | ChunkError::Failed)), "{cut}");
    }
}

#[test]
fn every_flipped_bit_is_an_error() {
    let sealed = request(&[b"a", b"final"]);
    for bit in PREFIX * 8..sealed.len() * 8 {
        let mut damaged = sealed.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(open_request(&damaged).is_err(), "{bit}");
    }
}

/// What was authentic before the damage is given out, and then there is an error and no clean end.
#[test]
fn damage_half_way_comes_after_what_was_whole() {
    let mut sealed = request(&[b"whole", b"damaged", b"never read"]);
    sealed[PREFIX + 1 + 5 + 16 + 3] ^= 1;
    let (mut opener, _) = begin(&ring(), &sealed);
    assert_eq!(opener.next_chunk().unwrap().unwrap().data, "whole");
    for _ in 0..3 {
        assert_eq!(opener.next_chunk(), Err(ChunkError::Failed));
        opener.push(b"more");
        opener.finish();
    }
}

#[test]
fn chunks_cannot_be_left_out_repeated_or_moved() {
    let sealed = request(&[b"one", b"two", b"final"]);
    let (prefix, chunks) = split(&sealed);
    let [one, two, last] = chunks[..] else { panic!() };
    assert!(open_request(&[prefix, one, two, last].concat()).is_ok());
    for wrong in [
        [prefix, one, last].concat(),
        [prefix, two, last].concat(),
        [prefix, last].concat(),
        [prefix, two, one, last].concat(),
        [prefix, one, one, two, last].concat(),
        [prefix, one, two, last, last].concat(),
        [prefix, one, two, last, b"\0"].concat(),
    ] {
        assert_eq!(open_request(&wrong).unwrap_err(), ChunkError::Failed);
    }
    // A final chunk as one that is not, and the other way round: the additional data tells.
    let as_chunk = [&[u8::try_from(last.len() - 1).unwrap()], &last[1..]].concat();
    assert!(open_request(&[prefix, one, two, &as_chunk].concat()).is_err());
    let as_final = [&[0], &one[1..]].concat();
    assert_eq!(open_request(&[prefix, &as_final].concat()), Err(ChunkError::Failed));
}

/// draft-ietf-ohai-chunked-ohttp §6: a sender makes no empty chunk but the final one, and any other
/// counts as one that does not open. A fault found elsewhere: it read as a clean end.
#[test]
fn an_empty_chunk_that_is_not_final_is_refused() {
    let sealed = request(&[b"", b"", b"final"]);
    assert_eq!(open_request(&sealed), Ok(vec![b"final".to_vec()]), "none is sealed");

    // The final chunk of an empty message is one that was sealed empty.
    let empty = request(&[b""]);
    let (prefix, chunks) = split(&empty);
    let as_chunk = [&[16], &chunks[0][1..]].concat();
    for after in [&b""[..], b"\0", b"\x11"] {
        let stream = [prefix, &as_chunk, after].concat();
        assert_eq!(open_request(&stream), Err(ChunkError::Failed));
    }
}

/// What is shorter than a tag cannot be a chunk.
#[test]
fn a_chunk_shorter_than_a_tag_is_refused() {
    let sealed = request(&[b"one", b"final"]);
    for length in 1..16_u8 {
        let stream = [&sealed[..PREFIX], &[length], &[7; 40]].concat();
        assert_eq!(open_request(&stream), Err(ChunkError::Failed), "{length}");
    }
    for length in 0..16 {
        let stream = [&sealed[..PREFIX], &[0], &vec![7; length]].concat();
        assert_eq!(open_request(&stream), Err(ChunkError::Truncated), "{length}");
    }
}

#[test]
fn pushing_after_the_end_is_a_mistake_that_shows() {
    let sealed = request(&[b"final"]);
    let (mut opener, _) = begin(&ring(), &sealed);
    opener.finish();
    opener.push(b"");
    opener.push(b"more");
    assert_eq!(opener.next_chunk(), Err(ChunkError::PushAfterFinish));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
        let prefix = &request(&[b""])[..PREFIX];
        prop_assert!(open_request(&[prefix, &bytes].concat()).is_err());
    }
}
