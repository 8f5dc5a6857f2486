//! Every suite against the pseudocode of RFC 9458 §4.3 and §4.4, written out over the `hpke`
//! crate's own KEM and AEADs.

mod common;

use std::convert::Infallible;

use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20poly1305::ChaCha20Poly1305;
use common::{KEY_ID, NOW, recipient, ring, suites};
use hkdf::{Hkdf, hmac::EagerHash};
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable,
    aead::{Aead, AesGcm128, AesGcm256},
    kdf::{HkdfSha256, HkdfSha384, HkdfSha512, Kdf},
    kem::X25519HkdfSha256,
};
use oblivious_hpke::KeyPair;
use oblivious_keys::{AeadId, KdfId, SymmetricSuite};
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Sha256, Sha384, Sha512};

/// Calls a function that is generic over KDF, hash, AEAD and the AEAD's implementation.
macro_rules! for_suite {
    ($suite:expr, $function:ident $arguments:tt) => {
        match ($suite.kdf, $suite.aead) {
            (KdfId::HKDF_SHA256, aead) => for_suite!(@ HkdfSha256, Sha256, aead, $function $arguments),
            (KdfId::HKDF_SHA384, aead) => for_suite!(@ HkdfSha384, Sha384, aead, $function $arguments),
            (KdfId::HKDF_SHA512, aead) => for_suite!(@ HkdfSha512, Sha512, aead, $function $arguments),
            other => panic!("no such suite: {other:?}"),
        }
    };
    (@ $kdf:ty, $hash:ty, $aead:ident, $function:ident $arguments:tt) => {
        match $aead {
            AeadId::AES_128_GCM => $function::<$kdf, $hash, AesGcm128, Aes128Gcm> $arguments,
            AeadId::AES_256_GCM => $function::<$kdf, $hash, AesGcm256, Aes256Gcm> $arguments,
            AeadId::CHACHA20_POLY1305 => $function::<
                $kdf, $hash, hpke::aead::ChaCha20Poly1305, ChaCha20Poly1305,
            > $arguments,
            other => panic!("no such AEAD: {other:?}"),
        }
    };
}

fn header(suite: SymmetricSuite) -> Vec<u8> {
    let [kdf, aead] = [suite.kdf.0, suite.aead.0].map(u16::to_be_bytes);
    [&[KEY_ID, 0, 0x20][..], &kdf, &aead].concat()
}

fn info(suite: SymmetricSuite) -> Vec<u8> {
    [b"message/bhttp request", &[0][..], &header(suite)].concat()
}

/// RFC 9458 §4.4, up to the AEAD's key and nonce.
fn response_key<H: EagerHash>(
    secret: &[u8],
    enc: &[u8],
    response_nonce: &[u8],
    key_len: usize,
) -> (Vec<u8>, Vec<u8>) {
    let prk = Hkdf::<H>::new(Some(&[enc, response_nonce].concat()), secret);
    let (mut key, mut nonce) = (vec![0; key_len], vec![0; 12]);
    prk.expand(b"key", &mut key).unwrap();
    prk.expand(b"nonce", &mut nonce).unwrap();
    (key, nonce)
}

/// A client of the pseudocode asks our gateway.
fn reference_client<D: Kdf, H: EagerHash, A: Aead, C: aes_gcm::KeyInit + aes_gcm::aead::Aead>(
    suite: SymmetricSuite,
) {
    let ring = ring();
    let published = ring.config_list().unwrap();
    let public_key =
        <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(published.configs()[0].public_key());
    let (enc, mut context) = hpke::setup_sender_with_rng::<A, D, X25519HkdfSha256>(
        &OpModeS::Base,
        &public_key.unwrap(),
        &info(suite),
        &mut FixedRng([3; 32].into()),
    )
    .unwrap();
    let sealed = context.seal(b"question", b"").unwrap();
    let request = [&header(suite)[..], &enc.to_bytes(), &sealed].concat();

    let (question, reply) = ring.at(NOW).decapsulate(request[..].into()).unwrap();
    assert_eq!(question, "question");
    let response = reply.seal(b"answer").unwrap();

    let nonce_len = C::key_size().max(12);
    let mut secret = vec![0; nonce_len];
    context.export(b"message/bhttp response", &mut secret).unwrap();
    let (response_nonce, sealed) = response.split_at(nonce_len);
    let (key, nonce) = response_key::<H>(&secret, &enc.to_bytes(), response_nonce, C::key_size());
    let aead = C::new_from_slice(&key).unwrap();
    let answer = aead.decrypt(nonce[..].try_into().unwrap(), sealed).unwrap();
    assert_eq!(answer, b"answer");
}

/// Our client asks a gateway of the pseudocode.
fn reference_gateway<D: Kdf, H: EagerHash, A: Aead, C: aes_gcm::KeyInit + aes_gcm::aead::Aead>(
    suite: SymmetricSuite,
) {
    let pair = KeyPair::derive(common::X25519, &[KEY_ID; 32], oblivious_hpke::Provider::default())
        .unwrap();
    let published = ring().config_list().unwrap();
    let (request, pending) = recipient(&published, suite).encapsulate(b"question").unwrap();

    let (request_header, rest) = request.split_at(7);
    let (enc, sealed) = rest.split_at(32);
    assert_eq!(request_header, header(suite));
    let secret_key = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(pair.expose_secret_key());
    let mut context = hpke::setup_receiver::<A, D, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret_key.unwrap(),
        &<X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(enc).unwrap(),
        &info(suite),
    )
    .unwrap();
    assert_eq!(context.open(sealed, b"").unwrap(), b"question");

    let nonce_len = C::key_size().max(12);
    let mut secret = vec![0; nonce_len];
    context.export(b"message/bhttp response", &mut secret).unwrap();
    let response_nonce = vec![0x77; nonce_len];
    let (key, nonce) = response_key::<H>(&secret, enc, &response_nonce, C::key_size());
    let aead = C::new_from_slice(&key).unwrap();
    let sealed = aead.encrypt(nonce[..].try_into().unwrap(), &b"answer"[..]).unwrap();
    let response = [response_nonce, sealed].concat();
    assert_eq!(pending.open(response[..].into()).unwrap(), "answer");
}

/// RFC 9458 §4.3 and §4.4
#[test]
fn a_client_of_the_pseudocode_is_understood_in_every_suite() {
    for suite in suites() {
        for_suite!(suite, reference_client(suite));
    }
}

/// RFC 9458 §4.3 and §4.4
#[test]
fn a_gateway_of_the_pseudocode_is_understood_in_every_suite() {
    for suite in suites() {
        for_suite!(suite, reference_gateway(suite));
    }
}

/// A generator that returns known bytes, once.
struct FixedRng(Vec<u8>);

impl TryRng for FixedRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&std::mem::replace(&mut self.0, rest));
        Ok(())
    }
}

impl TryCryptoRng for FixedRng {}
