//! Messages in chunks: the vector of the document, any division, and what belongs together.

mod common;

use bytes::BytesMut;
use common::chunks::{AES_128, PREFIX, begin, open, open_request, request, seal, split, start};
use common::{
    KEY_ID, KnownRandom, NOW, provider_pairs, providers, recipient, ring, ring_of, suites,
};
use hex_literal::hex;
use oblivious_hpke::{
    ChunkError, ChunkLimits, ChunkSealer, DecapsulateError, KeyPair, KeyRing, Labels, Provider,
    Recipient, SealError,
};
use oblivious_keys::{KemId, KeyConfig};
use proptest::{collection::vec, prelude::*};

/// draft-ietf-ohai-chunked-ohttp, appendix: both messages, byte for byte, both ways.
#[test]
fn the_vector_of_the_document() {
    let secret_key = hex!("1c190d72acdbe4dbc69e680503bb781a932c70a12c8f3754434c67d8640d8698");
    let key_config = hex!(
        "010020668eb21aace159803974a4c67f08b4152d29bed10735fd08f98ccdd6fe095708"
        "00080001000100010003"
    );
    let ephemeral = hex!("b26d565f3f875ed480d1abced3d665159650c99174fd0b124ac4bda0c64ae324");
    let sealed_request = hex!(
        "01002000010001 8811eb457e100811c40a0aa71340a1b81d804bb986f736f2f566a7199761a032"
        "1c2ad24942d4d692563012f2980c8fef437a336b9b2fc938ef77a5834f"
        "1d2e33d8fd25577afe31bd1c79d094f76b6250ae6549b473ecd950501311"
        "001c6c1395d0ef7c1022297966307b8a7f"
    );
    let response_nonce = hex!("bcce7f4cb921309ba5d62edf1769ef09");
    let sealed_response = hex!(
        "bcce7f4cb921309ba5d62edf1769ef09"
        "1179bf1cc87fa0e2c02de4546945aa3d1e48"
        "12b348b5bd4c594c16b6170b07b475845d1f32"
        "00ed9d8a796617a5b27265f4d73247f639"
    );
    let plain_request = hex!("00034745540568747470730b6578616d706c652e636f6d012f");
    let (first, second) = plain_request.split_at(12);
    let plain_response = hex!("0140c8");
    let limits = ChunkLimits::default();

    for (client, gateway) in provider_pairs() {
        let config = KeyConfig::decode_bare(&key_config).unwrap();
        let client = client.with_random(KnownRandom::new(ephemeral));
        let recipient = Recipient::new(&config, AES_128, client).unwrap();
        let mut out = BytesMut::new();
        let (sealer, pending) = recipient.start_chunked(&mut out, &limits).unwrap();
        seal(sealer, &[first, second, &[]], &mut out);
        assert_eq!(out[..], sealed_request);

        let kem = KemId::X25519_HKDF_SHA256;
        let gateway = gateway.with_random(KnownRandom::new(response_nonce));
        let pair = KeyPair::from_secret_key(kem, &secret_key, gateway).unwrap();
        let mut ring = KeyRing::new();
        ring.add(1, pair, vec![AES_128]).unwrap();
        let (opener, reply) = begin(&ring, &sealed_request);
        assert_eq!(open(opener, []), Ok(vec![first.to_vec(), second.to_vec(), vec![]]));

        let mut out = BytesMut::new();
        let sealer = reply.start(&mut out, &limits).unwrap();
        seal(sealer, &[&plain_response[..1], &plain_response[1..], &[]], &mut out);
        assert_eq!(out[..], sealed_response);
        let opened = open(pending.open(&limits), [&sealed_response[..]]);
        assert_eq!(opened, Ok(vec![vec![0x01], vec![0x40, 0xc8], vec![]]));
    }
}

