//! What a ciphersuite can do, behind objects, so that it can be chosen at run time.
//!
//! Each combination of KEM, KDF and AEAD is compiled from the same generic code. [`KemTable`] and
//! [`SuiteTable`] hold the function pointers by which a configuration's identifiers reach it.

mod context;
mod response;

use alloc::{boxed::Box, vec::Vec};
use core::marker::PhantomData;

use bytes::Bytes;
use hkdf::hmac::EagerHash;
use hpke::{Deserializable, HpkeError, Serializable, aead::Aead, inout::InOutBuf};
use oblivious_keys::{AeadId, KdfId, KemId, SymmetricSuite};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{
    kem::PreparedKem,
    labels::Info,
    suite::{context::KeyAndInfo, response::Response},
};

/// The length of an authentication tag, Nt: the same for every AEAD of RFC 9180 §7.3.
pub(crate) const TAG_LEN: usize = 16;
/// The length of an AEAD nonce, Nn: likewise.
const NONCE_LEN: usize = 12;
/// The longest AEAD key, Nk.
const MAX_KEY_LEN: usize = 32;

/// The operation failed. Why is nobody's business: it could tell an attacker something.
#[derive(Debug)]
pub(crate) struct Failed;

impl From<HpkeError> for Failed {
    fn from(_: HpkeError) -> Self {
        Self
    }
}

/// Seals requests to one public key under one suite.
pub(crate) trait Sender: Send + Sync {
    /// Fills in `enc`, encrypts `message` in place, and fills in `tag`.
    fn seal(
        &self,
        rng: &mut dyn CryptoRng,
        enc: &mut [u8],
        message: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<ResponseSecret, Failed>;

    /// Fills in `enc`, for a request in chunks.
    fn start(
        &self,
        rng: &mut dyn CryptoRng,
        enc: &mut [u8],
    ) -> Result<(Box<dyn SealChunk>, ResponseSecret), Failed>;

    /// See [`PreparedKem::precompute`].
    fn precompute(&mut self) -> bool;
}

/// Opens requests to one private key under one suite.
pub(crate) trait Receiver: Send + Sync {
    /// Decrypts `message` in place.
    fn open(
        &self,
        enc: &[u8],
        message: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<ResponseSecret, Failed>;

    /// Begins a request in chunks.
    fn start(&self, enc: &[u8]) -> Result<(Box<dyn OpenChunk>, ResponseSecret), Failed>;
}

/// Seals and opens responses (RFC 9458 §4.4). The `salt` is `enc` and the response nonce.
pub(crate) trait ResponseCipher: Send + Sync {
    /// The length of the response nonce, max(Nn, Nk), in bytes.
    fn nonce_len(&self) -> usize;

    /// Encrypts `message` in place and fills in `tag`.
    fn seal(
        &self,
        secret: &ResponseSecret,
        salt: &[u8],
        message: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), Failed>;

    /// Decrypts `message` in place.
    fn open(
        &self,
        secret: &ResponseSecret,
        salt: &[u8],
        message: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Failed>;

    /// Begins a response in chunks.
    fn sealer(&self, secret: &ResponseSecret, salt: &[u8]) -> Result<Box<dyn SealChunk>, Failed>;

    /// Begins a response in chunks.
    fn opener(&self, secret: &ResponseSecret, salt: &[u8]) -> Result<Box<dyn OpenChunk>, Failed>;
}

/// Seals one chunk after the other.
pub(crate) trait SealChunk: Send + Sync {
    /// Encrypts `message` and fills in `tag`.
    fn seal_chunk(
        &mut self,
        aad: &[u8],
        message: InOutBuf<'_, '_, u8>,
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), Failed>;
}

/// Opens one chunk after the other.
pub(crate) trait OpenChunk: Send + Sync {
    /// Decrypts `message` in place.
    fn open_chunk(
        &mut self,
        aad: &[u8],
        message: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Failed>;
}

/// What a request's HPKE context exports for its response (RFC 9458 §4.4): max(Nn, Nk) bytes.
pub(crate) struct ResponseSecret {
    bytes: Zeroizing<[u8; MAX_KEY_LEN]>,
    len: usize,
}

impl ResponseSecret {
    /// A secret of `len` bytes that `export` writes.
    fn export(
        len: usize,
        export: impl FnOnce(&mut [u8]) -> Result<(), HpkeError>,
    ) -> Result<Self, Failed> {
        let mut bytes = Zeroizing::new([0; MAX_KEY_LEN]);
        export(&mut bytes[..len])?;
        Ok(Self { bytes, len })
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// max(Nn, Nk) of an AEAD (RFC 9458 §4.4).
fn entropy_len<A: Aead>() -> usize {
    <A::AeadImpl as aes_gcm::KeySizeUser>::key_size().max(NONCE_LEN)
}

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

/// Types that are chosen and never held.
type Marker<T> = PhantomData<fn() -> T>;

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

/// A KDF of the `hpke` crate, and its hash for the response's Extract and Expand.
pub(crate) trait Kdf: 'static {
    type Hpke: hpke::kdf::Kdf + Send + Sync;
    type Hash: EagerHash;
    const ID: KdfId;
}
