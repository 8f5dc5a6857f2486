//! What a suite does, as traits for trait objects.

use alloc::boxed::Box;
use core::marker::PhantomData;

use hkdf::hmac::EagerHash;
use hpke::{HpkeError, aead::Aead};
use oblivious_keys::KdfId;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// The length of an authentication tag, Nt: the same for every AEAD of RFC 9180 §7.3.
pub(crate) const TAG_LEN: usize = 16;
/// The length of an AEAD nonce, Nn: likewise.
pub(crate) const NONCE_LEN: usize = 12;
/// The longest AEAD key, Nk.
pub(crate) const MAX_KEY_LEN: usize = 32;

/// The operation failed. The reason is not given, since it could help an attacker.
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

/// Seals one chunk after another.
pub(crate) trait SealChunk: Send + Sync {
    /// Encrypts `message` in place and fills in `tag`.
    fn seal_chunk(
        &mut self,
        aad: &[u8],
        message: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), Failed>;
}

/// Opens one chunk after another.
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
    pub(crate) fn export(
        len: usize,
        export: impl FnOnce(&mut [u8]) -> Result<(), HpkeError>,
    ) -> Result<Self, Failed> {
        let mut bytes = Zeroizing::new([0; MAX_KEY_LEN]);
        export(&mut bytes[..len])?;
        Ok(Self { bytes, len })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// max(Nn, Nk) of an AEAD (RFC 9458 §4.4).
pub(crate) fn entropy_len<A: Aead>() -> usize {
    <A::AeadImpl as aes_gcm::KeySizeUser>::key_size().max(NONCE_LEN)
}

/// Marker types, which are never instantiated.
pub(crate) type Marker<T> = PhantomData<fn() -> T>;

/// A KDF of the `hpke` crate, and its hash for the response's Extract and Expand.
pub(crate) trait Kdf: 'static {
    type Hpke: hpke::kdf::Kdf + Send + Sync;
    type Hash: EagerHash;
    const ID: KdfId;
}
