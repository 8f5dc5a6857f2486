//! Our KEMs as KEMs of the `hpke` crate. Each key is its bytes, together with what was computed
//! from them once.
//!
//! The crate's trait `Kem` has items that are hidden from its documentation. Only this file
//! implements them, and only its tests call them. The one other hidden item in use is `AeadImpl` of
//! the trait `Aead`.

use core::{fmt, marker::PhantomData};

use hpke::{Deserializable, HpkeError, Kem, Serializable, hybrid_array::Array, kem::SharedSecret};
use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::PreparedKem;

/// The length of the longest private key, P-521's, in bytes.
pub(crate) const MAX_SECRET_KEY_LEN: usize = 66;

/// What a KEM does, on byte strings that have the right lengths.
pub(crate) trait Scheme: Sized + Send + Sync + 'static {
    /// The `hpke` crate's own implementation: its numbers and its DeriveKeyPair are used.
    type Hpke: Kem;
    /// A private key, ready for use.
    type Private: Clone + Send + Sync;
    /// A public key, ready for use.
    type Public: Clone + Send + Sync;

    /// Brings a private key into the one form in which it is kept; `None` if it is out of range.
    fn normalize(_: &mut [u8]) -> Option<()> {
        Some(())
    }

    /// Expands a private key.
    fn private(bytes: &[u8]) -> Option<Self::Private>;
    /// Writes the public key of a private key.
    fn write_public(private: &Self::Private, out: &mut [u8]) -> Option<()>;
    /// Checks and expands a public key.
    fn public(bytes: &[u8]) -> Option<Self::Public>;
    /// Encap (RFC 9180 §4), to a public key that is given expanded and as bytes.
    fn encapsulate(
        public: &Self::Public,
        public_bytes: &[u8],
        rng: &mut impl CryptoRng,
        enc: &mut [u8],
        shared: &mut [u8],
    ) -> Option<()>;
    /// Decap (RFC 9180 §4).
    fn decapsulate(private: &Self::Private, enc: &[u8], shared: &mut [u8]) -> Option<()>;
    /// See [`PreparedKem::precompute`].
    fn precompute(_: &mut Self::Public) -> bool {
        false
    }
}

/// The scheme `S` as a KEM of the `hpke` crate.
pub(crate) struct Of<S>(PhantomData<S>);

/// The length of a serialized private key, public key or encapsulated key.
type SecretLen<S> = <<<S as Scheme>::Hpke as Kem>::PrivateKey as Serializable>::OutputSize;
type PublicLen<S> = <<<S as Scheme>::Hpke as Kem>::PublicKey as Serializable>::OutputSize;
type EncLen<S> = <<<S as Scheme>::Hpke as Kem>::EncappedKey as Serializable>::OutputSize;

pub(crate) struct PrivateKey<S: Scheme> {
    expanded: S::Private,
    room: Zeroizing<[u8; MAX_SECRET_KEY_LEN]>,
}

pub(crate) struct PublicKey<S: Scheme> {
    expanded: S::Public,
    bytes: Array<u8, PublicLen<S>>,
}

pub(crate) struct Enc<S: Scheme>(Array<u8, EncLen<S>>);

impl<S: Scheme> PrivateKey<S> {
    /// A key whose serialization `write` writes.
    fn new(write: impl FnOnce(&mut [u8])) -> Result<Self, HpkeError> {
        let mut room = Zeroizing::new([0; MAX_SECRET_KEY_LEN]);
        let bytes = &mut room[..Self::size()];
        write(bytes);
        S::normalize(bytes).ok_or(HpkeError::ValidationError)?;
        let expanded = S::private(bytes).ok_or(HpkeError::ValidationError)?;
        Ok(Self { expanded, room })
    }

    fn as_bytes(&self) -> &[u8] {
        &self.room[..Self::size()]
    }
}

impl<S: Scheme> Kem for Of<S> {
    type PublicKey = PublicKey<S>;
    type PrivateKey = PrivateKey<S>;
    type EncappedKey = Enc<S>;
    type NSecret = <S::Hpke as Kem>::NSecret;

    const KEM_ID: u16 = <S::Hpke as Kem>::KEM_ID;

    fn sk_to_pk(private: &PrivateKey<S>) -> PublicKey<S> {
        let mut bytes = Array::default();
        let written = S::write_public(&private.expanded, &mut bytes);
        let expanded = written.and_then(|()| S::public(&bytes));
        let expanded = expanded.expect("the public key of a private key is valid");
        PublicKey { expanded, bytes }
    }

