//! How long chunks may be, and how many.

mod common;

use bytes::BytesMut;
use common::chunks::{AES_128, PREFIX, begin, open, open_request, request};
use common::{NOW, recipient, ring};
use hex_literal::hex;
use oblivious_hpke::{ChunkError, ChunkLimitError, ChunkLimits, SealError};

/// draft-ietf-ohai-chunked-ohttp §3: every receiver takes chunks of 16,384 bytes.
#[test]
fn no_receiver_refuses_chunks_of_16384_bytes() {
    for bytes in [0, 100, 16_383] {
        let limits = ChunkLimits::default().with_max_chunk_len(bytes);
        assert_eq!(limits, Err(ChunkLimitError { bytes }));
    }
    let limits = ChunkLimits::default().with_max_chunk_len(16_384).unwrap();
    assert_eq!(limits, ChunkLimits::default());
    assert!(open_request(&request(&[&[1; 16_384], &[2; 16_384]])).is_ok());
}

#[test]
fn a_chunk_over_the_limit_is_refused_before_it_is_buffered() {
    let ring = ring();
    let prefix = &request(&[b""])[..PREFIX];
    let open_announced = |length: &[u8], limits: &ChunkLimits| {
        let mut received = BytesMut::from(&[prefix, length].concat()[..]);
        let (opener, _) = ring.at(NOW).decapsulate_chunked(&mut received, limits).unwrap().unwrap();
        open(opener, [])
    };
    let default = ChunkLimits::default();
    let raised = default.with_max_chunk_len(20_000).unwrap();
    let too_long = |limit| Err(ChunkError::ChunkTooLong { limit });
    // One byte more than the limit with its tag; it is the length that is refused.
    assert_eq!(open_announced(&hex!("80004011"), &default), too_long(16_384));
    assert_eq!(open_announced(&hex!("80004010"), &default), Err(ChunkError::Truncated));
    assert_eq!(open_announced(&hex!("80004011"), &raised), Err(ChunkError::Truncated));
    assert_eq!(open_announced(&hex!("80004e31"), &raised), too_long(20_000));
    for length in [&hex!("bfffffff")[..], &hex!("ffffffffffffffff")] {
        assert_eq!(open_announced(length, &default), too_long(16_384));
    }
    // A final chunk that never ends is refused once it is too long.
    let (mut opener, _) = begin(&ring, &[prefix, b"\0"].concat());
    let mut pushed = 0;
    let error = loop {
        match opener.next_chunk() {
            Ok(chunk) => assert_eq!(chunk, None),
            Err(error) => break error,
        }
        opener.push(&[0; 1000]);
        pushed += 1000;
    };
    assert_eq!(error, ChunkError::ChunkTooLong { limit: 1 << 14 });
    assert!(pushed <= (1 << 14) + 16 + 1000);
}

#[test]
fn the_number_of_chunks_is_limited_on_both_sides() {
    let limits = ChunkLimits::default().with_max_chunks(2);
    let ring = ring();
    let recipient = recipient(&ring.config_list().unwrap(), AES_128);
    let mut out = BytesMut::new();
    let (mut sealer, _) = recipient.start_chunked(&mut out, &limits).unwrap();
    sealer.seal(b"one", &mut out).unwrap();
    sealer.seal(b"two", &mut out).unwrap();
    assert_eq!(sealer.seal(b"three", &mut out), Err(SealError::TooManyChunks));
    assert_eq!(sealer.finish(b"", &mut out), Err(SealError::TooManyChunks));

    let open_limited = |sealed: &[u8]| {
        let mut received = BytesMut::from(sealed);
        let (opener, _) =
            ring.at(NOW).decapsulate_chunked(&mut received, &limits).unwrap().unwrap();
        open(opener, [])
    };
    assert!(open_limited(&request(&[b"one", b"two"])).is_ok());
    let refused = open_limited(&request(&[b"one", b"two", b"three"]));
    assert_eq!(refused, Err(ChunkError::TooManyChunks));
}
