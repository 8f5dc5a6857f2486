//! From identifiers to the code of their combination.

use alloc::{boxed::Box, vec::Vec};

use bytes::Bytes;
use hpke::{Deserializable, Serializable, aead::Aead};
use oblivious_keys::{AeadId, KemId, SymmetricSuite};
use zeroize::Zeroizing;

use super::{
    context::KeyAndInfo,
    objects::{Failed, Kdf, Receiver, ResponseCipher, Sender},
    response::Response,
};
use crate::{kem::PreparedKem, labels::Info};

/// One KEM of a provider, with the suites it can be combined with.
pub(crate) struct KemTable {
    pub(crate) id: KemId,
    /// The length of a private key, Nsk, in bytes.
    pub(crate) secret_key_len: fn() -> usize,
    /// DeriveKeyPair (RFC 9180 §7.1.3).
    pub(crate) derive_key_pair: fn(ikm: &[u8]) -> SerializedPair,
    /// The pair of a serialized private key.
    pub(crate) load_key_pair: fn(secret_key: &[u8]) -> Result<SerializedPair, Failed>,
    pub(crate) suites: &'static [SuiteTable],
}

impl KemTable {
    pub(crate) const fn new<K: PreparedKem>(suites: &'static [SuiteTable]) -> Self {
        Self {
            id: KemId(K::KEM_ID),
            secret_key_len: K::PrivateKey::size,
            derive_key_pair: |ikm| SerializedPair::new::<K>(&K::derive_keypair(ikm).0),
            load_key_pair: |secret_key| {
                Ok(SerializedPair::new::<K>(&K::PrivateKey::from_bytes(secret_key)?))
            },
            suites,
        }
    }

    pub(crate) fn suite(&self, suite: SymmetricSuite) -> Option<&'static SuiteTable> {
        self.suites.iter().find(|table| table.suite == suite)
    }
}

/// A key pair in the serialization of its KEM (RFC 9180 §7.1.1 and §7.1.2).
pub(crate) struct SerializedPair {
    pub(crate) secret_key: Zeroizing<Vec<u8>>,
    pub(crate) public_key: Bytes,
}

impl SerializedPair {
    fn new<K: PreparedKem>(secret: &K::PrivateKey) -> Self {
        let mut secret_key = Zeroizing::new(alloc::vec![0; K::PrivateKey::size()]);
        secret.write_exact(&mut secret_key);
        let public_key = Bytes::copy_from_slice(&K::sk_to_pk(secret).to_bytes());
        Self { secret_key, public_key }
    }
}

/// What a key of the right form is made into.
type Keyed<T> = Result<Box<T>, Failed>;

/// One suite: makes senders and receivers, and holds the response's side.
pub(crate) struct SuiteTable {
    pub(crate) suite: SymmetricSuite,
    pub(crate) sender: fn(public_key: &[u8], info: Info) -> Keyed<dyn Sender>,
    pub(crate) receiver: fn(secret_key: &[u8], info: Info) -> Keyed<dyn Receiver>,
    pub(crate) response: &'static dyn ResponseCipher,
}

impl SuiteTable {
    pub(crate) const fn new<K, D, A>() -> Self
    where
        K: PreparedKem,
        D: Kdf,
        A: Aead + 'static,
    {
        Self {
            suite: SymmetricSuite { kdf: D::ID, aead: AeadId(A::AEAD_ID) },
            sender: |public_key, info| {
                Ok(Box::new(KeyAndInfo::<K, D, A, K::PublicKey>::new(public_key, info)?))
            },
            receiver: |secret_key, info| {
                Ok(Box::new(KeyAndInfo::<K, D, A, K::PrivateKey>::new(secret_key, info)?))
            },
            response: &Response::<D, A>::NEW,
        }
    }
}
