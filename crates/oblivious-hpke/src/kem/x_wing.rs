//! X-Wing (draft-connolly-cfrg-xwing-kem §5): ML-KEM-768 together with X25519, as a KEM of the
//! `hpke` crate.
//!
//! It is that crate's own but for decapsulation. There the private key is a seed that is expanded
//! anew for every request, a key generation of both KEMs each time; here it is kept expanded. The
//! two KEMs underneath are the `hpke` crate's ML-KEM-768 and a [`Group`].

use core::marker::PhantomData;

use hpke::{
    Deserializable, HpkeError, Kem, Serializable,
    kem::{MlKem768, SharedSecret},
};
use rand_core::CryptoRng;
use sha3::{Digest, Sha3_256};
use shake::{ExtendableOutput, Shake256, Update, XofReader};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use super::{PreparedKem, dh::Group};

/// The length of the seeds of the two keys, in bytes: the private key's expansion.
const ML_KEM_SEED_LEN: usize = 64;
const X25519_LEN: usize = 32;
/// The length of an ML-KEM-768 ciphertext, which comes first in `enc`, in bytes.
const ML_KEM_ENC_LEN: usize = 1088;
/// XWingLabel, which the shared secret is bound to.
const LABEL: &[u8] = br"\.//^\";

/// X-Wing, with the X25519 of the group `G`.
pub(crate) struct XWing<G>(PhantomData<G>);

type Whole = hpke::kem::XWing;

pub(crate) struct PrivateKey<G: Group> {
    /// The seed and the public key.
    whole: <Whole as Kem>::PrivateKey,
    ml_kem: <MlKem768 as Kem>::PrivateKey,
    x25519: G::Secret,
    x25519_public: [u8; X25519_LEN],
}

impl<G: Group> PrivateKey<G> {
    // def expandDecapsulationKey(sk):               draft-connolly-cfrg-xwing-kem §5.2
    //   expanded = SHAKE256(sk, 96)
    //   (pk_M, sk_M) = ML-KEM-768.KeyGen_internal(expanded[0:32], expanded[32:64])
    //   sk_X = expanded[64:96]
    //   pk_X = X25519(sk_X, X25519_BASE)
    fn new(whole: <Whole as Kem>::PrivateKey) -> Result<Self, HpkeError> {
        let mut seed = whole.to_bytes();
        let mut expanded = Zeroizing::new([0; ML_KEM_SEED_LEN + X25519_LEN]);
        Shake256::default().chain(seed.as_slice()).finalize_xof().read(&mut *expanded);
        seed.zeroize();
        let (ml_kem, x25519) = expanded.split_at(ML_KEM_SEED_LEN);
        let ml_kem = <MlKem768 as Kem>::PrivateKey::from_bytes(ml_kem)?;
        let x25519 = G::secret(x25519).ok_or(HpkeError::ValidationError)?;
        let mut x25519_public = [0; X25519_LEN];
        G::public_key(&x25519, &mut x25519_public).ok_or(HpkeError::ValidationError)?;
        Ok(Self { whole, ml_kem, x25519, x25519_public })
    }
}

impl<G: Group> Kem for XWing<G> {
    type PublicKey = <Whole as Kem>::PublicKey;
    type PrivateKey = PrivateKey<G>;
    type EncappedKey = <Whole as Kem>::EncappedKey;
    type NSecret = <Whole as Kem>::NSecret;

    const KEM_ID: u16 = Whole::KEM_ID;

    fn sk_to_pk(private: &PrivateKey<G>) -> Self::PublicKey {
        Whole::sk_to_pk(&private.whole)
    }

    fn derive_keypair(ikm: &[u8]) -> (PrivateKey<G>, Self::PublicKey) {
        let (whole, public) = Whole::derive_keypair(ikm);
        (PrivateKey::new(whole).expect("a derived private key is valid"), public)
    }

    fn encap_with_rng(
        recipient: &Self::PublicKey,
        sender: Option<(&PrivateKey<G>, &Self::PublicKey)>,
        rng: &mut impl CryptoRng,
    ) -> Result<(SharedSecret<Self>, Self::EncappedKey), HpkeError> {
        // Nobody authenticates as a sender here, so a sender's key is a mistake.
        if sender.is_some() {
            return Err(HpkeError::EncapError);
        }
        let (shared, enc) = Whole::encap_with_rng(recipient, None, rng)?;
        Ok((SharedSecret(shared.0), enc))
    }

    // def Decapsulate(ct, sk):                      draft-connolly-cfrg-xwing-kem §5.5
    //   ct_M = ct[0:1088]
    //   ct_X = ct[1088:1120]
    //   ss_M = ML-KEM-768.Decapsulate(sk_M, ct_M)
    //   ss_X = X25519(sk_X, ct_X)
    //   return Combiner(ss_M, ss_X, ct_X, pk_X)
    fn decap(
        recipient: &PrivateKey<G>,
        sender: Option<&Self::PublicKey>,
        enc: &Self::EncappedKey,
    ) -> Result<SharedSecret<Self>, HpkeError> {
        let enc = enc.to_bytes();
        let (ml_kem, x25519) = enc.split_at(ML_KEM_ENC_LEN);
        let ml_kem = <MlKem768 as Kem>::EncappedKey::from_bytes(ml_kem)?;
        let ml_kem = MlKem768::decap(&recipient.ml_kem, None, &ml_kem)?;
        let ephemeral = G::point(x25519).ok_or(HpkeError::DecapError)?;
        // A point of low order is refused, as with X25519 alone: no honest sender makes one.
        let shared = G::agree(&recipient.x25519, &ephemeral, |shared| {
            // SHA3-256(ss_M || ss_X || ct_X || pk_X || XWingLabel)        §5.3
            let hash = Sha3_256::new()
                .chain_update(&ml_kem.0)
                .chain_update(shared)
                .chain_update(x25519)
                .chain_update(recipient.x25519_public)
                .chain_update(LABEL);
            Some(SharedSecret(hash.finalize()))
        });
        shared.filter(|_| sender.is_none()).ok_or(HpkeError::DecapError)
    }
}

impl<G: Group> PreparedKem for XWing<G> {}

impl<G: Group> Serializable for PrivateKey<G> {
    type OutputSize = <<Whole as Kem>::PrivateKey as Serializable>::OutputSize;

    fn write_exact(&self, out: &mut [u8]) {
        self.whole.write_exact(out);
    }
}

impl<G: Group> Deserializable for PrivateKey<G> {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        Self::new(<Whole as Kem>::PrivateKey::from_bytes(encoded)?)
    }
}

impl<G: Group> Clone for PrivateKey<G> {
    fn clone(&self) -> Self {
        Self {
            whole: self.whole.clone(),
            ml_kem: self.ml_kem.clone(),
            x25519: self.x25519.clone(),
            x25519_public: self.x25519_public,
        }
    }
}

impl<G: Group> ConstantTimeEq for PrivateKey<G> {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.whole.ct_eq(&other.whole)
    }
}
