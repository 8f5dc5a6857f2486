//! Messages cut short, and messages with one bit flipped: every one of them is refused.

mod common;

use std::thread;

use bytes::BytesMut;
use common::{KEY_ID, NOW, SameByte, X25519, kems, providers, ring_of, ring_with, suites};
use oblivious_hpke::{DecapsulateError, KeyRing, OpenError, Provider, Recipient};
use oblivious_keys::{KemId, SymmetricSuite};

const AES_128: SymmetricSuite = SymmetricSuite::HKDF_SHA256_AES_128_GCM;
const HEADER_LEN: usize = 7;
const TAG_LEN: usize = 16;

fn flipped(message: &[u8], bit: usize) -> BytesMut {
    let mut damaged = BytesMut::from(message);
    damaged[bit / 8] ^= 1 << (bit % 8);
    damaged
}

/// A gateway and a client for it.
fn parties(kem: KemId, suite: SymmetricSuite, provider: Provider) -> (KeyRing, Recipient) {
    let ring = ring_of(kem, provider);
    let published = ring.config_list().unwrap();
    let recipient = Recipient::new(&published.configs()[0], suite, provider).unwrap();
    (ring, recipient)
}

/// A fault found elsewhere: a panic when the ciphertext is shorter than `enc`.
#[test]
fn every_truncation_of_a_request_is_refused() {
    for provider in providers() {
        for kem in kems() {
            let (ring, recipient) = parties(kem, AES_128, provider);
            let (request, _) = recipient.encapsulate(b"four").unwrap();
            let structure = HEADER_LEN + kem.enc_len().unwrap() + TAG_LEN;
            for cut in 0..request.len() {
                let error = ring.at(NOW).decapsulate(request[..cut].into()).unwrap_err();
                let expected = if cut < structure {
                    DecapsulateError::Truncated
                } else {
                    DecapsulateError::Failed
                };
                assert_eq!(error, expected, "{kem} {cut}");
            }
        }
    }
}

fn check_flipped_requests(kem: KemId, suite: SymmetricSuite, provider: Provider) {
    let (ring, recipient) = parties(kem, suite, provider);
    let (request, _) = recipient.encapsulate(b"x").unwrap();
    for bit in 0..request.len() * 8 {
        let error = ring.at(NOW).decapsulate(flipped(&request, bit)).unwrap_err();
        if bit / 8 >= HEADER_LEN {
            assert_eq!(error, DecapsulateError::Failed, "{provider:?} {kem} {suite} {bit}");
        }
    }
}

/// Every bit of the header, of `enc`, of the ciphertext and of the tag. A changed ciphertext of
/// ML-KEM decapsulates to a secret that nobody knows (FIPS 203 §6.3), so that the tag is wrong.
#[test]
fn every_flipped_bit_of_a_request_is_refused() {
    // The KEMs with a long `enc` take seconds each; each in a thread, they share the processors.
    thread::scope(|scope| {
        for kem in kems() {
            for provider in providers() {
                scope.spawn(move || check_flipped_requests(kem, AES_128, provider));
            }
        }
    });
}

#[test]
fn every_flipped_bit_of_a_request_is_refused_with_every_suite() {
    for provider in providers() {
        for suite in suites() {
            check_flipped_requests(X25519, suite, provider);
        }
    }
}

/// A key id, suite or KEM with one bit flipped, in a ring that has the other key as well.
#[test]
fn every_flipped_bit_of_the_header_is_refused() {
    let ids: Vec<u8> = (0..8).map(|bit| KEY_ID ^ (1 << bit)).chain([KEY_ID]).collect();
    let ring = ring_with(&ids);
    let own = ring_with(&[KEY_ID]).config_list().unwrap();
    let (request, _) = common::recipient(&own, AES_128).encapsulate(b"x").unwrap();
    for bit in 0..HEADER_LEN * 8 {
        assert!(ring.at(NOW).decapsulate(flipped(&request, bit)).is_err(), "{bit}");
    }
}

fn check_damaged_responses(suite: SymmetricSuite, provider: Provider) {
    // A pending response opens one answer, so each try needs a request of its own: the same
    // ephemeral key gives the same secrets.
    let (ring, recipient) = parties(X25519, suite, provider.with_random(&SameByte(9)));
    let ask = || recipient.encapsulate(b"x").unwrap();
    let open = |damaged: BytesMut| ask().1.open(damaged);
    let answer =
        |request: BytesMut| ring.at(NOW).decapsulate(request).unwrap().1.seal(b"answer").unwrap();

    let response = answer(ask().0.into());
    assert_eq!(open(response[..].into()).unwrap(), "answer");
    let (_, recipient) = parties(X25519, suite, provider);
    let other = answer(recipient.encapsulate(b"x").unwrap().0.into());
    assert_eq!(open(other.into()), Err(OpenError::Failed), "the answer to another request");

    let structure = response.len() - b"answer".len();
    for cut in 0..response.len() {
        let expected = if cut < structure { OpenError::Truncated } else { OpenError::Failed };
        assert_eq!(open(response[..cut].into()), Err(expected), "{provider:?} {suite} {cut}");
    }
    for bit in 0..response.len() * 8 {
        let opened = open(flipped(&response, bit));
        assert_eq!(opened, Err(OpenError::Failed), "{provider:?} {suite} {bit}");
    }
}

/// Every bit of the response nonce, of the ciphertext and of the tag.
#[test]
fn every_truncation_and_flipped_bit_of_a_response_is_refused() {
    for provider in providers() {
        for suite in suites() {
            check_damaged_responses(suite, provider);
        }
    }
}
