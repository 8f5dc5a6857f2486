//! The KEMs of every provider against published vectors (RFC 9180 §A, draft-ietf-hpke-pq).

use alloc::{vec, vec::Vec};
use core::convert::Infallible;

use hpke::{Deserializable, HpkeError, Kem, Serializable};
use rand_core::{TryCryptoRng, TryRng};

use super::{ml_kem::MlKem, *};

/// A vector: see the file.
struct Vector {
    ikm_e: Vec<u8>,
    ikm_r: Vec<u8>,
    secret_key: Vec<u8>,
    public_key: Vec<u8>,
    enc: Vec<u8>,
    shared_secret: Vec<u8>,
}

/// The vector of the KEM with this identifier.
fn vector(kem_id: u16) -> Vector {
    let blocks = include_str!("vectors.txt").split("\nkem ").skip(1);
    let mut of_kem = blocks.filter_map(|block| block.split_once('\n'));
    let (_, fields) = of_kem
        .find(|(id, _)| u16::from_str_radix(id, 16).unwrap() == kem_id)
        .unwrap_or_else(|| panic!("no vector for the KEM {kem_id:#06x}"));
    let field = |name: &str| {
        let value = fields.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        hex::decode(value.trim()).unwrap()
    };
    Vector {
        ikm_e: field("ikmE"),
        ikm_r: field("ikmR"),
        secret_key: field("skR"),
        public_key: field("pkR"),
        enc: field("enc"),
        shared_secret: field("shared_secret"),
    }
}

/// Returns known bytes, once.
struct FixedRng(Vec<u8>);

impl TryRng for FixedRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("the KEMs draw bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("the KEMs draw bytes")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&core::mem::replace(&mut self.0, rest));
        Ok(())
    }
}

impl TryCryptoRng for FixedRng {}

/// DeriveKeyPair (RFC 9180 §7.1.3, draft-ietf-hpke-pq §4): the keys that gateways derive from their
/// seeds, so a change here would change all of them.
fn check_derivation<K: PreparedKem>(vector: &Vector) {
    let (secret_key, public_key) = K::derive_keypair(&vector.ikm_r);
    // A private key of X25519 is clamped when it is read (RFC 9180 §7.1.2).
    let published = K::PrivateKey::from_bytes(&vector.secret_key).unwrap();
    assert_eq!(secret_key.to_bytes(), published.to_bytes());
    assert_eq!(public_key.to_bytes()[..], vector.public_key);
}

/// Checks a KEM whose encapsulation draws from `randomness`; of hybrid KEMs, the published
/// randomness has a reserve for private keys out of range that need not be drawn.
fn check_with<K: PreparedKem>(vector: &Vector, randomness: Vec<u8>) {
    let secret_key = K::PrivateKey::from_bytes(&vector.secret_key).unwrap();
    let public_key = K::sk_to_pk(&secret_key);
    assert_eq!(public_key.to_bytes()[..], vector.public_key);

    let enc = K::EncappedKey::from_bytes(&vector.enc).unwrap();
    let decapsulated = K::decap(&secret_key, None, &enc).unwrap();
    assert_eq!(decapsulated.0[..], vector.shared_secret);

    let mut prepared = K::PublicKey::from_bytes(&vector.public_key).unwrap();
    for precomputed in [false, true] {
        let mut rng = FixedRng(randomness.clone());
        let (shared, enc) = K::encap_with_rng(&prepared, None, &mut rng).unwrap();
        assert_eq!(enc.to_bytes()[..], vector.enc);
        assert_eq!(shared.0[..], vector.shared_secret, "precomputed: {precomputed}");
        K::precompute(&mut prepared);
    }
}

/// RFC 9180 §A: the generator returns the ephemeral private key.
fn check_dh<K: PreparedKem>() {
    let vector = vector(K::KEM_ID);
    check_derivation::<K>(&vector);
    let (ephemeral, _) = K::derive_keypair(&vector.ikm_e);
    check_with::<K>(&vector, ephemeral.to_bytes().to_vec());
}

/// draft-ietf-hpke-pq: the generator returns the randomness of the encapsulation.
fn check_post_quantum<K: PreparedKem>() {
    let vector = vector(K::KEM_ID);
    check_derivation::<K>(&vector);
    check_with::<K>(&vector, vector.ikm_e.clone());
}

