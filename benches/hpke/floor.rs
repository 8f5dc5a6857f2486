//! The bare primitives, with everything prepared that can be: nothing is left but the agreement and
//! the encryption themselves.

/// The primitives of one provider. The agreements give what keys are derived from.
pub(crate) trait Primitives: 'static {
    /// What the bare primitives are called in the report.
    const BARE: &'static str;
    /// What they are called together with the derivation of all keys.
    const DERIVED: &'static str;
    /// A key of AES-128-GCM.
    type Aes: 'static;
    type Tag: 'static;

    fn aes() -> Self::Aes;
    fn seal(aead: &Self::Aes, message: &mut [u8]) -> Self::Tag;
    /// Opens what [`seal`](Self::seal) made of `message`; the tag has to be right, or nothing is
    /// decrypted.
    fn open(aead: &Self::Aes, message: &mut [u8], tag: &Self::Tag);
    /// One X25519 agreement, with keys that are ready.
    fn agreement() -> impl FnMut() -> [u8; 32] + 'static;
    /// An X25519 public key for a new private one.
    fn key_generation() -> impl FnMut() -> [u8; 32] + 'static;
    /// One ML-KEM-768 decapsulation, with a key that is ready.
    fn decapsulation() -> impl FnMut() -> [u8; 32] + 'static;
    /// One ML-KEM-768 encapsulation, with a key that is ready.
    fn encapsulation() -> impl FnMut() -> [u8; 32] + 'static;
}

const SEED: [u8; 64] = [9; 64];
const RANDOMNESS: [u8; 32] = [8; 32];

/// RustCrypto, dalek, libcrux.
pub(crate) enum Rust {}

mod rust {
    use aes_gcm::{
        Aes128Gcm, KeyInit,
        aead::{AeadInOut, Nonce, Tag},
    };
    #[cfg(target_arch = "x86_64")]
    use libcrux_ml_kem::mlkem768::avx2::unpacked as ml_kem;
    #[cfg(target_arch = "aarch64")]
    use libcrux_ml_kem::mlkem768::neon::unpacked as ml_kem;
    use x25519_dalek::{PublicKey, StaticSecret};

    use super::{Primitives, RANDOMNESS, Rust, SEED};

    impl Primitives for Rust {
        const BARE: &'static str = "floor: dalek, aes-gcm, libcrux";
        const DERIVED: &'static str = "floor: the same, keys derived";
        type Aes = Aes128Gcm;
        type Tag = Tag<Aes128Gcm>;

        fn aes() -> Aes128Gcm {
            Aes128Gcm::new(&[7; 16].into())
        }

        fn seal(aead: &Aes128Gcm, message: &mut [u8]) -> Self::Tag {
            aead.encrypt_inout_detached(&Nonce::<Aes128Gcm>::default(), &[], message.into())
                .unwrap()
        }

        fn open(aead: &Aes128Gcm, message: &mut [u8], tag: &Self::Tag) {
            let nonce = Nonce::<Aes128Gcm>::default();
            aead.decrypt_inout_detached(&nonce, &[], message.into(), tag).unwrap();
        }

        fn agreement() -> impl FnMut() -> [u8; 32] {
            let secret = StaticSecret::from([3; 32]);
            let public = PublicKey::from(&StaticSecret::from([5; 32]));
            move || secret.diffie_hellman(&public).to_bytes()
        }

        fn key_generation() -> impl FnMut() -> [u8; 32] {
            || PublicKey::from(&StaticSecret::from([3; 32])).to_bytes()
        }

        fn decapsulation() -> impl FnMut() -> [u8; 32] {
            let keys = Box::new(ml_kem::generate_key_pair(SEED));
            let mut public = ml_kem::init_public_key();
            ml_kem::public_key(&keys, &mut public);
            let (enc, _) = ml_kem::encapsulate(&public, RANDOMNESS);
            move || ml_kem::decapsulate(&keys, &enc)
        }

        fn encapsulation() -> impl FnMut() -> [u8; 32] {
            let keys = ml_kem::generate_key_pair(SEED);
            let mut public = Box::new(ml_kem::init_public_key());
            ml_kem::public_key(&keys, &mut public);
            move || ml_kem::encapsulate(&public, RANDOMNESS).1
        }
    }
}

/// AWS-LC.
#[cfg(feature = "aws-lc")]
pub(crate) enum Aws {}

