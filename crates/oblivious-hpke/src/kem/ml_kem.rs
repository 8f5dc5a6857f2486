//! ML-KEM (FIPS 203) by itself, as a KEM (draft-ietf-hpke-pq §3).

use core::marker::PhantomData;

use hpke::{Kem, Serializable};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::scheme::{Of, Scheme};

/// The length of a private key, which is a seed, in bytes.
pub(crate) const SEED_LEN: usize = 64;
/// The length of a shared secret, in bytes, and that of the randomness of an encapsulation.
pub(super) const SECRET_LEN: usize = 32;

/// A shared secret.
pub(crate) type Secret = Zeroizing<[u8; SECRET_LEN]>;

/// ML-KEM with one set of parameters, on byte strings that have the right lengths.
pub(crate) trait MlKem: Sized + Send + Sync + 'static {
    /// The `hpke` crate's KEM with the same parameters.
    type Hpke: Kem;
    /// A private key, expanded.
    type Private: Clone + Send + Sync;
    /// A public key, checked and expanded.
    type Public: Clone + Send + Sync;

    /// ML-KEM.KeyGen_internal (FIPS 203 §6.1).
    fn private(seed: &[u8; SEED_LEN]) -> Option<Self::Private>;
    fn write_public(private: &Self::Private, out: &mut [u8]) -> Option<()>;
    /// The public key, if its coefficients are in range (FIPS 203 §7.2).
    fn public(bytes: &[u8]) -> Option<Self::Public>;
    /// ML-KEM.Encaps_internal (FIPS 203 §6.2).
    fn encapsulate(public: &Self::Public, randomness: &Secret, enc: &mut [u8]) -> Option<Secret>;
    /// ML-KEM.Decaps_internal (FIPS 203 §6.3).
    fn decapsulate(private: &Self::Private, enc: &[u8]) -> Option<Secret>;

    /// The length of a public key, in bytes.
    fn public_len() -> usize {
        <Self::Hpke as Kem>::PublicKey::size()
    }

    /// The length of a ciphertext, in bytes.
    fn enc_len() -> usize {
        <Self::Hpke as Kem>::EncappedKey::size()
    }

    /// [`encapsulate`](Self::encapsulate) with randomness from the generator.
    fn encapsulate_with_rng(
        public: &Self::Public,
        rng: &mut impl CryptoRng,
        enc: &mut [u8],
    ) -> Option<Secret> {
        let mut randomness = Zeroizing::new([0; SECRET_LEN]);
        rng.fill_bytes(&mut *randomness);
        Self::encapsulate(public, &randomness, enc)
    }
}

/// ML-KEM of `M`, as a KEM.
pub(crate) type PureMlKem<M> = Of<Pure<M>>;

pub(crate) struct Pure<M>(PhantomData<M>);

impl<M: MlKem> Scheme for Pure<M> {
    type Hpke = M::Hpke;
    type Private = M::Private;
    type Public = M::Public;

    fn private(bytes: &[u8]) -> Option<M::Private> {
        M::private(bytes.try_into().ok()?)
    }

    fn write_public(private: &M::Private, out: &mut [u8]) -> Option<()> {
        M::write_public(private, out)
    }

    fn public(bytes: &[u8]) -> Option<M::Public> {
        M::public(bytes)
    }

    fn encapsulate(
        public: &M::Public,
        _: &[u8],
        rng: &mut impl CryptoRng,
        enc: &mut [u8],
        shared: &mut [u8],
    ) -> Option<()> {
        shared.copy_from_slice(&*M::encapsulate_with_rng(public, rng, enc)?);
        Some(())
    }

    fn decapsulate(private: &M::Private, enc: &[u8], shared: &mut [u8]) -> Option<()> {
        shared.copy_from_slice(&*M::decapsulate(private, enc)?);
        Some(())
    }
}
