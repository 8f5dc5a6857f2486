//! What each provider has: for each KEM its implementation, with every KDF and every AEAD.

use oblivious_keys::KdfId;
use sha2::{Sha256, Sha384, Sha512};

#[cfg(feature = "graviola")]
use crate::graviola;
use crate::{
    aead::{Aes128Gcm, Aes256Gcm, ChaCha20Poly1305},
    kem::{self, DhKem},
    suite::{Kdf, KemTable, SuiteTable},
};

/// The table of a KEM, with every combination of a KDF and one of the AEADs named.
macro_rules! kem {
    ($kem:ty, $($aead:ty),+) => {
        KemTable::new::<$kem>(const { &[
            $(SuiteTable::new::<$kem, HkdfSha256, $aead>(),)+
            $(SuiteTable::new::<$kem, HkdfSha384, $aead>(),)+
            $(SuiteTable::new::<$kem, HkdfSha512, $aead>(),)+
        ] })
    };
}

/// The tables of a provider, by the primitives that it has.
macro_rules! provider {
    (
        $(#[$attribute:meta])*
        $name:ident {
            x25519: $x25519:ty, p256: $p256:ty, p384: $p384:ty, p521: $p521:ty,
            ml_kem_768: $ml_kem_768:ty, ml_kem_1024: $ml_kem_1024:ty,
            aeads: $aes_128:ty, $aes_256:ty, $chacha:ty,
        }
    ) => {
        $(#[$attribute])*
        pub(super) static $name: &[KemTable] = &[
            kem!(DhKem<$x25519>, $aes_128, $aes_256, $chacha),
            #[cfg(feature = "nist")]
            kem!(DhKem<$p256>, $aes_128, $aes_256, $chacha),
            #[cfg(feature = "nist")]
            kem!(DhKem<$p384>, $aes_128, $aes_256, $chacha),
            #[cfg(feature = "nist")]
            kem!(DhKem<$p521>, $aes_128, $aes_256, $chacha),
            #[cfg(feature = "post-quantum")]
            kem!(kem::HybridKem<kem::XWing, $ml_kem_768, $x25519>, $aes_128, $aes_256, $chacha),
            #[cfg(feature = "post-quantum")]
            kem!(kem::PureMlKem<$ml_kem_768>, $aes_128, $aes_256, $chacha),
            #[cfg(feature = "post-quantum")]
            kem!(kem::PureMlKem<$ml_kem_1024>, $aes_128, $aes_256, $chacha),
            #[cfg(all(feature = "post-quantum", feature = "nist"))]
            kem!(
                kem::HybridKem<kem::MlKem768P256, $ml_kem_768, $p256>,
                $aes_128, $aes_256, $chacha
            ),
            #[cfg(all(feature = "post-quantum", feature = "nist"))]
            kem!(
                kem::HybridKem<kem::MlKem1024P384, $ml_kem_1024, $p384>,
                $aes_128, $aes_256, $chacha
            ),
        ];
    };
}

provider! {
    RUST_CRYPTO {
        x25519: kem::X25519, p256: kem::P256, p384: kem::P384, p521: kem::P521,
        ml_kem_768: kem::MlKem768, ml_kem_1024: kem::MlKem1024,
        aeads: Aes128Gcm, Aes256Gcm, ChaCha20Poly1305,
    }
}

provider! {
    #[cfg(feature = "aws-lc")]
    AWS_LC {
        x25519: kem::AwsX25519, p256: kem::AwsP256, p384: kem::AwsP384, p521: kem::AwsP521,
        ml_kem_768: kem::AwsMlKem768, ml_kem_1024: kem::AwsMlKem1024,
        aeads: crate::aead::AwsAes128Gcm, crate::aead::AwsAes256Gcm,
            crate::aead::AwsChaCha20Poly1305,
    }
}

provider! {
    #[cfg(feature = "graviola")]
    GRAVIOLA {
        x25519: graviola::X25519, p256: graviola::P256, p384: graviola::P384, p521: kem::P521,
        ml_kem_768: graviola::MlKem768, ml_kem_1024: kem::MlKem1024,
        aeads: crate::aead::GraviolaAes128Gcm, crate::aead::GraviolaAes256Gcm,
            crate::aead::GraviolaChaCha20Poly1305,
    }
}

#[cfg(fuzzing)]
pub(super) static TOY: &[KemTable] = &[kem!(DhKem<crate::fuzzing::ToyGroup>, crate::fuzzing::Toy)];

/// Declares the KDFs: the `hpke` crate's for its key schedule, the hash for our responses.
macro_rules! kdfs {
    ($($name:ident($hash:ty) = $id:expr;)*) => {$(
        enum $name {}

        impl Kdf for $name {
            type Hpke = hpke::kdf::$name;
            type Hash = $hash;
            const ID: KdfId = $id;
        }
    )*};
}

kdfs! {
    HkdfSha256(Sha256) = KdfId::HKDF_SHA256;
    HkdfSha384(Sha384) = KdfId::HKDF_SHA384;
    HkdfSha512(Sha512) = KdfId::HKDF_SHA512;
}
