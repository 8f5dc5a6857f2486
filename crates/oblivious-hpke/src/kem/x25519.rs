//! DHKEM(X25519, HKDF-SHA256) (RFC 9180 §4.1) over `x25519-dalek`, as a KEM of the `hpke` crate.
//!
//! It differs from that crate's own in two ways. The private key carries its public key, so that a
//! gateway does not recompute it, a base-point multiplication, for every request. And the ephemeral
//! private key is 32 bytes straight from the generator, so that a generator that returns known
//! bytes reproduces the messages of a published test vector.
//!
//! The trait and the key schedule's helper have items that the `hpke` crate hides from its
//! documentation; their use stays in this file.

use core::fmt;

use hpke::{
    Deserializable, HpkeError, Serializable,
    hybrid_array::typenum::U32,
    kdf::{HkdfSha256, Kdf as _},
    kem::{Kem, SharedSecret},
};
use rand_core::CryptoRng;
use subtle::{Choice, ConstantTimeEq};
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

const KEY_LEN: usize = 32;

/// RFC 9180 §4.1: `"KEM"` followed by the KEM's identifier.
const SUITE_ID: [u8; 5] = *b"KEM\x00\x20";

/// DHKEM(X25519, HKDF-SHA256).
pub(crate) enum X25519 {}

#[derive(Clone)]
pub(crate) struct PrivateKey {
    secret: StaticSecret,
    public: PublicKey,
}

/// A public key, and likewise `enc`, which in this KEM is the ephemeral public key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PublicKey(x25519_dalek::PublicKey);

impl PrivateKey {
    fn new(secret: [u8; KEY_LEN]) -> Self {
        let secret = StaticSecret::from(*Zeroizing::new(secret));
        let public = PublicKey((&secret).into());
        Self { secret, public }
    }
}

impl Kem for X25519 {
    type PublicKey = PublicKey;
    type PrivateKey = PrivateKey;
    type EncappedKey = PublicKey;
    type NSecret = U32;

    const KEM_ID: u16 = 0x0020;

    fn sk_to_pk(private: &PrivateKey) -> PublicKey {
        private.public.clone()
    }

    /// RFC 9180 §7.1.3, as the `hpke` crate has it.
    fn derive_keypair(ikm: &[u8]) -> (PrivateKey, PublicKey) {
        let (secret, _) = hpke::kem::X25519HkdfSha256::derive_keypair(ikm);
        let private = PrivateKey::new(secret.to_bytes().into());
        let public = private.public.clone();
        (private, public)
    }

    // def Encap(pkR):                               RFC 9180 §4.1
    //   skE, pkE = GenerateKeyPair()
    //   dh = DH(skE, pkR)
    //   enc = SerializePublicKey(pkE)
    //   shared_secret = ExtractAndExpand(dh, concat(enc, SerializePublicKey(pkR)))
    //   return shared_secret, enc
    fn encap_with_rng(
        recipient: &PublicKey,
        sender: Option<(&PrivateKey, &PublicKey)>,
        rng: &mut impl CryptoRng,
    ) -> Result<(SharedSecret<Self>, PublicKey), HpkeError> {
        if sender.is_some() {
            return Err(HpkeError::EncapError);
        }
        let mut secret = Zeroizing::new([0; KEY_LEN]);
        rng.fill_bytes(&mut *secret);
        let ephemeral = PrivateKey::new(*secret);
        let shared = agree(&ephemeral, recipient, &ephemeral.public, recipient);
        Ok((shared.ok_or(HpkeError::EncapError)?, ephemeral.public))
    }

    // def Decap(enc, skR):                          RFC 9180 §4.1
    //   pkE = DeserializePublicKey(enc)
    //   dh = DH(skR, pkE)
    //   shared_secret = ExtractAndExpand(dh, concat(enc, SerializePublicKey(pk(skR))))
    //   return shared_secret
    fn decap(
        recipient: &PrivateKey,
        sender: Option<&PublicKey>,
        enc: &PublicKey,
    ) -> Result<SharedSecret<Self>, HpkeError> {
        if sender.is_some() {
            return Err(HpkeError::DecapError);
        }
        agree(recipient, enc, enc, &recipient.public).ok_or(HpkeError::DecapError)
    }
}

/// The agreement, bound to both public keys; `None` if the other side's point has a low order,
/// which would make the result known to everybody (RFC 9180 §7.1.4).
fn agree(
    ours: &PrivateKey,
    theirs: &PublicKey,
    enc: &PublicKey,
    recipient: &PublicKey,
) -> Option<SharedSecret<X25519>> {
    let dh = ours.secret.diffie_hellman(&theirs.0);
    if !dh.was_contributory() {
        return None;
    }
    let mut context = [0; 2 * KEY_LEN];
    context[..KEY_LEN].copy_from_slice(enc.0.as_bytes());
    context[KEY_LEN..].copy_from_slice(recipient.0.as_bytes());
    let mut shared = SharedSecret::default();
    HkdfSha256::extract_and_expand(dh.as_bytes(), &SUITE_ID, &context, &mut shared.0).ok()?;
    Some(shared)
}

impl Serializable for PrivateKey {
    type OutputSize = U32;

    fn write_exact(&self, out: &mut [u8]) {
        out.copy_from_slice(self.secret.as_bytes());
    }
}

impl Deserializable for PrivateKey {
    /// RFC 9180 §7.1.2: a private key is clamped when it is read, which the `hpke` crate does.
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        let clamped = <hpke::kem::X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(encoded)?;
        Ok(Self::new(clamped.to_bytes().into()))
    }
}

impl ConstantTimeEq for PrivateKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.secret.as_bytes().ct_eq(other.secret.as_bytes())
    }
}

impl Serializable for PublicKey {
    type OutputSize = U32;

    fn write_exact(&self, out: &mut [u8]) {
        out.copy_from_slice(self.0.as_bytes());
    }
}

impl Deserializable for PublicKey {
    fn from_bytes(encoded: &[u8]) -> Result<Self, HpkeError> {
        exactly(encoded).map(|bytes| Self(bytes.into()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey")
    }
}

fn exactly(encoded: &[u8]) -> Result<[u8; KEY_LEN], HpkeError> {
    encoded.try_into().map_err(|_| HpkeError::IncorrectInputLength(KEY_LEN, encoded.len()))
}

#[cfg(test)]
mod tests {
    use hex_literal::hex;

    use super::*;

    /// RFC 9180 §A.1.1: the keys are derived, and the shared secret agreed, as in the document.
    #[test]
    fn the_vector_of_the_document() {
        let (ephemeral, enc) = X25519::derive_keypair(&hex!(
            "7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234"
        ));
        let (recipient, public) = X25519::derive_keypair(&hex!(
            "6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037"
        ));
        let secret_key = hex!("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8");
        let loaded = PrivateKey::from_bytes(&secret_key).unwrap();
        assert_eq!(loaded.to_bytes(), recipient.to_bytes());
        let public_key = hex!("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
        assert_eq!(public.to_bytes(), public_key);

        let shared = hex!("fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc");
        let decapsulated = X25519::decap(&recipient, None, &enc).unwrap();
        assert_eq!(decapsulated.0, shared);
        let encapsulated = agree(&ephemeral, &public, &enc, &public).unwrap();
        assert_eq!(encapsulated.0, shared);
    }
}
