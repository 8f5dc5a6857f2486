//! The bare primitives, with everything prepared that can be: nothing is left but the agreement and
//! the encryption themselves.

use aes_gcm::{
    Aes128Gcm, KeyInit,
    aead::{AeadInOut, Nonce, Tag},
};
use x25519_dalek::{PublicKey, StaticSecret};

pub(crate) const DALEK: &str = "floor: dalek, aes-gcm";
#[cfg(feature = "aws-lc")]
pub(crate) const AWS: &str = "floor: aws-lc";

/// A key of AES-128-GCM in pure Rust.
pub(crate) fn aes() -> Aes128Gcm {
    Aes128Gcm::new(&[7; 16].into())
}

pub(crate) fn seal(aead: &Aes128Gcm, message: &mut [u8]) -> Tag<Aes128Gcm> {
    aead.encrypt_inout_detached(&Nonce::<Aes128Gcm>::default(), &[], message.into()).unwrap()
}

/// Opens what [`seal`] made of `message`; the tag has to be right, or nothing is decrypted.
pub(crate) fn open(aead: &Aes128Gcm, message: &mut [u8], tag: &Tag<Aes128Gcm>) {
    let nonce = Nonce::<Aes128Gcm>::default();
    aead.decrypt_inout_detached(&nonce, &[], message.into(), tag).unwrap();
}

/// One agreement, with keys that are ready.
pub(crate) fn agreement() -> impl FnMut() -> [u8; 32] {
    let secret = StaticSecret::from([3; 32]);
    let public = PublicKey::from(&StaticSecret::from([5; 32]));
    move || secret.diffie_hellman(&public).to_bytes()
}

#[cfg(feature = "aws-lc")]
pub(crate) mod aws {
    use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
    use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};

    pub(crate) fn aes() -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[7; 16]).unwrap())
    }

    fn nonce() -> Nonce {
        Nonce::assume_unique_for_key([0; 12])
    }

    pub(crate) fn seal(aead: &LessSafeKey, message: &mut [u8]) -> Tag {
        aead.seal_in_place_separate_tag(nonce(), Aad::empty(), message).unwrap()
    }

    pub(crate) fn open(aead: &LessSafeKey, message: &mut [u8], tag: &Tag) {
        let tag = tag.as_ref();
        aead.open_in_place_separate_tag(nonce(), Aad::empty(), tag, message).unwrap();
    }

    /// One agreement with the key of a peer as it comes from the wire.
    pub(crate) fn agreement() -> impl FnMut() -> [u8; 32] {
        let secret = PrivateKey::from_private_key(&X25519, &[3; 32]).unwrap();
        let peer = PrivateKey::from_private_key(&X25519, &[5; 32]).unwrap();
        let public = peer.compute_public_key().unwrap();
        move || {
            let public = UnparsedPublicKey::new(&X25519, public.as_ref());
            agree(&secret, public, (), |shared| Ok(shared.try_into().unwrap())).unwrap()
        }
    }
}
