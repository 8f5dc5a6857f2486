//! DHKEM (RFC 9180 §4.1) over any group, as a KEM of the `hpke` crate.
//!
//! It differs from that crate's own in two ways. The private key carries its public key, so that a
//! gateway does not recompute it, a base-point multiplication, for every request. And the ephemeral
//! private key comes straight from the generator, so that a generator that returns known bytes
//! reproduces the messages of a published test vector.
//!
//! The traits have items that the `hpke` crate hides from its documentation; their use stays in
//! this file and the one for X-Wing.

use core::{fmt, marker::PhantomData};

use hpke::{
    Deserializable, HpkeError, Kem, Serializable,
    hybrid_array::{Array, typenum::Unsigned},
    kdf::Kdf,
    kem::SharedSecret,
};
use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::PreparedKem;

/// The length of the longest public key, P-521's, in bytes.
const MAX_PUBLIC_KEY_LEN: usize = 133;
/// The length of the longest private key, P-521's, in bytes.
const MAX_SECRET_KEY_LEN: usize = 66;
/// How often a random private key may turn out to be out of range (RFC 9180 §7.1.3).
const MAX_TRIES: usize = 256;

/// The arithmetic of a Diffie-Hellman group.
pub(crate) trait Group: Sized + Send + Sync + 'static {
    /// The `hpke` crate's KEM over the same group: its numbers and its DeriveKeyPair are used.
    type Hpke: Kem;
    /// The KDF that belongs to the KEM.
    type Kdf: Kdf;
    /// A private key, ready for use.
    type Secret: Clone + Send + Sync;
    /// A public key, ready for use.
    type Point: Clone + Send + Sync;

    /// Which bits of a random private key's first byte count (RFC 9180 §7.1.3).
    const FIRST_BYTE: u8 = 0xff;

    /// Reads a private key of the right length; `None` if it is out of range.
    fn secret(bytes: &[u8]) -> Option<Self::Secret>;
    /// Writes the public key of `secret` to `out`, which has the right length.
    fn public_key(secret: &Self::Secret, out: &mut [u8]) -> Option<()>;
    /// Reads a public key of the right length; `None` if it is not valid (RFC 9180 §7.1.4).
    fn point(bytes: &[u8]) -> Option<Self::Point>;
    /// Hands the shared point to `with`; `None` if it is one that must be refused.
    fn agree<T>(
        secret: &Self::Secret,
        point: &Self::Point,
        with: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T>;
    /// See [`PreparedKem::precompute`].
    fn precompute(_: &mut Self::Point) -> bool {
        false
    }
}

/// DHKEM over the group `G`.
pub(crate) struct DhKem<G>(PhantomData<G>);

type PublicKeyLen<G> = <<<G as Group>::Hpke as Kem>::PublicKey as Serializable>::OutputSize;
type SecretKeyLen<G> = <<<G as Group>::Hpke as Kem>::PrivateKey as Serializable>::OutputSize;
/// A serialized public key, and likewise `enc`, which in this KEM is the ephemeral public key.
type PublicKeyBytes<G> = Array<u8, PublicKeyLen<G>>;

pub(crate) struct PrivateKey<G: Group> {
    secret: G::Secret,
    bytes: Zeroizing<[u8; MAX_SECRET_KEY_LEN]>,
    public_key: PublicKeyBytes<G>,
}

pub(crate) struct PublicKey<G: Group> {
    point: G::Point,
    bytes: PublicKeyBytes<G>,
}

pub(crate) struct Enc<G: Group>(PublicKeyBytes<G>);

impl<G: Group> PrivateKey<G> {
    /// A key from bytes of the right length, if they are one.
    fn new(bytes: &[u8]) -> Option<Self> {
        let secret = G::secret(bytes)?;
        let mut public_key = Array::default();
        G::public_key(&secret, &mut public_key)?;
        let mut room = Zeroizing::new([0; MAX_SECRET_KEY_LEN]);
        room[..bytes.len()].copy_from_slice(bytes);
        Some(Self { secret, bytes: room, public_key })
    }

