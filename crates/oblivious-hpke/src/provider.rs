//! Where the primitives come from.

use core::fmt;

use oblivious_keys::{KdfId, KemId, SymmetricSuite};
use sha2::{Sha256, Sha384, Sha512};

#[cfg(feature = "aws-lc")]
use crate::aead::{AwsAes128Gcm, AwsAes256Gcm, AwsChaCha20Poly1305};
use crate::{
    aead::{Aes128Gcm, Aes256Gcm, ChaCha20Poly1305},
    kem::{self, DhKem},
    suite::{Kdf, KemTable, SuiteTable},
};

/// A source of cryptographic primitives, chosen by value: several can be in use in one program.
///
/// Every provider speaks the same protocol; what one sealed, each other opens.
#[derive(Clone, Copy)]
pub struct Provider {
    name: &'static str,
    kems: &'static [KemTable],
}

impl Provider {
    /// Primitives in pure Rust, from the RustCrypto, dalek and libcrux projects.
    pub const fn rust_crypto() -> Self {
        Self { name: "rust_crypto", kems: RUST_CRYPTO }
    }

    /// Primitives of AWS-LC: X25519, the NIST curves, the AEADs, and the gateway's side of ML-KEM.
    /// The client's side of ML-KEM and the hashes are those of
    /// [`rust_crypto`](Self::rust_crypto): AWS-LC expands a public key anew for every
    /// encapsulation, and cannot be given its randomness.
    #[cfg(feature = "aws-lc")]
    pub const fn aws_lc() -> Self {
        Self { name: "aws_lc", kems: AWS_LC }
    }

    /// No security at all, for fuzzing: what is "encrypted" stays readable, and nearly every tag is
    /// right. It exists in builds of a fuzzer alone.
    #[cfg(fuzzing)]
    pub const fn toy() -> Self {
        Self { name: "toy", kems: TOY }
    }

    /// Whether keys of `kem` can be used with `suite`.
    ///
    /// The one-stage KDFs (SHAKE and TurboSHAKE) never can: the keys of a response come from
    /// Extract and Expand (RFC 9458 §4.4), which they do not have. Nor can the AEAD that exports
    /// only.
    pub fn supports(&self, kem: KemId, suite: SymmetricSuite) -> bool {
        self.kem(kem).is_some_and(|kem| kem.suite(suite).is_some())
    }

    pub(crate) fn kem(&self, id: KemId) -> Option<&'static KemTable> {
        self.kems.iter().find(|kem| kem.id == id)
    }
}

impl Default for Provider {
    fn default() -> Self {
        Self::rust_crypto()
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.name)
    }
}

/// The table of a KEM, with every combination of a KDF and one of the AEADs named.
macro_rules! kem {
    ($kem:ty, $($aead:ident),+) => {
        KemTable::new::<$kem>(const { &[
            $(SuiteTable::new::<$kem, HkdfSha256, $aead>(),)+
            $(SuiteTable::new::<$kem, HkdfSha384, $aead>(),)+
            $(SuiteTable::new::<$kem, HkdfSha512, $aead>(),)+
        ] })
    };
}

macro_rules! rust_crypto {
    ($kem:ty) => {
        kem!($kem, Aes128Gcm, Aes256Gcm, ChaCha20Poly1305)
    };
}

static RUST_CRYPTO: &[KemTable] = &[
    rust_crypto!(DhKem<kem::X25519>),
    #[cfg(feature = "nist")]
    rust_crypto!(DhKem<kem::P256>),
    #[cfg(feature = "nist")]
    rust_crypto!(DhKem<kem::P384>),
    #[cfg(feature = "nist")]
    rust_crypto!(DhKem<kem::P521>),
    #[cfg(feature = "post-quantum")]
    rust_crypto!(kem::HybridKem<kem::XWing, kem::MlKem768, kem::X25519>),
    #[cfg(feature = "post-quantum")]
    rust_crypto!(kem::PureMlKem<kem::MlKem768>),
    #[cfg(feature = "post-quantum")]
    rust_crypto!(kem::PureMlKem<kem::MlKem1024>),
    #[cfg(all(feature = "post-quantum", feature = "nist"))]
    rust_crypto!(kem::HybridKem<kem::MlKem768P256, kem::MlKem768, kem::P256>),
    #[cfg(all(feature = "post-quantum", feature = "nist"))]
    rust_crypto!(kem::HybridKem<kem::MlKem1024P384, kem::MlKem1024, kem::P384>),
];

#[cfg(feature = "aws-lc")]
macro_rules! aws_lc {
    ($kem:ty) => {
        kem!($kem, AwsAes128Gcm, AwsAes256Gcm, AwsChaCha20Poly1305)
    };
}

#[cfg(feature = "aws-lc")]
static AWS_LC: &[KemTable] = &[
    aws_lc!(DhKem<kem::AwsX25519>),
    #[cfg(feature = "nist")]
    aws_lc!(DhKem<kem::AwsP256>),
    #[cfg(feature = "nist")]
    aws_lc!(DhKem<kem::AwsP384>),
    #[cfg(feature = "nist")]
    aws_lc!(DhKem<kem::AwsP521>),
    #[cfg(feature = "post-quantum")]
    aws_lc!(kem::HybridKem<kem::XWing, kem::AwsMlKem768, kem::AwsX25519>),
    #[cfg(feature = "post-quantum")]
    aws_lc!(kem::PureMlKem<kem::AwsMlKem768>),
    #[cfg(feature = "post-quantum")]
    aws_lc!(kem::PureMlKem<kem::AwsMlKem1024>),
    #[cfg(all(feature = "post-quantum", feature = "nist"))]
    aws_lc!(kem::HybridKem<kem::MlKem768P256, kem::AwsMlKem768, kem::AwsP256>),
    #[cfg(all(feature = "post-quantum", feature = "nist"))]
    aws_lc!(kem::HybridKem<kem::MlKem1024P384, kem::AwsMlKem1024, kem::AwsP384>),
];

#[cfg(fuzzing)]
static TOY: &[KemTable] = &[kem!(DhKem<crate::toy::ToyGroup>, Toy)];

#[cfg(fuzzing)]
use crate::toy::Toy;

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