#[test]
fn every_suite_of_every_provider_carries_chunks_both_ways() {
    for (client, gateway) in provider_pairs() {
        for kem in common::kems() {
            let ring = ring_of(kem, gateway);
            let published = ring.config_list().unwrap();
            for suite in suites() {
                let recipient = Recipient::new(&published.configs()[0], suite, client).unwrap();
                let (mut out, sealer, pending) = start(&recipient);
                seal(sealer, &[b"one", b"two"], &mut out);
                let (opener, reply) = begin(&ring, &out);
                assert_eq!(reply.enc().len(), kem.enc_len().unwrap());
                assert_eq!(open(opener, []), Ok(vec![b"one".to_vec(), b"two".to_vec()]));

                let mut out = BytesMut::new();
                let sealer = reply.start(&mut out, &ChunkLimits::default()).unwrap();
                seal(sealer, &[b"three", b""], &mut out);
                let opened = open(pending.open(&ChunkLimits::default()), [&out[..]]);
                assert_eq!(opened, Ok(vec![b"three".to_vec(), vec![]]));
            }
        }
    }
}

/// A final chunk that comes in two reads, and everything else that can be cut in two. A fault found
/// elsewhere: that failed.
#[test]
fn any_two_pieces_are_as_good_as_one() {
    let sealed = request(&[b"a", b"bc", b"final"]);
    let expected = Ok(vec![b"a".to_vec(), b"bc".to_vec(), b"final".to_vec()]);
    for cut in 0..sealed.len() {
        let ring = ring();
        let mut received = BytesMut::from(&sealed[..cut]);
        let limits = ChunkLimits::default();
        let begun = ring.at(NOW).decapsulate_chunked(&mut received, &limits).unwrap();
        if let Some((opener, _)) = begun {
            assert!(cut >= PREFIX && received.is_empty());
            assert_eq!(open(opener, [&sealed[cut..]]), expected, "{cut}");
        } else {
            assert!(cut < PREFIX && received == sealed[..cut], "nothing is lost");
            received.extend_from_slice(&sealed[cut..]);
            let (opener, _) = begin(&ring, &received);
            assert_eq!(open(opener, []), expected, "{cut}");
        }
    }
}

/// RFC 9000 §16: a length need not be in its shortest form.
#[test]
fn longer_forms_of_a_length_are_read() {
    let sealed = request(&[b"one", b"final"]);
    let (prefix, chunks) = split(&sealed);
    let length = chunks[0][0];
    let long = [
        prefix,
        &[0x80, 0, 0, length],
        &chunks[0][1..],
        &[0xc0, 0, 0, 0, 0, 0, 0, 0],
        &chunks[1][1..],
    ];
    assert_eq!(open_request(&long.concat()), Ok(vec![b"one".to_vec(), b"final".to_vec()]));
}

/// draft-ietf-ohai-chunked-ohttp §3: every receiver takes chunks of 16,384 bytes, and a sender makes
/// no longer ones.
#[test]
fn long_data_is_divided() {
    let data: Vec<u8> = (0..100_000_u32).map(|i| i.to_le_bytes()[0]).collect();
    let full = ChunkSealer::MAX_CHUNK_LEN;
    assert_eq!(full, 16_384);
    for length in [full - 1, full, full + 1, 2 * full, 100_000] {
        let opened = open_request(&request(&[&data[..length]])).unwrap();
        assert_eq!(opened.concat(), data[..length]);
        assert_eq!(opened.len(), length.div_ceil(full));
        assert!(opened.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= full));

        let opened = open_request(&request(&[&data[..length], b""])).unwrap();
        assert_eq!(opened.concat(), data[..length]);
        assert_eq!(opened.len(), length.div_ceil(full) + 1);
    }
}

#[test]
fn the_answer_may_begin_before_the_request_is_complete() {
    let ring = ring();
    let recipient = recipient(&ring.config_list().unwrap(), AES_128);
    let (mut request, mut sealer, pending) = start(&recipient);
    let (mut opener, reply) = begin(&ring, &request.split());

    let mut response = BytesMut::new();
    let mut answering = reply.start(&mut response, &ChunkLimits::default()).unwrap();
    let mut reading = pending.open(&ChunkLimits::default());
    for round in [&b"first"[..], b"second"] {
        sealer.seal(round, &mut request).unwrap();
        opener.push(&request.split());
        let heard = opener.next_chunk().unwrap().unwrap();
        answering.seal(&heard.data, &mut response).unwrap();
        reading.push(&response.split());
        assert_eq!(reading.next_chunk().unwrap().unwrap().data, round);
    }
}