    /// DeriveKeyPair (RFC 9180 §7.1.3, draft-ietf-hpke-pq §4), by the `hpke` crate.
    fn derive_keypair(ikm: &[u8]) -> (PrivateKey<S>, PublicKey<S>) {
        let (derived, _) = S::Hpke::derive_keypair(ikm);
        let private = PrivateKey::new(|out| derived.write_exact(out));
        let private = private.expect("a derived private key is valid");
        let public = Self::sk_to_pk(&private);
        (private, public)
    }

    // Senders are never authenticated here, so a sender's key is a mistake.
    fn encap_with_rng(
        recipient: &PublicKey<S>,
        sender: Option<(&PrivateKey<S>, &PublicKey<S>)>,
        rng: &mut impl CryptoRng,
    ) -> Result<(SharedSecret<Self>, Enc<S>), HpkeError> {
        let (mut shared, mut enc) = (SharedSecret::default(), Enc(Array::default()));
        let PublicKey { expanded, bytes } = recipient;
        S::encapsulate(expanded, bytes, rng, &mut enc.0, &mut shared.0)
            .filter(|()| sender.is_none())
            .ok_or(HpkeError::EncapError)?;
        Ok((shared, enc))
    }

    fn decap(
        recipient: &PrivateKey<S>,
        sender: Option<&PublicKey<S>>,
        enc: &Enc<S>,
    ) -> Result<SharedSecret<Self>, HpkeError> {
        let mut shared = SharedSecret::default();
        S::decapsulate(&recipient.expanded, &enc.0, &mut shared.0)
            .filter(|()| sender.is_none())
            .ok_or(HpkeError::DecapError)?;
        Ok(shared)
    }
}

impl<S: Scheme> PreparedKem for Of<S> {
    fn precompute(public_key: &mut PublicKey<S>) -> bool {
        S::precompute(&mut public_key.expanded)
    }
}

/// Bytes of exactly the length that `T` serializes to.
fn checked<T: Serializable>(encoded: &[u8]) -> Result<&[u8], HpkeError> {
    if encoded.len() != T::size() {
        return Err(HpkeError::IncorrectInputLength(T::size(), encoded.len()));
    }
    Ok(encoded)
}

impl<S: Scheme> Serializable for PrivateKey<S> {
    type OutputSize = SecretLen<S>;

    fn write_exact(&self, out: &mut [u8]) {
        out.copy_from_slice(self.as_bytes());
    }
}

impl<S: Scheme> Deserializable for PrivateKey<S> {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        let encoded = checked::<Self>(encoded)?;
        Self::new(|out| out.copy_from_slice(encoded))
    }
}

impl<S: Scheme> Clone for PrivateKey<S> {
    fn clone(&self) -> Self {
        Self { expanded: self.expanded.clone(), room: self.room.clone() }
    }
}

impl<S: Scheme> ConstantTimeEq for PrivateKey<S> {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.as_bytes().ct_eq(other.as_bytes())
    }
}

impl<S: Scheme> Serializable for PublicKey<S> {
    type OutputSize = PublicLen<S>;

    fn write_exact(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.bytes);
    }
}

impl<S: Scheme> Deserializable for PublicKey<S> {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        let expanded = S::public(checked::<Self>(encoded)?).ok_or(HpkeError::ValidationError)?;
        let mut bytes = Array::default();
        bytes.copy_from_slice(encoded);
        Ok(Self { expanded, bytes })
    }
}

impl<S: Scheme> Clone for PublicKey<S> {
    fn clone(&self) -> Self {
        Self { expanded: self.expanded.clone(), bytes: self.bytes.clone() }
    }
}

impl<S: Scheme> PartialEq for PublicKey<S> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<S: Scheme> Eq for PublicKey<S> {}

impl<S: Scheme> fmt::Debug for PublicKey<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.bytes).finish()
    }
}

impl<S: Scheme> Serializable for Enc<S> {
    type OutputSize = EncLen<S>;

    fn write_exact(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.0);
    }
}

impl<S: Scheme> Deserializable for Enc<S> {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        let mut bytes = Array::default();
        bytes.copy_from_slice(checked::<Self>(encoded)?);
        Ok(Self(bytes))
    }
}

impl<S: Scheme> Clone for Enc<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
