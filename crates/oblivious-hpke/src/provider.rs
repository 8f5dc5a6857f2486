//! Where the primitives come from.

use core::fmt;

use hpke::aead::Aead;
use oblivious_keys::{KdfId, KemId, SymmetricSuite};
use sha2::{Sha256, Sha384, Sha512};

use crate::{
    kem::X25519,
    suite::{Kdf, KemTable, SuiteTable},
};

/// A source of cryptographic primitives, chosen by value: two can be in use in one program.
///
/// Every provider speaks the same protocol; what one sealed, each other opens.
#[derive(Clone, Copy)]
pub struct Provider {
    name: &'static str,
    kems: &'static [KemTable],
}

impl Provider {
    /// Primitives in pure Rust, from the RustCrypto and dalek projects.
    pub const fn rust_crypto() -> Self {
        Self { name: "rust_crypto", kems: &RUST_CRYPTO }
    }

    /// Whether keys of `kem` can be used with `suite`.
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

static RUST_CRYPTO: [KemTable; 1] =
    [KemTable::new::<X25519>(KemId::X25519_HKDF_SHA256, 32, &X25519_SUITES)];

static X25519_SUITES: [SuiteTable; 9] = [
    SuiteTable::new::<X25519, HkdfSha256, Aes128Gcm>(),
    SuiteTable::new::<X25519, HkdfSha256, Aes256Gcm>(),
    SuiteTable::new::<X25519, HkdfSha256, ChaCha20Poly1305>(),
    SuiteTable::new::<X25519, HkdfSha384, Aes128Gcm>(),
    SuiteTable::new::<X25519, HkdfSha384, Aes256Gcm>(),
    SuiteTable::new::<X25519, HkdfSha384, ChaCha20Poly1305>(),
    SuiteTable::new::<X25519, HkdfSha512, Aes128Gcm>(),
    SuiteTable::new::<X25519, HkdfSha512, Aes256Gcm>(),
    SuiteTable::new::<X25519, HkdfSha512, ChaCha20Poly1305>(),
];

/// Declares the AEADs that are plugged in underneath the `hpke` crate.
macro_rules! aeads {
    ($($name:ident($implementation:ty) = $id:literal;)*) => {$(
        enum $name {}

        impl Aead for $name {
            type AeadImpl = $implementation;
            const AEAD_ID: u16 = $id;
        }
    )*};
}

aeads! {
    Aes128Gcm(aes_gcm::Aes128Gcm) = 1;
    Aes256Gcm(aes_gcm::Aes256Gcm) = 2;
    ChaCha20Poly1305(chacha20poly1305::ChaCha20Poly1305) = 3;
}

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
