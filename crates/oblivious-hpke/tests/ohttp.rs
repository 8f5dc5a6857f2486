//! Agreement with the independent crate `ohttp`, in both directions.

mod common;

use common::{FixedRng, KEY_ID, X25519, recipient};
use oblivious_hpke::{KeyPair, KeyRing, Provider};
use oblivious_keys::{KeyConfigList, SymmetricSuite};
use ohttp::hpke::{Aead, Kdf, Kem};
use proptest::{collection::vec, prelude::*};

/// The suites that both have. `ohttp` names AES-256-GCM too, but accepts it in no configuration;
/// `tests/reference.rs` checks it against the documents' pseudocode.
const SUITES: [(SymmetricSuite, Aead); 2] = [
    (SymmetricSuite::HKDF_SHA256_AES_128_GCM, Aead::Aes128Gcm),
    (SymmetricSuite::HKDF_SHA256_CHACHA20_POLY1305, Aead::ChaCha20Poly1305),
];

/// A gateway of theirs that takes one suite.
fn their_server(aead: Aead) -> ohttp::Server {
    let suite = ohttp::SymmetricSuite::new(Kdf::HkdfSha256, aead);
    let config = ohttp::KeyConfig::new(KEY_ID, Kem::X25519Sha256, vec![suite]).unwrap();
    ohttp::Server::new(config).unwrap()
}

fn any_suite() -> impl Strategy<Value = (SymmetricSuite, Aead)> {
    prop::sample::select(SUITES.to_vec())
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![9 => vec(any::<u8>(), 0..300), 1 => vec(any::<u8>(), 0..20_000)]
}

/// The same seed gives the same key on both sides (DeriveKeyPair, RFC 9180 §7.1.3).
#[test]
fn a_seed_derives_the_same_configuration() {
    let suite = ohttp::SymmetricSuite::new(Kdf::HkdfSha256, Aead::Aes128Gcm);
    let seed = [0x42; 32];
    let theirs = ohttp::KeyConfig::derive(KEY_ID, Kem::X25519Sha256, vec![suite], &seed).unwrap();
    let pair = KeyPair::derive(X25519, &seed, Provider::default()).unwrap();
    let ours = pair.config(KEY_ID, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM]).unwrap();
    let mut encoded = Vec::new();
    ours.encode(&mut encoded);
    assert_eq!(encoded, theirs.encode().unwrap());
}

proptest! {
    // Together about four thousand messages, half of them in each direction.
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn our_client_and_their_gateway_understand_each_other(
        (suite, aead) in any_suite(),
        question in message(),
        answer in message(),
    ) {
        let server = their_server(aead);
        let list = ohttp::KeyConfig::encode_list(&[server.config()]).unwrap();
        let recipient = recipient(&KeyConfigList::decode(&list).unwrap(), suite);

        let (request, pending) = recipient.encapsulate(&question).unwrap();
        let (opened, reply) = server.decapsulate(&request).unwrap();
        prop_assert_eq!(opened, question);
        let response = reply.encapsulate(&answer).unwrap();
        prop_assert_eq!(pending.open(response[..].into()).unwrap(), answer);
    }

    #[test]
    fn their_client_and_our_gateway_understand_each_other(
        (suite, _) in any_suite(),
        seed: [u8; 32],
        question in message(),
        answer in message(),
    ) {
        let mut rng = FixedRng::new(seed);
        let pair = KeyPair::generate_with_rng(X25519, Provider::default(), &mut rng).unwrap();
        let mut ring = KeyRing::new();
        ring.add(KEY_ID, pair, vec![suite]).unwrap();

        let list = ring.config_list().unwrap().encode();
        let client = ohttp::ClientRequest::from_encoded_config_list(&list).unwrap();
        let (request, pending) = client.encapsulate(&question).unwrap();
        let (opened, reply) = ring.decapsulate(request[..].into()).unwrap();
        prop_assert_eq!(opened, question);
        let response = reply.seal(&answer).unwrap();
        prop_assert_eq!(pending.decapsulate(&response).unwrap(), answer);
    }
}
