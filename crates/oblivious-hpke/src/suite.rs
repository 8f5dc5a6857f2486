//! What a ciphersuite can do, behind objects, so that it can be chosen at run time.
//!
//! Each combination of KEM, KDF and AEAD is compiled from the same generic code. [`KemTable`] and
//! [`SuiteTable`] hold the function pointers by which a configuration's identifiers reach it.

use alloc::{boxed::Box, vec::Vec};
use core::marker::PhantomData;

use aes_gcm::aead::{AeadInOut, KeyInit, KeySizeUser, Nonce, Tag, inout::InOutBuf};
use bytes::Bytes;
use hkdf::{Hkdf, hmac::EagerHash};
use hpke::{
    Deserializable, HpkeError, Kem, OpModeR, OpModeS, Serializable,
    aead::{Aead, AeadTag},
};
use oblivious_keys::{AeadId, KdfId, KemId, SymmetricSuite};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{Labels, header::RequestHeader};

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
}

/// Seals and opens responses (RFC 9458 §4.4).
pub(crate) trait ResponseCipher: Send + Sync {
    /// The length of the response nonce, max(Nn, Nk), in bytes.
    fn nonce_len(&self) -> usize;

    /// Encrypts `message` in place and fills in `tag`. `salt` is `enc` and the response nonce.
    fn seal(
        &self,
        secret: &ResponseSecret,
        salt: &[u8],
        message: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), Failed>;