/// FIPS 203 §7.2: a public key of ML-KEM, which comes first in that of a hybrid, must have every
/// coefficient below q. They take 12 bits each, two in three bytes; `coefficients` says how many.
fn check_coefficients<K: PreparedKem>(coefficients: usize) {
    let with = |index: usize, coefficient: u16| {
        let mut public_key = vector(K::KEM_ID).public_key;
        let pair = &mut public_key[index / 2 * 3..][..3];
        let [low, high] = coefficient.to_le_bytes();
        if index.is_multiple_of(2) {
            pair[0] = low;
            pair[1] = (pair[1] & 0xf0) | high;
        } else {
            pair[1] = (pair[1] & 0x0f) | (low << 4);
            pair[2] = (low >> 4) | (high << 4);
        }
        K::PublicKey::from_bytes(&public_key)
    };
    for index in [0, 1, 255, 256, coefficients - 2, coefficients - 1] {
        assert!(with(index, Q - 1).is_ok(), "{index}");
        for coefficient in [Q, Q + 1, 0xfff] {
            let error = with(index, coefficient).err();
            assert_eq!(error, Some(HpkeError::ValidationError), "{index} {coefficient}");
        }
    }
}

/// libcrux beside the implementation that the `hpke` crate uses: keys, encapsulation, and
/// decapsulation of ciphertexts that are right and that are not (FIPS 203 §6.3, implicit
/// rejection).
fn check_against_hpke<M: MlKem>() {
    for seed in 0..20 {
        let seed = [seed; 64];
        let theirs = <M::Hpke as Kem>::PrivateKey::from_bytes(&seed).unwrap();
        let ours = <PureMlKem<M> as Kem>::PrivateKey::from_bytes(&seed).unwrap();
        let their_public = M::Hpke::sk_to_pk(&theirs);
        let our_public = PureMlKem::<M>::sk_to_pk(&ours);
        assert_eq!(our_public.to_bytes()[..], their_public.to_bytes()[..]);

        let mut rng = FixedRng(seed[..32].to_vec());
        let (their_secret, their_enc) =
            M::Hpke::encap_with_rng(&their_public, None, &mut rng).unwrap();
        let mut rng = FixedRng(seed[..32].to_vec());
        let (secret, enc) = PureMlKem::<M>::encap_with_rng(&our_public, None, &mut rng).unwrap();
        let mut enc = enc.to_bytes().to_vec();
        assert_eq!(enc, their_enc.to_bytes()[..]);
        assert_eq!(secret.0[..], their_secret.0[..]);

        for damage in [0, 1, 0xff] {
            let at = usize::from(seed[0]) * 37 % enc.len();
            enc[at] ^= damage;
            let their_enc = <M::Hpke as Kem>::EncappedKey::from_bytes(&enc).unwrap();
            let expected = M::Hpke::decap(&theirs, None, &their_enc).unwrap();
            let our_enc = <PureMlKem<M> as Kem>::EncappedKey::from_bytes(&enc).unwrap();
            let secret = PureMlKem::<M>::decap(&ours, None, &our_enc).unwrap();
            assert_eq!(secret.0[..], expected.0[..], "{damage}");
        }
    }
}

/// The modulus of ML-KEM (FIPS 203 §2.4).
const Q: u16 = 3329;

/// The encodings of all X25519 points of low order (RFC 7748 §6.1): 0, 1, the two of order 8, p-1,
/// p, p+1, and each again with the highest bit, which is ignored.
fn low_order() -> impl Iterator<Item = [u8; 32]> {
    let points = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    points.into_iter().flat_map(|point| {
        let mut point: [u8; 32] = hex::decode(point).unwrap().try_into().unwrap();
        let plain = point;
        point[31] |= 0x80;
        [plain, point]
    })
}

/// The X25519 half of a ciphertext, and that of a public key, replaced by a point of low order,
/// which would leave the secret to ML-KEM alone.
fn check_low_order<K: PreparedKem>() {
    let vector = vector(K::KEM_ID);
    let secret_key = K::PrivateKey::from_bytes(&vector.secret_key).unwrap();
    let replaced = |mut bytes: Vec<u8>, point: [u8; 32]| {
        let x25519 = bytes.len() - 32;
        bytes[x25519..].copy_from_slice(&point);
        bytes
    };
    for point in low_order() {
        let enc = K::EncappedKey::from_bytes(&replaced(vector.enc.clone(), point)).unwrap();
        assert_eq!(K::decap(&secret_key, None, &enc).err(), Some(HpkeError::DecapError));

        // A provider may refuse it when it reads it, and then need not when it uses it.
        let public_key = replaced(vector.public_key.clone(), point);
        let Ok(mut public_key) = K::PublicKey::from_bytes(&public_key) else { continue };
        for _ in 0..2 {
            let mut rng = FixedRng(vector.ikm_e.clone());
            let encapsulated = K::encap_with_rng(&public_key, None, &mut rng);
            assert_eq!(encapsulated.err(), Some(HpkeError::EncapError));
            K::precompute(&mut public_key);
        }
    }
}

