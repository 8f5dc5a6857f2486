//! Keys and generators for the tests.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod chunks;

use std::sync::Mutex;

use oblivious_hpke::{KeyPair, KeyRing, Provider, Random, RandomError, Recipient, UnixSeconds};
use oblivious_keys::{AeadId, KdfId, KemId, KeyConfigList, SymmetricSuite};

pub(crate) const X25519: KemId = KemId::X25519_HKDF_SHA256;
pub(crate) const KEY_ID: u8 = 1;

/// Every provider that is compiled in.
pub(crate) fn providers() -> Vec<Provider> {
    vec![
        Provider::rust_crypto(),
        #[cfg(feature = "aws-lc")]
        Provider::aws_lc(),
        #[cfg(feature = "graviola")]
        Provider::graviola().unwrap(),
    ]
}

/// Every provider to seal with, and every one to open with.
pub(crate) fn provider_pairs() -> Vec<(Provider, Provider)> {
    let all = providers();
    all.iter().flat_map(|&one| all.iter().map(move |&other| (one, other))).collect()
}

/// Every KEM that is compiled in.
pub(crate) fn kems() -> Vec<KemId> {
    vec![
        X25519,
        #[cfg(feature = "nist")]
        KemId::P256_HKDF_SHA256,
        #[cfg(feature = "nist")]
        KemId::P384_HKDF_SHA384,
        #[cfg(feature = "nist")]
        KemId::P521_HKDF_SHA512,
        #[cfg(feature = "post-quantum")]
        KemId::X_WING,
        #[cfg(feature = "post-quantum")]
        KemId::ML_KEM_768,
        #[cfg(feature = "post-quantum")]
        KemId::ML_KEM_1024,
        #[cfg(all(feature = "post-quantum", feature = "nist"))]
        KemId::MLKEM768_P256,
        #[cfg(all(feature = "post-quantum", feature = "nist"))]
        KemId::MLKEM1024_P384,
    ]
}

/// Every suite.
pub(crate) fn suites() -> Vec<SymmetricSuite> {
    let kdfs = [KdfId::HKDF_SHA256, KdfId::HKDF_SHA384, KdfId::HKDF_SHA512];
    let aeads = [AeadId::AES_128_GCM, AeadId::AES_256_GCM, AeadId::CHACHA20_POLY1305];
    let pairs = kdfs.into_iter().flat_map(|kdf| aeads.map(|aead| SymmetricSuite { kdf, aead }));
    pairs.collect()
}

/// A ring with one X25519 key that accepts every suite.
pub(crate) fn ring() -> KeyRing {
    ring_with(&[KEY_ID])
}

/// A ring with a different X25519 key under each id.
pub(crate) fn ring_with(key_ids: &[u8]) -> KeyRing {
    let mut ring = KeyRing::new();
    for &key_id in key_ids {
        let pair = KeyPair::derive(X25519, &[key_id; 32], Provider::default()).unwrap();
        ring.add(key_id, pair, suites()).unwrap();
    }
    ring
}

/// A ring with one key of any KEM that accepts every suite; the same at every call.
pub(crate) fn ring_of(kem: KemId, provider: Provider) -> KeyRing {
    let pair = KeyPair::derive(kem, &[KEY_ID; 66], provider).unwrap();
    let mut ring = KeyRing::new();
    ring.add(KEY_ID, pair, suites()).unwrap();
    ring
}

/// The client's end of a published list, for one suite.
pub(crate) fn recipient(published: &KeyConfigList, suite: SymmetricSuite) -> Recipient {
    Recipient::new(&published.configs()[0], suite, Provider::default()).unwrap()
}

/// The time of the tests' requests, where keys are valid at any time.
pub(crate) const NOW: UnixSeconds = UnixSeconds::EPOCH;

/// Known bytes in place of randomness, each once, to reproduce published messages.
pub(crate) struct KnownRandom(Mutex<Vec<u8>>);

impl KnownRandom {
    /// A test makes few of them, so each may stay.
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> &'static Self {
        Box::leak(Box::new(Self(Mutex::new(bytes.into()))))
    }

    pub(crate) fn is_used_up(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

impl Random for KnownRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        let mut left = self.0.lock().unwrap();
        if left.len() < out.len() {
            return Err(RandomError);
        }
        let rest = left.split_off(out.len());
        out.copy_from_slice(&std::mem::replace(&mut *left, rest));
        Ok(())
    }
}

/// One byte in place of randomness, over and over: the same request at every call.
pub(crate) struct SameByte(pub(crate) u8);

impl Random for SameByte {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(self.0);
        Ok(())
    }
}
