//! RFC 9458 Appendix A, byte for byte: both sides, sealing and opening.

mod common;

use bytes::BytesMut;
use common::{KnownRandom, NOW, providers};
use hex_literal::hex;
use oblivious_hpke::{KeyPair, KeyRing, Provider, Recipient};
use oblivious_keys::{KemId, KeyConfig, SymmetricSuite};

const SECRET_KEY: [u8; 32] =
    hex!("3c168975674b2fa8e465970b79c8dcf09f1c741626480bd4c6162fc5b6a98e1a");
const KEY_CONFIG: [u8; 45] = hex!(
    "01002031e1f05a740102115220e9af918f738674aec95f54db6e04eb705aae8e79815500080001000100010003"
);
const REQUEST: [u8; 25] = hex!("00034745540568747470730b6578616d706c652e636f6d012f");
const EPHEMERAL_SECRET_KEY: [u8; 32] =
    hex!("bc51d5e930bda26589890ac7032f70ad12e4ecb37abb1b65b1256c9c48999c73");
const ENC: [u8; 32] = hex!("4b28f881333e7c164ffc499ad9796f877f4e1051ee6d31bad19dec96c208b472");
const ENCAPSULATED_REQUEST: [u8; 80] = hex!(
    "010020000100014b28f881333e7c164ffc499ad9796f877f4e1051ee6d31bad19dec96c208b4726374e469135906992e"
    "1268c594d2a10c695d858c40a026e7965e7d86b83dd440b2c0185204b4d63525"
);
const RESPONSE: [u8; 3] = hex!("0140c8");
const RESPONSE_NONCE: [u8; 16] = hex!("c789e7151fcba46158ca84b04464910d");
const ENCAPSULATED_RESPONSE: [u8; 35] =
    hex!("c789e7151fcba46158ca84b04464910d86f9013e404feea014e7be4a441f234f857fbd");

fn ring(provider: Provider) -> KeyRing {
    let kem = KemId::X25519_HKDF_SHA256;
    let pair = KeyPair::from_secret_key(kem, &SECRET_KEY, provider).unwrap();
    let suites = vec![
        SymmetricSuite::HKDF_SHA256_AES_128_GCM,
        SymmetricSuite::HKDF_SHA256_CHACHA20_POLY1305,
    ];
    let mut ring = KeyRing::new();
    ring.add(1, pair, suites).unwrap();
    ring
}

fn recipient(provider: Provider) -> Recipient {
    let config = KeyConfig::decode_bare(&KEY_CONFIG).unwrap();
    Recipient::new(&config, SymmetricSuite::HKDF_SHA256_AES_128_GCM, provider).unwrap()
}

/// RFC 9458 Appendix A
#[test]
fn the_private_key_publishes_the_configuration_of_the_document() {
    for provider in providers() {
        let list = ring(provider).config_list().unwrap();
        let mut encoded = Vec::new();
        list.configs()[0].encode(&mut encoded);
        assert_eq!(encoded, KEY_CONFIG);
    }
}

/// RFC 9458 Appendix A
#[test]
fn the_client_seals_the_request_and_opens_the_response_of_the_document() {
    for provider in providers() {
        let random = KnownRandom::new(EPHEMERAL_SECRET_KEY);
        let recipient = recipient(provider.with_random(random));
        let (request, pending) = recipient.encapsulate(&REQUEST).unwrap();
        assert!(random.is_used_up());
        assert_eq!(request[..], ENCAPSULATED_REQUEST);

        let response = pending.open(ENCAPSULATED_RESPONSE[..].into()).unwrap();
        assert_eq!(response[..], RESPONSE);
    }
}

/// RFC 9458 Appendix A
#[test]
fn the_gateway_opens_the_request_and_seals_the_response_of_the_document() {
    for provider in providers() {
        let random = KnownRandom::new(RESPONSE_NONCE);
        let ring = ring(provider.with_random(random));
        let (request, reply) = ring.at(NOW).decapsulate(ENCAPSULATED_REQUEST[..].into()).unwrap();
        assert_eq!(request[..], REQUEST);
        assert_eq!(reply.enc(), ENC);
        assert_eq!(reply.header().key_id, 1);

        let response = reply.seal(&RESPONSE).unwrap();
        assert!(random.is_used_up());
        assert_eq!(response[..], ENCAPSULATED_RESPONSE);
    }
}

/// RFC 9458 Appendix A, by way of the functions that write and decrypt in place.
#[test]
fn in_place_the_messages_are_the_same() {
    for provider in providers() {
        let mut out = BytesMut::from("before");
        let recipient = recipient(provider.with_random(KnownRandom::new(EPHEMERAL_SECRET_KEY)));
        let write = |out: &mut BytesMut| {
            out.extend_from_slice(&REQUEST);
            Ok::<_, oblivious_hpke::SealError>(())
        };
        let pending = recipient.encapsulate_into(&mut out, write).unwrap();
        assert_eq!(out[..6], *b"before");
        assert_eq!(out[6..], ENCAPSULATED_REQUEST);

        let ring = ring(provider.with_random(KnownRandom::new(RESPONSE_NONCE)));
        let (request, reply) = ring.at(NOW).open_in_place(&mut out[6..]).unwrap();
        assert_eq!(request, REQUEST);

        let mut out = BytesMut::new();
        let write = |out: &mut BytesMut| {
            out.extend_from_slice(&RESPONSE);
            Ok::<_, oblivious_hpke::SealError>(())
        };
        reply.seal_into(&mut out, write).unwrap();
        assert_eq!(out[..], ENCAPSULATED_RESPONSE);
        assert_eq!(pending.open_in_place(&mut out).unwrap(), RESPONSE);
    }
}