/// A point that is not on the curve, one in the wrong form, and one at infinity (RFC 9180 §7.1.4).
/// `start` says where the point begins in a public key, and from the end in `enc`.
fn check_invalid_points<K: PreparedKem>(start: usize) {
    let vector = vector(K::KEM_ID);
    let point = &vector.public_key[start..];
    let mut off_curve = point.to_vec();
    *off_curve.last_mut().unwrap() ^= 1;
    let mut hybrid = point.to_vec();
    hybrid[0] = 6 + (hybrid.last().unwrap() & 1);
    let infinity = vec![0; point.len()];
    let secret_key = K::PrivateKey::from_bytes(&vector.secret_key).unwrap();
    for point in [off_curve, hybrid, infinity] {
        let public_key = [&vector.public_key[..start], &point].concat();
        assert!(K::PublicKey::from_bytes(&public_key).is_err());
        let enc = [&vector.enc[..vector.enc.len() - point.len()], &point].concat();
        let enc = K::EncappedKey::from_bytes(&enc).unwrap();
        let decapsulated = K::decap(&secret_key, None, &enc);
        assert_eq!(decapsulated.err(), Some(HpkeError::DecapError));
    }
    assert!(K::PublicKey::from_bytes(&vector.public_key[1..]).is_err());
    // The private key of a hybrid is a seed, of which any is valid.
    if start == 0 {
        let zero = vec![0; vector.secret_key.len()];
        assert!(K::PrivateKey::from_bytes(&zero).is_err());
        let above = vec![0xff; vector.secret_key.len()];
        assert!(K::PrivateKey::from_bytes(&above).is_err());
    }
}

/// RFC 9180 §7.1.3: a random private key that is out of range is drawn again.
#[test]
fn an_ephemeral_key_out_of_range_is_drawn_again() {
    let vector = vector(DhKem::<P256>::KEM_ID);
    let (ephemeral, _) = DhKem::<P256>::derive_keypair(&vector.ikm_e);
    let mut randomness = vec![0xff; 32];
    randomness.extend([0; 32]);
    randomness.extend(ephemeral.to_bytes());
    check_with::<DhKem<P256>>(&vector, randomness);
}

/// All of it over the primitives of one provider.
macro_rules! over {
    ($(#[$attribute:meta])* $provider:ident {
        $x25519:ty, $p256:ty, $p384:ty, $p521:ty, $ml_kem_768:ty, $ml_kem_1024:ty $(,)?
    }) => {
        $(#[$attribute])*
        mod $provider {
            use super::*;

            type XWingKem = HybridKem<XWing, $ml_kem_768, $x25519>;
            type MlKem768P256Kem = HybridKem<hybrid::MlKem768P256, $ml_kem_768, $p256>;
            type MlKem1024P384Kem = HybridKem<hybrid::MlKem1024P384, $ml_kem_1024, $p384>;

            #[test]
            fn diffie_hellman() {
                check_dh::<DhKem<$x25519>>();
                check_dh::<DhKem<$p256>>();
                check_dh::<DhKem<$p384>>();
                check_dh::<DhKem<$p521>>();
            }

            #[test]
            fn post_quantum() {
                check_post_quantum::<PureMlKem<$ml_kem_768>>();
                check_post_quantum::<PureMlKem<$ml_kem_1024>>();
                check_post_quantum::<XWingKem>();
                check_post_quantum::<MlKem768P256Kem>();
                check_post_quantum::<MlKem1024P384Kem>();
            }

            #[test]
            fn ml_kem_is_that_of_another_implementation() {
                check_against_hpke::<$ml_kem_768>();
                check_against_hpke::<$ml_kem_1024>();
            }

            #[test]
            fn ml_kem_keys_with_a_coefficient_out_of_range_are_refused() {
                check_coefficients::<PureMlKem<$ml_kem_768>>(3 * 256);
                check_coefficients::<PureMlKem<$ml_kem_1024>>(4 * 256);
                check_coefficients::<XWingKem>(3 * 256);
                check_coefficients::<MlKem768P256Kem>(3 * 256);
                check_coefficients::<MlKem1024P384Kem>(4 * 256);
            }

            #[test]
            fn x_wing_refuses_points_of_low_order() {
                check_low_order::<XWingKem>();
            }

            #[test]
            fn invalid_points_are_refused_on_both_sides() {
                check_invalid_points::<DhKem<$p256>>(0);
                check_invalid_points::<DhKem<$p384>>(0);
                check_invalid_points::<DhKem<$p521>>(0);
                check_invalid_points::<MlKem768P256Kem>(1184);
                check_invalid_points::<MlKem1024P384Kem>(1568);
            }
        }
    };
}

over!(rust_crypto { X25519, P256, P384, P521, MlKem768, MlKem1024 });
over!(
    #[cfg(feature = "aws-lc")]
    aws_lc { AwsX25519, AwsP256, AwsP384, AwsP521, AwsMlKem768, AwsMlKem1024 }
);
over!(
    #[cfg(feature = "graviola")]
    graviola {
        crate::graviola::X25519,
        crate::graviola::P256,
        crate::graviola::P384,
        P521,
        crate::graviola::MlKem768,
        MlKem1024,
    }
);
