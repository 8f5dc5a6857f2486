//! X-Wing (draft-connolly-cfrg-xwing-kem §5): ML-KEM-768 together with X25519, as a KEM of the
//! `hpke` crate.
//!
//! It differs from that crate's own in two ways. The private key, a seed, is kept expanded and not
//! expanded anew for every request, a key generation of both KEMs each time. And an X25519 key of
//! low order is refused on both sides, as with X25519 alone. The two KEMs underneath are the `hpke`
//! crate's ML-KEM-768 and a [`Group`].

use core::{fmt, marker::PhantomData};

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
/// The length of an ML-KEM-768 public key, which comes first in X-Wing's, in bytes.
const ML_KEM_PUBLIC_LEN: usize = 1184;
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

pub(crate) struct PublicKey<G: Group> {
    ml_kem: <MlKem768 as Kem>::PublicKey,
    x25519: G::Point,
    x25519_bytes: [u8; X25519_LEN],
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
    type PublicKey = PublicKey<G>;
    type PrivateKey = PrivateKey<G>;
    type EncappedKey = <Whole as Kem>::EncappedKey;
    type NSecret = <Whole as Kem>::NSecret;

    const KEM_ID: u16 = Whole::KEM_ID;

    fn sk_to_pk(private: &PrivateKey<G>) -> PublicKey<G> {
        let x25519 = G::point(&private.x25519_public);
        PublicKey {
            ml_kem: MlKem768::sk_to_pk(&private.ml_kem),
            x25519: x25519.expect("the public key of a private key is valid"),
            x25519_bytes: private.x25519_public,
        }
    }

    fn derive_keypair(ikm: &[u8]) -> (PrivateKey<G>, PublicKey<G>) {
        let (whole, _) = Whole::derive_keypair(ikm);
        let private = PrivateKey::new(whole).expect("a derived private key is valid");
        let public = Self::sk_to_pk(&private);
        (private, public)
    }

    // def EncapsulateDerand(pk, eseed):             draft-connolly-cfrg-xwing-kem §5.4
    //   pk_M = pk[0:1184]
    //   pk_X = pk[1184:1216]
    //   ek_X = eseed[32:64]
    //   ct_X = X25519(ek_X, X25519_BASE)
    //   ss_X = X25519(ek_X, pk_X)
    //   ss_M, ct_M = ML-KEM-768.EncapsDerand(pk_M, eseed[0:32])
    //   ss = Combiner(ss_M, ss_X, ct_X, pk_X)
    //   ct = concat(ct_M, ct_X)
    //   return ss, ct

    fn encap_with_rng(
        recipient: &PublicKey<G>,
        sender: Option<(&PrivateKey<G>, &PublicKey<G>)>,
        rng: &mut impl CryptoRng,
    ) -> Result<(SharedSecret<Self>, Self::EncappedKey), HpkeError> {
        let (ml_kem, ml_kem_enc) = MlKem768::encap_with_rng(&recipient.ml_kem, None, rng)?;
        let mut seed = Zeroizing::new([0; X25519_LEN]);
        rng.fill_bytes(&mut *seed);
        let ephemeral = G::secret(&*seed).ok_or(HpkeError::EncapError)?;
        let mut x25519_enc = [0; X25519_LEN];
        G::public_key(&ephemeral, &mut x25519_enc).ok_or(HpkeError::EncapError)?;
        // A point of low order is refused: it would leave the secret to ML-KEM alone.
        let shared = G::agree(&ephemeral, &recipient.x25519, |x25519| {
            Some(combine(&ml_kem.0, x25519, &x25519_enc, &recipient.x25519_bytes))
        });
        let mut enc = [0; ML_KEM_ENC_LEN + X25519_LEN];
        ml_kem_enc.write_exact(&mut enc[..ML_KEM_ENC_LEN]);
        enc[ML_KEM_ENC_LEN..].copy_from_slice(&x25519_enc);
        let enc = Self::EncappedKey::from_bytes(&enc)?;
        // Nobody authenticates as a sender here, so a sender's key is a mistake.
        let shared = shared.filter(|_| sender.is_none()).ok_or(HpkeError::EncapError)?;
        Ok((SharedSecret(shared), enc))
    }