    fn generate(rng: &mut impl CryptoRng) -> Option<Self> {
        let mut room = Zeroizing::new([0; MAX_SECRET_KEY_LEN]);
        let bytes = &mut room[..SecretKeyLen::<G>::USIZE];
        (0..MAX_TRIES).find_map(|_| {
            rng.fill_bytes(bytes);
            bytes[0] &= G::FIRST_BYTE;
            Self::new(bytes)
        })
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..SecretKeyLen::<G>::USIZE]
    }
}

impl<G: Group> Kem for DhKem<G> {
    type PublicKey = PublicKey<G>;
    type PrivateKey = PrivateKey<G>;
    type EncappedKey = Enc<G>;
    type NSecret = <G::Hpke as Kem>::NSecret;

    const KEM_ID: u16 = <G::Hpke as Kem>::KEM_ID;

    fn sk_to_pk(private: &PrivateKey<G>) -> PublicKey<G> {
        let bytes = private.public_key.clone();
        let point = G::point(&bytes).expect("the public key of a private key is valid");
        PublicKey { point, bytes }
    }

    /// RFC 9180 §7.1.3, as the `hpke` crate has it.
    fn derive_keypair(ikm: &[u8]) -> (PrivateKey<G>, PublicKey<G>) {
        let (secret, _) = G::Hpke::derive_keypair(ikm);
        let mut room = Zeroizing::new([0; MAX_SECRET_KEY_LEN]);
        let bytes = &mut room[..SecretKeyLen::<G>::USIZE];
        secret.write_exact(bytes);
        let private = PrivateKey::new(bytes).expect("a derived private key is valid");
        let public = Self::sk_to_pk(&private);
        (private, public)
    }

    // def Encap(pkR):                               RFC 9180 §4.1
    //   skE, pkE = GenerateKeyPair()
    //   dh = DH(skE, pkR)
    //   enc = SerializePublicKey(pkE)
    //   shared_secret = ExtractAndExpand(dh, concat(enc, SerializePublicKey(pkR)))
    //   return shared_secret, enc
    fn encap_with_rng(
        recipient: &PublicKey<G>,
        sender: Option<(&PrivateKey<G>, &PublicKey<G>)>,
        rng: &mut impl CryptoRng,
    ) -> Result<(SharedSecret<Self>, Enc<G>), HpkeError> {
        let ephemeral = PrivateKey::<G>::generate(rng).ok_or(HpkeError::EncapError)?;
        let enc = ephemeral.public_key;
        let shared = G::agree(&ephemeral.secret, &recipient.point, |dh| {
            extract_and_expand::<G>(dh, &enc, &recipient.bytes)
        });
        // Nobody authenticates as a sender here, so a sender's key is a mistake.
        shared.filter(|_| sender.is_none()).map(|s| (s, Enc(enc))).ok_or(HpkeError::EncapError)
    }

    // def Decap(enc, skR):                          RFC 9180 §4.1
    //   pkE = DeserializePublicKey(enc)
    //   dh = DH(skR, pkE)
    //   shared_secret = ExtractAndExpand(dh, concat(enc, SerializePublicKey(pk(skR))))
    //   return shared_secret
    fn decap(
        recipient: &PrivateKey<G>,
        sender: Option<&PublicKey<G>>,
        enc: &Enc<G>,
    ) -> Result<SharedSecret<Self>, HpkeError> {
        let ephemeral = G::point(&enc.0).ok_or(HpkeError::DecapError)?;
        let shared = G::agree(&recipient.secret, &ephemeral, |dh| {
            extract_and_expand::<G>(dh, &enc.0, &recipient.public_key)
        });
        shared.filter(|_| sender.is_none()).ok_or(HpkeError::DecapError)
    }
}

