//! Keys and generators for the tests.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::convert::Infallible;

use oblivious_hpke::{KeyPair, KeyRing, Provider, Recipient};
use oblivious_keys::{AeadId, KdfId, KemId, KeyConfigList, Preferences, SymmetricSuite};
use rand_core::{TryCryptoRng, TryRng};

pub(crate) const X25519: KemId = KemId::X25519_HKDF_SHA256;
pub(crate) const KEY_ID: u8 = 1;

/// Every suite of the default provider.
pub(crate) fn suites() -> Vec<SymmetricSuite> {
    let kdfs = [KdfId::HKDF_SHA256, KdfId::HKDF_SHA384, KdfId::HKDF_SHA512];
    let aeads = [AeadId::AES_128_GCM, AeadId::AES_256_GCM, AeadId::CHACHA20_POLY1305];
    let pairs = kdfs.into_iter().flat_map(|kdf| aeads.map(|aead| SymmetricSuite { kdf, aead }));
    pairs.collect()
}

/// A ring with one key that accepts every suite.
pub(crate) fn ring() -> KeyRing {
    ring_with(&[KEY_ID])
}

/// A ring with a different key under each id.
pub(crate) fn ring_with(key_ids: &[u8]) -> KeyRing {
    let mut ring = KeyRing::new();
    for &key_id in key_ids {
        let pair = KeyPair::derive(X25519, &[key_id; 32], Provider::default()).unwrap();
        ring.add(key_id, pair, suites()).unwrap();
    }
    ring
}

/// The client's end of a published list, for one suite.
pub(crate) fn recipient(published: &KeyConfigList, suite: SymmetricSuite) -> Recipient {
    let preferences = Preferences::new(vec![X25519], vec![suite]);
    Recipient::select(published, &preferences, Provider::default()).unwrap()
}

/// A generator that returns known bytes, once, to reproduce published messages.
pub(crate) struct FixedRng(Vec<u8>);

impl FixedRng {
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    pub(crate) fn is_used_up(&self) -> bool {
        self.0.is_empty()
    }
}

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
