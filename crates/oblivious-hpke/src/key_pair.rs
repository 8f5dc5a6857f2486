//! A gateway's key pair.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use oblivious_keys::{KemId, KeyConfig, KeyConfigError, SymmetricSuite};
use zeroize::Zeroizing;

use crate::{
    KeyPairError, Provider, Random,
    suite::{KemTable, SerializedPair},
};

/// A private key of a KEM, together with its public key.
///
/// Do not use the key for another protocol under the same labels (RFC 9458 §6.4): a message sealed
/// for one could be opened as the other. Another protocol over HPKE needs its own key; another
/// protocol over this encapsulation needs its own [`Labels`](crate::Labels), and better its own
/// key.
///
/// The private key is overwritten when the pair is dropped. It cannot be cloned, and `Debug` shows
/// only the public half.
pub struct KeyPair {
    kem: &'static KemTable,
    random: &'static dyn Random,
    pair: SerializedPair,
}

impl KeyPair {
    /// Makes a new key pair from the provider's randomness.
    ///
    /// # Errors
    /// If the provider does not have the KEM, or there is no randomness.
    pub fn generate(kem: KemId, provider: Provider) -> Result<Self, KeyPairError> {
        let table = table_of(kem, provider)?;
        let mut seed = Zeroizing::new(alloc::vec![0; (table.secret_key_len)()]);
        provider.random().fill(&mut seed).map_err(|_| KeyPairError::Randomness)?;
        Self::derive(kem, &seed, provider)
    }

    /// Derives a key pair from a secret seed: the same seed gives the same pair everywhere
    /// (DeriveKeyPair of RFC 9180 §7.1.3, with the seed as `ikm`).
    ///
    /// # Errors
    /// If the provider does not have the KEM, or the seed is shorter than a private key. Its bytes
    /// must be random: do not use a password.
    pub fn derive(kem: KemId, seed: &[u8], provider: Provider) -> Result<Self, KeyPairError> {
        let table = table_of(kem, provider)?;
        if seed.len() < (table.secret_key_len)() {
            return Err(KeyPairError::ShortSeed { kem, at_least: (table.secret_key_len)() });
        }
        Ok(Self { kem: table, random: provider.random(), pair: (table.derive_key_pair)(seed) })
    }

    /// Loads a pair from a private key, serialized as RFC 9180 §7.1.2 says.
    ///
    /// # Errors
    /// If the provider does not have the KEM, or the bytes are not one of its private keys.
    pub fn from_secret_key(
        kem: KemId,
        secret_key: &[u8],
        provider: Provider,
    ) -> Result<Self, KeyPairError> {
        let table = table_of(kem, provider)?;
        let invalid = KeyPairError::InvalidSecretKey { kem, expected: (table.secret_key_len)() };
        let pair = (table.load_key_pair)(secret_key).map_err(|_| invalid)?;
        Ok(Self { kem: table, random: provider.random(), pair })
    }

    /// The KEM of the pair.
    pub fn kem(&self) -> KemId {
        self.kem.id
    }

    /// The public key, serialized as RFC 9180 §7.1.1 says.
    pub fn public_key(&self) -> &Bytes {
        &self.pair.public_key
    }

    /// The private key, serialized as RFC 9180 §7.1.2 says. Only for saving it.
    pub fn expose_secret_key(&self) -> &[u8] {
        &self.pair.secret_key
    }

    /// The key configuration that publishes the public key under `key_id`.
    ///
    /// # Errors
    /// If there is no suite, or there are too many for the encoding.
    pub fn config(
        &self,
        key_id: u8,
        suites: Vec<SymmetricSuite>,
    ) -> Result<KeyConfig, KeyConfigError> {
        KeyConfig::new(key_id, self.kem(), self.public_key().clone(), suites)
    }

    pub(crate) fn table(&self) -> &'static KemTable {
        self.kem
    }

    pub(crate) fn random(&self) -> &'static dyn Random {
        self.random
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair")
            .field("kem", &self.kem())
            .field("public_key", self.public_key())
            .finish_non_exhaustive()
    }
}

fn table_of(kem: KemId, provider: Provider) -> Result<&'static KemTable, KeyPairError> {
    provider.kem(kem).ok_or(KeyPairError::UnsupportedKem(kem))
}