    // def Decapsulate(ct, sk):                      draft-connolly-cfrg-xwing-kem §5.5
    //   ct_M = ct[0:1088]
    //   ct_X = ct[1088:1120]
    //   ss_M = ML-KEM-768.Decapsulate(sk_M, ct_M)
    //   ss_X = X25519(sk_X, ct_X)
    //   return Combiner(ss_M, ss_X, ct_X, pk_X)
    fn decap(
        recipient: &PrivateKey<G>,
        sender: Option<&PublicKey<G>>,
        enc: &Self::EncappedKey,
    ) -> Result<SharedSecret<Self>, HpkeError> {
        let enc = enc.to_bytes();
        let (ml_kem, x25519) = enc.split_at(ML_KEM_ENC_LEN);
        let ml_kem = <MlKem768 as Kem>::EncappedKey::from_bytes(ml_kem)?;
        let ml_kem = MlKem768::decap(&recipient.ml_kem, None, &ml_kem)?;
        let ephemeral = G::point(x25519).ok_or(HpkeError::DecapError)?;
        // A point of low order is refused, as with X25519 alone: no honest sender makes one.
        let shared = G::agree(&recipient.x25519, &ephemeral, |shared| {
            Some(SharedSecret(combine(&ml_kem.0, shared, x25519, &recipient.x25519_public)))
        });
        shared.filter(|_| sender.is_none()).ok_or(HpkeError::DecapError)
    }
}

/// Combiner: SHA3-256(ss_M || ss_X || ct_X || pk_X || XWingLabel)
/// (draft-connolly-cfrg-xwing-kem §5.3).
fn combine(
    ml_kem: &[u8],
    x25519: &[u8],
    x25519_enc: &[u8],
    x25519_public: &[u8],
) -> sha3::digest::Output<Sha3_256> {
    let hash = Sha3_256::new()
        .chain_update(ml_kem)
        .chain_update(x25519)
        .chain_update(x25519_enc)
        .chain_update(x25519_public)
        .chain_update(LABEL);
    hash.finalize()
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

impl<G: Group> Serializable for PublicKey<G> {
    type OutputSize = <<Whole as Kem>::PublicKey as Serializable>::OutputSize;

    fn write_exact(&self, out: &mut [u8]) {
        let (ml_kem, x25519) = out.split_at_mut(ML_KEM_PUBLIC_LEN);
        self.ml_kem.write_exact(ml_kem);
        x25519.copy_from_slice(&self.x25519_bytes);
    }
}

impl<G: Group> Deserializable for PublicKey<G> {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        if encoded.len() != Self::size() {
            return Err(HpkeError::IncorrectInputLength(Self::size(), encoded.len()));
        }
        let (ml_kem, x25519) = encoded.split_at(ML_KEM_PUBLIC_LEN);
        Ok(Self {
            ml_kem: <MlKem768 as Kem>::PublicKey::from_bytes(ml_kem)?,
            x25519: G::point(x25519).ok_or(HpkeError::ValidationError)?,
            x25519_bytes: x25519.try_into().map_err(|_| HpkeError::ValidationError)?,
        })
    }
}

impl<G: Group> Clone for PublicKey<G> {
    fn clone(&self) -> Self {
        Self {
            ml_kem: self.ml_kem.clone(),
            x25519: self.x25519.clone(),
            x25519_bytes: self.x25519_bytes,
        }
    }
}

impl<G: Group> PartialEq for PublicKey<G> {
    fn eq(&self, other: &Self) -> bool {
        self.ml_kem == other.ml_kem && self.x25519_bytes == other.x25519_bytes
    }
}

impl<G: Group> Eq for PublicKey<G> {}

impl<G: Group> fmt::Debug for PublicKey<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.to_bytes()).finish()
    }
}