impl<G: Group> PreparedKem for DhKem<G> {
    fn precompute(public_key: &mut PublicKey<G>) -> bool {
        G::precompute(&mut public_key.point)
    }
}

/// The shared secret, bound to both public keys.
fn extract_and_expand<G: Group>(
    dh: &[u8],
    enc: &PublicKeyBytes<G>,
    recipient: &PublicKeyBytes<G>,
) -> Option<SharedSecret<DhKem<G>>> {
    let [k0, k1] = DhKem::<G>::KEM_ID.to_be_bytes();
    let suite_id = [b'K', b'E', b'M', k0, k1];
    let mut room = [0; 2 * MAX_PUBLIC_KEY_LEN];
    let context = &mut room[..enc.len() + recipient.len()];
    context[..enc.len()].copy_from_slice(enc);
    context[enc.len()..].copy_from_slice(recipient);
    let mut shared = SharedSecret::default();
    G::Kdf::extract_and_expand(dh, &suite_id, context, &mut shared.0).ok()?;
    Some(shared)
}

/// Bytes of exactly the length that `T` serializes to.
fn checked<T: Serializable>(encoded: &[u8]) -> Result<&[u8], HpkeError> {
    if encoded.len() != T::size() {
        return Err(HpkeError::IncorrectInputLength(T::size(), encoded.len()));
    }
    Ok(encoded)
}

impl<G: Group> Serializable for PrivateKey<G> {
    type OutputSize = SecretKeyLen<G>;

    fn write_exact(&self, out: &mut [u8]) {
        out.copy_from_slice(self.as_bytes());
    }
}

impl<G: Group> Deserializable for PrivateKey<G> {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        // RFC 9180 §7.1.2: for X25519 a private key is clamped when it is read. The `hpke` crate
        // knows for which KEMs.
        let key = <G::Hpke as Kem>::PrivateKey::from_bytes(encoded)?;
        let mut room = Zeroizing::new([0; MAX_SECRET_KEY_LEN]);
        let bytes = &mut room[..checked::<Self>(encoded)?.len()];
        key.write_exact(bytes);
        Self::new(bytes).ok_or(HpkeError::ValidationError)
    }
}

impl<G: Group> Clone for PrivateKey<G> {
    fn clone(&self) -> Self {
        Self {
            secret: self.secret.clone(),
            bytes: self.bytes.clone(),
            public_key: self.public_key.clone(),
        }
    }
}

impl<G: Group> ConstantTimeEq for PrivateKey<G> {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.as_bytes().ct_eq(other.as_bytes())
    }
}

impl<G: Group> Serializable for PublicKey<G> {
    type OutputSize = PublicKeyLen<G>;

    fn write_exact(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.bytes);
    }
}

impl<G: Group> Deserializable for PublicKey<G> {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        let point = G::point(checked::<Self>(encoded)?).ok_or(HpkeError::ValidationError)?;
        let mut bytes = Array::default();
        bytes.copy_from_slice(encoded);
        Ok(Self { point, bytes })
    }
}

impl<G: Group> Clone for PublicKey<G> {
    fn clone(&self) -> Self {
        Self { point: self.point.clone(), bytes: self.bytes.clone() }
    }
}

impl<G: Group> PartialEq for PublicKey<G> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<G: Group> Eq for PublicKey<G> {}

impl<G: Group> fmt::Debug for PublicKey<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.bytes).finish()
    }
}

impl<G: Group> Serializable for Enc<G> {
    type OutputSize = PublicKeyLen<G>;

    fn write_exact(&self, out: &mut [u8]) {
        out.copy_from_slice(&self.0);
    }
}

impl<G: Group> Deserializable for Enc<G> {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        let mut bytes = Array::default();
        bytes.copy_from_slice(checked::<Self>(encoded)?);
        Ok(Self(bytes))
    }
}

impl<G: Group> Clone for Enc<G> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