#[cfg(feature = "aws-lc")]
mod aws {
    use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};
    use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
    use aws_lc_rs::kem::{DecapsulationKey, ML_KEM_768};

    use super::{Aws, Primitives};

    fn nonce() -> Nonce {
        Nonce::assume_unique_for_key([0; 12])
    }

    impl Primitives for Aws {
        const BARE: &'static str = "floor: aws-lc";
        const DERIVED: &'static str = "floor: aws-lc, keys derived";
        type Aes = LessSafeKey;
        type Tag = Tag;

        fn aes() -> LessSafeKey {
            LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[7; 16]).unwrap())
        }

        fn seal(aead: &LessSafeKey, message: &mut [u8]) -> Tag {
            aead.seal_in_place_separate_tag(nonce(), Aad::empty(), message).unwrap()
        }

        fn open(aead: &LessSafeKey, message: &mut [u8], tag: &Tag) {
            let tag = tag.as_ref();
            aead.open_in_place_separate_tag(nonce(), Aad::empty(), tag, message).unwrap();
        }

        /// With the key of a peer as it comes from the wire.
        fn agreement() -> impl FnMut() -> [u8; 32] {
            let secret = PrivateKey::from_private_key(&X25519, &[3; 32]).unwrap();
            let peer = PrivateKey::from_private_key(&X25519, &[5; 32]).unwrap();
            let public = peer.compute_public_key().unwrap();
            move || {
                let public = UnparsedPublicKey::new(&X25519, public.as_ref());
                agree(&secret, public, (), |shared| Ok(shared.try_into().unwrap())).unwrap()
            }
        }

        fn key_generation() -> impl FnMut() -> [u8; 32] {
            || {
                let secret = PrivateKey::from_private_key(&X25519, &[3; 32]).unwrap();
                secret.compute_public_key().unwrap().as_ref().try_into().unwrap()
            }
        }

        fn decapsulation() -> impl FnMut() -> [u8; 32] {
            let key = DecapsulationKey::generate(&ML_KEM_768).unwrap();
            let (enc, _) = key.encapsulation_key().unwrap().encapsulate().unwrap();
            move || {
                let secret = key.decapsulate(enc.as_ref().into()).unwrap();
                secret.as_ref().try_into().unwrap()
            }
        }

        fn encapsulation() -> impl FnMut() -> [u8; 32] {
            let key = DecapsulationKey::generate(&ML_KEM_768).unwrap();
            let key = key.encapsulation_key().unwrap();
            move || key.encapsulate().unwrap().1.as_ref().try_into().unwrap()
        }
    }
}

/// graviola.
#[cfg(feature = "graviola")]
pub(crate) enum Graviola {}

#[cfg(feature = "graviola")]
mod graviola_floor {
    use graviola::aead::AesGcm;
    use graviola::key_agreement::{
        mlkem768::{DecapKey, Message},
        x25519::{PublicKey, StaticPrivateKey},
    };

    use super::{Graviola, Primitives, RANDOMNESS, SEED};

    impl Primitives for Graviola {
        const BARE: &'static str = "floor: graviola";
        const DERIVED: &'static str = "floor: graviola, keys derived";
        type Aes = AesGcm;
        type Tag = [u8; 16];

        fn aes() -> AesGcm {
            AesGcm::new(&[7; 16])
        }

        fn seal(aead: &AesGcm, message: &mut [u8]) -> [u8; 16] {
            let mut tag = [0; 16];
            aead.encrypt(&[0; 12], &[], message, &mut tag);
            tag
        }

        fn open(aead: &AesGcm, message: &mut [u8], tag: &[u8; 16]) {
            aead.decrypt(&[0; 12], &[], message, tag).unwrap();
        }

        fn agreement() -> impl FnMut() -> [u8; 32] {
            let secret = StaticPrivateKey::from_array(&[3; 32]);
            let public = StaticPrivateKey::from_array(&[5; 32]).public_key().as_bytes();
            move || secret.diffie_hellman(&PublicKey::from_array(&public)).unwrap().0
        }

        fn key_generation() -> impl FnMut() -> [u8; 32] {
            || StaticPrivateKey::from_array(&[3; 32]).public_key().as_bytes()
        }

        fn decapsulation() -> impl FnMut() -> [u8; 32] {
            let key = Box::new(DecapKey::keygen_internal(&SEED));
            let (_, enc) = key.encapsulation_key().encaps().unwrap();
            move || *key.decaps_internal(&enc).as_ref()
        }

        fn encapsulation() -> impl FnMut() -> [u8; 32] {
            let key = DecapKey::keygen_internal(&SEED).encapsulation_key();
            move || *key.clone().encaps_internal(Message(RANDOMNESS)).0.as_ref()
        }
    }
}