    /// Decrypts `message` in place. `salt` is `enc` and the response nonce.
    fn open(
        &self,
        secret: &ResponseSecret,
        salt: &[u8],
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

/// One KEM of a provider, with the suites it can be combined with.
pub(crate) struct KemTable {
    pub(crate) id: KemId,
    /// The length of a private key, Nsk, in bytes.
    pub(crate) secret_key_len: usize,
    /// DeriveKeyPair (RFC 9180 §7.1.3).
    pub(crate) derive_key_pair: fn(ikm: &[u8]) -> SerializedPair,
    /// The pair of a serialized private key.
    pub(crate) load_key_pair: fn(secret_key: &[u8]) -> Result<SerializedPair, Failed>,
    pub(crate) suites: &'static [SuiteTable],
}

impl KemTable {
    pub(crate) const fn new<K: Kem>(
        id: KemId,
        secret_key_len: usize,
        suites: &'static [SuiteTable],
    ) -> Self {
        Self {
            id,
            secret_key_len,
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
    fn new<K: Kem>(secret: &K::PrivateKey) -> Self {
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
        K: Kem + 'static,
        K::PublicKey: Send + Sync,
        K::PrivateKey: Send + Sync,
        D: Kdf,
        A: Aead + 'static,
    {
        Self {
            suite: SymmetricSuite { kdf: D::ID, aead: AeadId(A::AEAD_ID) },
            sender: |public_key, info| {
                let key = K::PublicKey::from_bytes(public_key)?;
                Ok(Box::new(KeyAndInfo::<K, D, A, _> { key, info, suite: PhantomData }))
            },
            receiver: |secret_key, info| {
                let key = K::PrivateKey::from_bytes(secret_key)?;
                Ok(Box::new(KeyAndInfo::<K, D, A, _> { key, info, suite: PhantomData }))
            },
            response: &Response::<D, A>(PhantomData),
        }
    }
}

/// A KDF of the `hpke` crate, and its hash for the response's Extract and Expand.
pub(crate) trait Kdf: 'static {
    type Hpke: hpke::kdf::Kdf;
    type Hash: EagerHash;
    const ID: KdfId;
}

/// What HPKE is told about the messages, computed once for a key and suite.
pub(crate) struct Info {
    request: Vec<u8>,
    response_label: &'static [u8],
}

impl Info {
    pub(crate) fn new(header: &RequestHeader, labels: &Labels) -> Self {
        Self { request: header.info(labels), response_label: labels.response }
    }
}

/// A key parsed for one suite: a [`Sender`] over a public key, a [`Receiver`] over a private one.
struct KeyAndInfo<K, D, A, Key> {
    key: Key,
    info: Info,
    suite: Marker<(K, D, A)>,
}

impl<K, D, A> Sender for KeyAndInfo<K, D, A, K::PublicKey>
where
    K: Kem,
    K::PublicKey: Send + Sync,
    D: Kdf,
    A: Aead,
{
    fn seal(
        &self,
        mut rng: &mut dyn CryptoRng,
        enc: &mut [u8],
        message: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<ResponseSecret, Failed> {
        let (encapped_key, mut context) = hpke::setup_sender_with_rng::<A, D::Hpke, K>(
            &OpModeS::Base,
            &self.key,
            &self.info.request,
            &mut rng,
        )?;
        encapped_key.write_exact(enc);
        context.seal_inout_detached(InOutBuf::from(message), &[])?.write_exact(tag);
        ResponseSecret::export(entropy_len::<A>(), |out| {
            context.export(self.info.response_label, out)
        })
    }
}

impl<K, D, A> Receiver for KeyAndInfo<K, D, A, K::PrivateKey>
where
    K: Kem,
    K::PrivateKey: Send + Sync,
    D: Kdf,
    A: Aead,
{
    fn open(
        &self,
        enc: &[u8],
        message: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<ResponseSecret, Failed> {
        let enc = K::EncappedKey::from_bytes(enc)?;
        let mut context = hpke::setup_receiver::<A, D::Hpke, K>(
            &OpModeR::Base,
            &self.key,
            &enc,
            &self.info.request,
        )?;
        let tag = AeadTag::from_bytes(tag)?;
        context.open_inout_detached(InOutBuf::from(message), &[], &tag)?;
        ResponseSecret::export(entropy_len::<A>(), |out| {
            context.export(self.info.response_label, out)
        })
    }
}

/// max(Nn, Nk) of an AEAD (RFC 9458 §4.4).
fn entropy_len<A: Aead>() -> usize {
    A::AeadImpl::key_size().max(NONCE_LEN)
}

struct Response<D, A>(Marker<(D, A)>);

impl<D: Kdf, A: Aead> Response<D, A> {
    // prk = Extract(salt, secret)                   RFC 9458 §4.4
    // aead_key = Expand(prk, "key", Nk)
    // aead_nonce = Expand(prk, "nonce", Nn)
    fn aead(
        secret: &ResponseSecret,
        salt: &[u8],
    ) -> Result<(A::AeadImpl, Nonce<A::AeadImpl>), Failed> {
        let prk = Hkdf::<D::Hash>::new(Some(salt), secret.as_bytes());
        let mut room = Zeroizing::new([0; MAX_KEY_LEN]);
        let key = &mut room[..A::AeadImpl::key_size()];
        prk.expand(b"key", key).map_err(|_| Failed)?;
        let mut nonce = Nonce::<A::AeadImpl>::default();
        prk.expand(b"nonce", &mut nonce).map_err(|_| Failed)?;
        let aead = A::AeadImpl::new_from_slice(key).map_err(|_| Failed)?;
        Ok((aead, nonce))
    }
}

impl<D: Kdf, A: Aead> ResponseCipher for Response<D, A> {
    fn nonce_len(&self) -> usize {
        entropy_len::<A>()
    }

    fn seal(
        &self,
        secret: &ResponseSecret,
        salt: &[u8],
        message: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), Failed> {
        let (aead, nonce) = Self::aead(secret, salt)?;
        let sealed = aead.encrypt_inout_detached(&nonce, &[], message.into());
        tag.copy_from_slice(&sealed.map_err(|_| Failed)?);
        Ok(())
    }

    fn open(
        &self,
        secret: &ResponseSecret,
        salt: &[u8],
        message: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Failed> {
        let (aead, nonce) = Self::aead(secret, salt)?;
        let tag = Tag::<A::AeadImpl>::try_from(&tag[..]).map_err(|_| Failed)?;
        aead.decrypt_inout_detached(&nonce, &[], message.into(), &tag).map_err(|_| Failed)
    }
}
