//! Exchanges between our own two sides, whole and damaged.

mod common;

use bytes::BytesMut;
use common::{
    KEY_ID, KnownRandom, NOW, SameByte, X25519, kems, provider_pairs, providers, recipient, ring,
    ring_of, ring_with, suites,
};
use oblivious_hpke::{
    ChunkLimits, DecapsulateError, KeyPair, KeyPairError, KeyRing, KeyRingError, Labels,
    LabelsError, Provider, Recipient, RecipientError, SealError, UnixSeconds, Validity,
};
use oblivious_keys::{AeadId, KdfId, KemId, KeyConfig, KeyConfigList, Preferences, SymmetricSuite};
use proptest::prelude::*;

const AES_128: SymmetricSuite = SymmetricSuite::HKDF_SHA256_AES_128_GCM;

/// The X25519 public keys of small order (RFC 7748 §6.1): 0, 1, the two of order 8, p-1, p, p+1.
const LOW_ORDER: [[u8; 32]; 7] = {
    use hex_literal::hex;
    [
        [0; 32],
        hex!("0100000000000000000000000000000000000000000000000000000000000000"),
        hex!("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        hex!("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        hex!("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        hex!("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        hex!("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ]
};

#[test]
fn every_suite_carries_a_question_and_its_answer() {
    let ring = ring();
    let published = ring.config_list().unwrap();
    for suite in suites() {
        let recipient = recipient(&published, suite);
        for length in [0, 1, 15, 16, 17, 1000, 70_000] {
            let question = vec![7; length];
            let (request, pending) = recipient.encapsulate(&question).unwrap();
            assert_eq!(request.len(), length + recipient.overhead());
            let (opened, reply) = ring.at(NOW).decapsulate(request.into()).unwrap();
            assert_eq!(opened, question);

            let answer = vec![8; length + 3];
            let overhead = reply.overhead();
            let response = reply.seal(&answer).unwrap();
            assert_eq!(response.len(), answer.len() + overhead);
            assert_eq!(pending.open(response.into()).unwrap(), answer);
        }
    }
}

/// What one provider seals, each other opens, with every KEM and suite.
#[test]
fn every_provider_understands_every_other() {
    for (client, gateway) in provider_pairs() {
        for kem in kems() {
            let ring = ring_of(kem, gateway);
            let published = ring.config_list().unwrap();
            for suite in suites() {
                assert!(client.supports(kem, suite), "{client:?} {kem} {suite}");
                let recipient = Recipient::new(&published.configs()[0], suite, client).unwrap();
                let (request, pending) = recipient.encapsulate(b"question").unwrap();
                let (opened, reply) = ring.at(NOW).decapsulate(request.into()).unwrap();
                assert_eq!(opened, "question", "{client:?} {gateway:?} {kem} {suite}");
                let response = reply.seal(b"answer").unwrap();
                assert_eq!(pending.open(response.into()).unwrap(), "answer");
            }
        }
    }
}

/// The providers derive the same keys from a seed, and load each other's.
#[test]
fn keys_are_the_same_with_every_provider() {
    for (one, other) in provider_pairs() {
        for kem in kems() {
            let derived = KeyPair::derive(kem, &[9; 66], one).unwrap();
            let again = KeyPair::derive(kem, &[9; 66], other).unwrap();
            assert_eq!(derived.public_key(), again.public_key(), "{kem}");
            let loaded = KeyPair::from_secret_key(kem, derived.expose_secret_key(), other).unwrap();
            assert_eq!(loaded.public_key(), derived.public_key(), "{kem}");
            assert_eq!(loaded.expose_secret_key(), derived.expose_secret_key(), "{kem}");
        }
    }
}

/// RFC 9458 §6.1: an HPKE context is only as good as its randomness, so without any there is none.
#[test]
fn without_randomness_nothing_is_made() {
    let none = KnownRandom::new([]);
    for provider in providers() {
        let broken = provider.with_random(none);
        for kem in kems() {
            assert_eq!(KeyPair::generate(kem, broken).unwrap_err(), KeyPairError::Randomness);
            let list = ring_of(kem, provider).config_list().unwrap();
            let recipient = Recipient::new(&list.configs()[0], AES_128, broken).unwrap();
            let mut out = BytesMut::from("before");
            let write = |out: &mut BytesMut| {
                out.extend_from_slice(b"question");
                Ok::<_, SealError>(())
            };
            let refused = recipient.encapsulate_into(&mut out, write).unwrap_err();
            assert_eq!((refused, &out[..]), (SealError::Randomness, &b"before"[..]), "{kem}");
            let refused = recipient.start_chunked(&mut out, &ChunkLimits::default()).unwrap_err();
            assert_eq!((refused, &out[..]), (SealError::Randomness, &b"before"[..]), "{kem}");
        }
        let list = ring_of(X25519, provider).config_list().unwrap();
        let (request, _) = recipient(&list, AES_128).encapsulate(b"question").unwrap();
        let (_, reply) = ring_of(X25519, broken).at(NOW).decapsulate(request.into()).unwrap();
        assert_eq!(reply.seal(b"answer").unwrap_err(), SealError::Randomness);
    }
}

/// A prepared recipient sends the very bytes that one that is not prepared sends.
#[test]
fn precomputation_changes_nothing_on_the_wire() {
    let published = ring().config_list().unwrap();
    for (provider, _) in provider_pairs() {
        for seed in 0..20 {
            let provider = provider.with_random(Box::leak(Box::new(SameByte(seed))));
            let recipient = || Recipient::new(&published.configs()[0], AES_128, provider).unwrap();
            let sealed = |recipient: Recipient| recipient.encapsulate(b"question").unwrap().0;
            assert_eq!(sealed(recipient()), sealed(recipient().precomputed()));
        }
    }
}

#[test]
fn each_of_several_keys_opens_what_is_sealed_to_it() {
    let ring = ring_with(&[7, 0, 255]);
    let published = ring.config_list().unwrap();
    for config in published.configs() {
        let recipient = Recipient::new(config, AES_128, Provider::default()).unwrap();
        let (request, _) = recipient.encapsulate(b"hello").unwrap();
        let (opened, reply) = ring.at(NOW).decapsulate(request.into()).unwrap();
        assert_eq!(opened, "hello");
        assert_eq!(reply.header().key_id, config.key_id());
    }
}

/// RFC 9458 §6.1: a fresh context for every request, so that no two look alike.
#[test]
fn the_same_request_twice_has_nothing_in_common() {
    let ring = ring();
    let recipient = recipient(&ring.config_list().unwrap(), AES_128);
    let (first, _) = recipient.encapsulate(b"the same").unwrap();
    let (second, _) = recipient.encapsulate(b"the same").unwrap();
    assert_eq!(first[..7], second[..7]);
    assert_ne!(first[7..39], second[7..39]);
    assert_ne!(first[39..], second[39..]);
}

/// RFC 9458 §4.4: the response nonce makes a new key even for a request that is replayed.
#[test]
fn a_replayed_request_gets_another_response() {
    let ring = ring();
    let recipient = recipient(&ring.config_list().unwrap(), AES_128);
    let (request, pending) = recipient.encapsulate(b"once").unwrap();
    let (_, first) = ring.at(NOW).decapsulate(request.clone().into()).unwrap();
    let (_, second) = ring.at(NOW).decapsulate(request.into()).unwrap();
    assert_eq!(first.enc(), second.enc());
    let first = first.seal(b"answer").unwrap();
    let second = second.seal(b"answer").unwrap();
    assert_ne!(first[..16], second[..16]);
    assert_ne!(first[16..], second[16..]);
    assert_eq!(pending.open(second.into()).unwrap(), "answer");
}

/// RFC 9458 §6.4: another key id, KEM or suite than the request was sealed for.
#[test]
fn a_request_under_another_header_is_refused() {
    let ring = ring_with(&[1, 2]);
    let recipient = recipient(&ring.config_list().unwrap(), AES_128);
    let (request, _) = recipient.encapsulate(b"x").unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut altered = BytesMut::from(&request[..]);
        altered[at..at + bytes.len()].copy_from_slice(bytes);
        ring.at(NOW).decapsulate(altered).unwrap_err()
    };
    assert_eq!(with(0, &[3]), DecapsulateError::UnknownKey);
    assert_eq!(with(0, &[2]), DecapsulateError::Failed);
    assert_eq!(with(1, &[0xff, 0xff]), DecapsulateError::UnknownKey);
    // A KEM that is known, but not that of the key, and whose `enc` has the same length or none.
    assert_eq!(with(1, &[0, 0x21]), DecapsulateError::Truncated);
    assert_eq!(with(3, &[0, 0x10]), DecapsulateError::UnknownKey);
    assert_eq!(with(5, &[0, 2]), DecapsulateError::Failed);
    assert_eq!(with(5, &[0xff, 0xff]), DecapsulateError::UnknownKey);
}

/// RFC 9180 §7.1.4: an all-zero agreement is refused on both sides.
#[test]
fn public_keys_of_low_order_are_refused_on_both_sides() {
    for provider in providers() {
        let ring = ring_of(X25519, provider);
        let sealed = recipient(&ring.config_list().unwrap(), AES_128).encapsulate(b"x").unwrap().0;
        // The highest bit of an encoding is ignored (RFC 7748 §5).
        let high_bit = LOW_ORDER.map(|mut point| {
            point[31] |= 0x80;
            point
        });
        for point in LOW_ORDER.into_iter().chain(high_bit) {
            let config = KeyConfig::new(KEY_ID, X25519, point.to_vec(), vec![AES_128]).unwrap();
            // A provider may refuse it when it reads it, and then need not when it uses it.
            if let Ok(recipient) = Recipient::new(&config, AES_128, provider) {
                assert_eq!(recipient.encapsulate(b"x").unwrap_err(), SealError::Refused);
                let recipient = recipient.precomputed();
                assert_eq!(recipient.encapsulate(b"x").unwrap_err(), SealError::Refused);
            }
            let mut request = BytesMut::from(&sealed[..]);
            request[7..39].copy_from_slice(&point);
            assert_eq!(ring.at(NOW).decapsulate(request).unwrap_err(), DecapsulateError::Failed);
        }
    }
}

/// RFC 9180 §7.1.4, for X-Wing: its X25519 half alone may be of low order.
#[cfg(feature = "post-quantum")]
#[test]
fn x_wing_keys_with_a_half_of_low_order_are_refused_on_both_sides() {
    let kem = KemId::X_WING;
    for provider in providers() {
        let ring = ring_of(kem, provider);
        let published = ring.config_list().unwrap();
        let recipient = Recipient::new(&published.configs()[0], AES_128, provider).unwrap();
        let sealed = recipient.encapsulate(b"x").unwrap().0;
        for point in LOW_ORDER {
            let mut key = published.configs()[0].public_key().to_vec();
            let x25519 = key.len() - 32;
            key[x25519..].copy_from_slice(&point);
            let config = KeyConfig::new(KEY_ID, kem, key, vec![AES_128]).unwrap();
            if let Ok(recipient) = Recipient::new(&config, AES_128, provider) {
                assert_eq!(recipient.encapsulate(b"x").unwrap_err(), SealError::Refused);
            }
            let mut request = BytesMut::from(&sealed[..]);
            request[7 + 1088..7 + 1120].copy_from_slice(&point);
            assert_eq!(ring.at(NOW).decapsulate(request).unwrap_err(), DecapsulateError::Failed);
        }
    }
}

/// RFC 7748 §5: encodings that are not canonical are reduced, alike in every provider.
#[test]
fn public_keys_that_are_not_canonical_are_taken_alike() {
    // 9, the base point, with the highest bit set, and with p added.
    let mut high_bit = [0; 32];
    (high_bit[0], high_bit[31]) = (9, 0x80);
    let mut plus_p = [0xff; 32];
    (plus_p[0], plus_p[31]) = (0xf6, 0x7f);
    for point in [high_bit, plus_p] {
        let config = KeyConfig::new(KEY_ID, X25519, point.to_vec(), vec![AES_128]).unwrap();
        let sealed = |provider, precomputed| {
            let provider = Provider::with_random(provider, &SameByte(5));
            let recipient = Recipient::new(&config, AES_128, provider).unwrap();
            let recipient = if precomputed { recipient.precomputed() } else { recipient };
            recipient.encapsulate(b"x").unwrap().0
        };
        let expected = sealed(Provider::rust_crypto(), false);
        for provider in providers() {
            assert_eq!(sealed(provider, false), expected, "{provider:?}");
            assert_eq!(sealed(provider, true), expected, "{provider:?}");
        }
    }
}

/// RFC 9458 §4.6: what is sealed for one protocol is never opened as another.
#[test]
fn labels_keep_protocols_apart() {
    let dns = Labels::new("message/dns query", "message/dns answer").unwrap();
    let pair = || KeyPair::derive(X25519, &[KEY_ID; 32], Provider::default()).unwrap();
    let mut ring = KeyRing::with_labels(dns);
    ring.add(KEY_ID, pair(), suites()).unwrap();
    let published = ring.config_list().unwrap();
    let config = &published.configs()[0];
    let recipient = Recipient::with_labels(config, AES_128, Provider::default(), &dns).unwrap();

    let (request, pending) = recipient.encapsulate(b"example.com?").unwrap();
    let other = common::ring().at(NOW).decapsulate(request.clone().into()).unwrap_err();
    assert_eq!(other, DecapsulateError::Failed);
    let (opened, reply) = ring.at(NOW).decapsulate(request.into()).unwrap();
    assert_eq!(opened, "example.com?");
    assert_eq!(pending.open(reply.seal(b"yes").unwrap().into()).unwrap(), "yes");
}

/// RFC 9458 §4.6: the labels of request and response must differ.
#[test]
fn labels_that_do_not_differ_are_refused() {
    let whole = Labels::new("a", "b").unwrap();
    assert!(whole.with_chunked("c", "d").is_ok());
    for (request, response) in [("a", "a"), ("a", ""), ("a", "b\0")] {
        assert_eq!(Labels::new(request, response), Err(LabelsError));
    }
    for (request, response) in [("c", "c"), ("b", "c"), ("c", "a"), ("", "d"), ("c\0", "d")] {
        assert_eq!(whole.with_chunked(request, response), Err(LabelsError));
    }
}

#[test]
fn keys_open_only_while_they_are_valid_and_are_destroyed_after() {
    let pair = |seed| KeyPair::derive(X25519, &[seed; 32], Provider::default()).unwrap();
    let mut ring = KeyRing::new();
    let validity = |not_before, not_after| Validity {
        not_before: UnixSeconds(not_before),
        not_after: UnixSeconds(not_after),
    };
    ring.add_valid(1, pair(1), vec![AES_128], validity(100, 200)).unwrap();
    ring.add_valid(2, pair(2), vec![AES_128], validity(150, 300)).unwrap();
    ring.add(3, pair(3), vec![AES_128]).unwrap();

    let all = ring.config_list().unwrap();
    let requests: Vec<_> = all
        .configs()
        .iter()
        .map(|config| {
            let recipient = Recipient::new(config, AES_128, Provider::default()).unwrap();
            recipient.encapsulate(b"x").unwrap().0
        })
        .collect();
    let opened_at = |ring: &KeyRing, now: u64| -> Vec<u8> {
        let open = |request: &&bytes::Bytes| {
            let request = BytesMut::from(&request[..]);
            ring.at(UnixSeconds(now)).decapsulate(request).is_ok()
        };
        requests.iter().filter(open).map(|request| request[0]).collect()
    };
    assert_eq!(opened_at(&ring, 0), [3]);
    assert_eq!(opened_at(&ring, 99), [3]);
    assert_eq!(opened_at(&ring, 100), [1, 3]);
    assert_eq!(opened_at(&ring, 150), [1, 2, 3]);
    assert_eq!(opened_at(&ring, 200), [1, 2, 3]);
    assert_eq!(opened_at(&ring, 201), [2, 3]);
    assert_eq!(opened_at(&ring, 301), [3]);
    assert_eq!(ring.at(UnixSeconds(201)).config_list().unwrap().configs().len(), 2);

    assert_eq!(ring.remove_expired(UnixSeconds(200)), []);
    assert_eq!(ring.remove_expired(UnixSeconds(201)), [1]);
    assert_eq!(opened_at(&ring, 150), [2, 3]);
    assert_eq!(ring.config_list().unwrap().configs().len(), 2);
}

#[test]
fn a_failed_writer_leaves_the_buffer_as_it_was() {
    let ring = ring();
    let recipient = recipient(&ring.config_list().unwrap(), AES_128);
    let mut out = BytesMut::from("before");

    let failed = recipient.encapsulate_into(&mut out, |out| {
        out.extend_from_slice(b"half a message");
        Err(SealError::Refused)
    });
    assert_eq!(failed.unwrap_err(), SealError::Refused);
    assert_eq!(out, "before");

    let shrunk = recipient.encapsulate_into(&mut out, |out| {
        out.truncate(7);
        Ok::<_, SealError>(())
    });
    assert_eq!(shrunk.unwrap_err(), SealError::BufferShrunk);
    assert_eq!(out, "before");
}

/// A fault found elsewhere: such configurations made the client panic.
#[test]
fn a_configuration_without_anything_supported_is_a_typed_error() {
    let list = |suites: Vec<SymmetricSuite>| {
        let config = KeyConfig::new(1, X25519, vec![9; 32], suites).unwrap();
        KeyConfigList::new(vec![config]).unwrap()
    };
    let one_stage = SymmetricSuite { kdf: KdfId::SHAKE128, aead: AeadId::AES_128_GCM };
    let export_only = SymmetricSuite { kdf: KdfId::HKDF_SHA256, aead: AeadId::EXPORT_ONLY };
    for suite in [one_stage, export_only] {
        let preferences = Preferences::new(vec![X25519], vec![suite]);
        let selected =
            Recipient::select(&list(vec![suite]), &preferences, Provider::default()).unwrap_err();
        assert!(matches!(selected, RecipientError::NothingUsable(_)), "{suite}");
        let new = Recipient::new(&list(vec![suite]).configs()[0], suite, Provider::default());
        let expected = if suite == one_stage {
            RecipientError::OneStageKdf(KdfId::SHAKE128)
        } else {
            RecipientError::Unsupported { kem: X25519, suite }
        };
        assert_eq!(new.unwrap_err(), expected);
    }
    let only_256 = list(vec![SymmetricSuite::HKDF_SHA256_AES_256_GCM]);
    let recipient =
        Recipient::select(&only_256, &Preferences::default(), Provider::default()).unwrap();
    assert_eq!(recipient.header().suite, SymmetricSuite::HKDF_SHA256_AES_256_GCM);
    let new = Recipient::new(&only_256.configs()[0], AES_128, Provider::default());
    assert_eq!(new.unwrap_err(), RecipientError::NotOffered(AES_128));
}

#[test]
fn key_pairs_are_derived_generated_and_loaded() {
    let provider = Provider::default();
    let derived = KeyPair::derive(X25519, &[5; 32], provider).unwrap();
    let again = KeyPair::derive(X25519, &[5; 32], provider).unwrap();
    assert_eq!(derived.public_key(), again.public_key());

    let loaded = KeyPair::from_secret_key(X25519, derived.expose_secret_key(), provider).unwrap();
    assert_eq!(loaded.public_key(), derived.public_key());

    let first = KeyPair::generate(X25519, provider).unwrap();
    let second = KeyPair::generate(X25519, provider).unwrap();
    assert_ne!(first.public_key(), second.public_key());

    let short = KeyPair::derive(X25519, &[5; 31], provider).unwrap_err();
    assert_eq!(short, KeyPairError::ShortSeed { kem: X25519, at_least: 32 });
    let wrong = KeyPair::from_secret_key(X25519, &[5; 33], provider).unwrap_err();
    assert_eq!(wrong, KeyPairError::InvalidSecretKey { kem: X25519, expected: 32 });
    let kem = KemId(0x9999);
    let unknown = KeyPair::generate(kem, provider).unwrap_err();
    assert_eq!(unknown, KeyPairError::UnsupportedKem(kem));
}

#[test]
fn debug_output_holds_no_secret() {
    let pair = KeyPair::derive(X25519, &[5; 32], Provider::default()).unwrap();
    let secret = format!("{:?}", bytes::Bytes::copy_from_slice(pair.expose_secret_key()));
    assert!(!format!("{pair:?}").contains(&secret[2..20]));
    let ring = ring();
    let (request, pending) =
        recipient(&ring.config_list().unwrap(), AES_128).encapsulate(b"x").unwrap();
    let (_, reply) = ring.at(NOW).decapsulate(request.into()).unwrap();
    assert_eq!(format!("{pending:?}"), "PendingResponse { .. }");
    assert!(format!("{reply:?}").starts_with("Reply { header: RequestHeader"));
}

#[test]
fn a_ring_takes_each_id_once_and_only_what_it_can_use() {
    let pair = || KeyPair::derive(X25519, &[5; 32], Provider::default()).unwrap();
    let mut ring = KeyRing::new();
    assert!(ring.config_list().is_err());
    ring.add(1, pair(), vec![AES_128]).unwrap();
    let again = ring.add(1, pair(), vec![AES_128]).unwrap_err();
    assert_eq!(again, KeyRingError::DuplicateKeyId(1));

    let suite = SymmetricSuite { kdf: KdfId::HKDF_SHA256, aead: AeadId::EXPORT_ONLY };
    let unsupported = ring.add(2, pair(), vec![AES_128, suite]).unwrap_err();
    assert_eq!(unsupported, KeyRingError::Unsupported { kem: X25519, suite });
    // RFC 9458 §4.4 has no use for a KDF without Extract and Expand.
    let suite = SymmetricSuite { kdf: KdfId::TURBO_SHAKE256, aead: AeadId::AES_128_GCM };
    let one_stage = ring.add(2, pair(), vec![suite]).unwrap_err();
    assert_eq!(one_stage, KeyRingError::OneStageKdf(KdfId::TURBO_SHAKE256));
    assert!(matches!(ring.add(2, pair(), vec![]), Err(KeyRingError::Config(_))));
    assert_eq!(ring.config_list().unwrap().configs().len(), 1);
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes: Vec<u8>, header: bool) {
        let mut request = BytesMut::new();
        if header {
            request.extend_from_slice(&[KEY_ID, 0, 0x20, 0, 1, 0, 1]);
        }
        request.extend_from_slice(&bytes);
        prop_assert!(ring().at(NOW).decapsulate(request).is_err());
    }
}
