//! DHKEM (RFC 9180 §4.1) over any group.
//!
//! It differs from the `hpke` crate's own in two ways. The private key carries its public key, so a
//! gateway does not recompute it for every request, which takes a base-point multiplication. And
//! the ephemeral private key comes straight from the generator, so a generator that returns known
//! bytes reproduces the messages of a published test vector.

use core::marker::PhantomData;

use hpke::{Deserializable, Kem, Serializable, kdf::Kdf};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::scheme::{MAX_SECRET_KEY_LEN, Of, Scheme};

/// The length of the longest public key, P-521's, in bytes.
pub(super) const MAX_POINT_LEN: usize = 133;
/// How many times a private key is drawn, if each is out of range (RFC 9180 §7.1.3).
const MAX_TRIES: usize = 256;

/// The arithmetic of a Diffie-Hellman group.
pub(crate) trait Group: Sized + Send + Sync + 'static {
    /// The `hpke` crate's KEM over the same group.
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
    /// Passes the shared point to `with`; `None` if the point must be refused.
    fn agree<T>(
        secret: &Self::Secret,
        point: &Self::Point,
        with: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T>;
    /// See [`PreparedKem::precompute`](super::PreparedKem::precompute).
    fn precompute(_: &mut Self::Point) -> bool {
        false
    }

    /// The length of a private key, in bytes.
    fn secret_len() -> usize {
        <Self::Hpke as Kem>::PrivateKey::size()
    }

    /// The length of a public key, in bytes.
    fn point_len() -> usize {
        <Self::Hpke as Kem>::PublicKey::size()
    }

    /// Draws an ephemeral private key, and writes its public key.
    fn ephemeral(rng: &mut impl CryptoRng, public_key: &mut [u8]) -> Option<Self::Secret> {
        let mut room = Zeroizing::new([0; MAX_SECRET_KEY_LEN]);
        let bytes = &mut room[..Self::secret_len()];
        let secret = (0..MAX_TRIES).find_map(|_| {
            rng.fill_bytes(bytes);
            bytes[0] &= Self::FIRST_BYTE;
            Self::secret(bytes)
        })?;
        Self::public_key(&secret, public_key)?;
        Some(secret)
    }
}

/// DHKEM over the group `G`.
pub(crate) type DhKem<G> = Of<Dh<G>>;

pub(crate) struct Dh<G>(PhantomData<G>);

/// A private key, and its public key in the first bytes of the room for one.
pub(crate) struct Pair<G: Group> {
    pub(super) secret: G::Secret,
    room: [u8; MAX_POINT_LEN],
}

impl<G: Group> Clone for Pair<G> {
    fn clone(&self) -> Self {
        Self { secret: self.secret.clone(), room: self.room }
    }
}

impl<G: Group> Pair<G> {
    pub(super) fn new(secret: G::Secret) -> Option<Self> {
        let mut room = [0; MAX_POINT_LEN];
        G::public_key(&secret, &mut room[..G::point_len()])?;
        Some(Self { secret, room })
    }

    pub(super) fn public_key(&self) -> &[u8] {
        &self.room[..G::point_len()]
    }
}

impl<G: Group> Scheme for Dh<G> {
    type Hpke = G::Hpke;
    type Private = Pair<G>;
    type Public = G::Point;

    /// RFC 9180 §7.1.2: for X25519 a private key is clamped when it is read. The `hpke` crate knows
    /// for which KEMs.
    fn normalize(bytes: &mut [u8]) -> Option<()> {
        <G::Hpke as Kem>::PrivateKey::from_bytes(bytes).ok()?.write_exact(bytes);
        Some(())
    }

    fn private(bytes: &[u8]) -> Option<Pair<G>> {
        Pair::new(G::secret(bytes)?)
    }

    fn write_public(private: &Pair<G>, out: &mut [u8]) -> Option<()> {
        out.copy_from_slice(private.public_key());
        Some(())
    }

    fn public(bytes: &[u8]) -> Option<G::Point> {
        G::point(bytes)
    }

    // def Encap(pkR):                               RFC 9180 §4.1
    //   skE, pkE = GenerateKeyPair()
    //   dh = DH(skE, pkR)
    //   enc = SerializePublicKey(pkE)
    //   shared_secret = ExtractAndExpand(dh, concat(enc, SerializePublicKey(pkR)))
    //   return shared_secret, enc
    fn encapsulate(
        public: &G::Point,
        public_bytes: &[u8],
        rng: &mut impl CryptoRng,
        enc: &mut [u8],
        shared: &mut [u8],
    ) -> Option<()> {
        let ephemeral = G::ephemeral(rng, enc)?;
        G::agree(&ephemeral, public, |dh| extract_and_expand::<G>(dh, enc, public_bytes, shared))
    }

    // def Decap(enc, skR):                          RFC 9180 §4.1
    //   pkE = DeserializePublicKey(enc)
    //   dh = DH(skR, pkE)
    //   shared_secret = ExtractAndExpand(dh, concat(enc, SerializePublicKey(pk(skR))))
    //   return shared_secret
    fn decapsulate(private: &Pair<G>, enc: &[u8], shared: &mut [u8]) -> Option<()> {
        let ephemeral = G::point(enc)?;
        G::agree(&private.secret, &ephemeral, |dh| {
            extract_and_expand::<G>(dh, enc, private.public_key(), shared)
        })
    }

    fn precompute(public: &mut G::Point) -> bool {
        G::precompute(public)
    }
}

/// The shared secret, bound to both public keys.
fn extract_and_expand<G: Group>(
    dh: &[u8],
    enc: &[u8],
    recipient: &[u8],
    shared: &mut [u8],
) -> Option<()> {
    let [k0, k1] = <G::Hpke as Kem>::KEM_ID.to_be_bytes();
    let suite_id = [b'K', b'E', b'M', k0, k1];
    let mut room = [0; 2 * MAX_POINT_LEN];
    let context = &mut room[..enc.len() + recipient.len()];
    context[..enc.len()].copy_from_slice(enc);
    context[enc.len()..].copy_from_slice(recipient);
    G::Kdf::extract_and_expand(dh, &suite_id, context, shared).ok()
}