/// The labels keep the two forms apart: neither is taken for the other.
#[test]
fn a_whole_message_is_not_opened_in_chunks_nor_the_other_way_round() {
    let ring = ring();
    let recipient = recipient(&ring.config_list().unwrap(), AES_128);
    let (whole, _) = recipient.encapsulate(b"whole").unwrap();
    let as_final = [&whole[..PREFIX], &[0], &whole[PREFIX..]].concat();
    assert_eq!(open_request(&as_final), Err(ChunkError::Failed));

    let chunked = request(&[b"final"]);
    let as_whole = [&chunked[..PREFIX], &chunked[PREFIX + 1..]].concat();
    let opened = ring.at(NOW).decapsulate(as_whole[..].into());
    assert_eq!(opened.unwrap_err(), DecapsulateError::Failed);
}

/// RFC 9458 §4.6: a protocol has the labels that it defines, which may be for whole messages alone.
#[test]
fn without_labels_for_them_chunks_are_a_mistake_on_both_sides() {
    let whole = Labels::new("message/dns query", "message/dns answer").unwrap();
    let chunked =
        whole.with_chunked("message/dns chunked query", "message/dns chunked answer").unwrap();
    let limits = ChunkLimits::default();
    let parties = |labels| {
        let pair = KeyPair::derive(common::X25519, &[KEY_ID; 32], Provider::default()).unwrap();
        let mut ring = KeyRing::with_labels(labels);
        ring.add(KEY_ID, pair, suites()).unwrap();
        let config = ring.config_list().unwrap().configs()[0].clone();
        let recipient = Recipient::with_labels(&config, AES_128, Provider::default(), &labels);
        (ring, recipient.unwrap())
    };

    let (ring, recipient) = parties(chunked);
    let (mut request, sealer, _) = start(&recipient);
    seal(sealer, &[b"example.com?"], &mut request);
    let (opener, _) = begin(&ring, &request[..PREFIX]);
    assert_eq!(open(opener, [&request[PREFIX..]]).unwrap(), [b"example.com?"]);

    let (ring, recipient) = parties(whole);
    let mut out = BytesMut::from("before");
    let refused = recipient.start_chunked(&mut out, &limits).unwrap_err();
    assert_eq!(refused, SealError::NoChunkedLabels);
    assert_eq!(out, "before");
    for mut received in [BytesMut::new(), request] {
        let refused = ring.at(NOW).decapsulate_chunked(&mut received, &limits).unwrap_err();
        assert_eq!(refused, DecapsulateError::NoChunkedLabels);
    }
    let (whole, _) = recipient.encapsulate(b"example.com?").unwrap();
    assert!(ring.at(NOW).decapsulate(whole.into()).is_ok());
}

#[test]
fn a_request_for_another_key_is_refused_at_once() {
    let sealed = request(&[b"final"]);
    let limits = ChunkLimits::default();
    for provider in providers() {
        let ring = ring_of(KemId::X25519_HKDF_SHA256, provider);
        for (at, byte) in [(0, KEY_ID ^ 1), (1, 0xff), (4, 0x10), (6, 0xff)] {
            let mut altered = BytesMut::from(&sealed[..7]);
            altered[at] = byte;
            let refused = ring.at(NOW).decapsulate_chunked(&mut altered, &limits).unwrap_err();
            assert_eq!(refused, DecapsulateError::UnknownKey);
        }
        let mut low_order = sealed.clone();
        low_order[7..PREFIX].fill(0);
        let refused = ring.at(NOW).decapsulate_chunked(&mut low_order, &limits).unwrap_err();
        assert_eq!(refused, DecapsulateError::Failed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The borders of chunks and those of the transport are independent of each other.
    #[test]
    fn any_division_gives_the_same(
        chunks in vec(vec(any::<u8>(), 0..40), 1..6),
        cuts in vec(0_usize..300, 0..10),
    ) {
        let plain: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        let sealed = request(&plain);
        let (opener, _) = begin(&ring(), &sealed[..PREFIX]);
        let rest = &sealed[PREFIX..];
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(rest.len())).collect();
        cuts.extend([0, rest.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| &rest[ends[0]..ends[1]]);
        let opened = open(opener, pieces).unwrap();
        prop_assert_eq!(opened.concat(), chunks.concat());
        prop_assert_eq!(opened.last(), chunks.last());
    }
}

/// The provider by default is the one in pure Rust.
#[test]
fn the_default_provider_needs_no_c_compiler() {
    assert_eq!(format!("{:?}", Provider::default()), "Provider(rust_crypto)");
}
