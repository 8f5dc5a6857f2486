//! Where the primitives come from.

mod tables;

use core::fmt;

use oblivious_keys::{KemId, SymmetricSuite};
#[cfg(feature = "graviola")]
use thiserror::Error;

use crate::random::{Random, SystemRandom};
use crate::suite::KemTable;

/// A source of cryptographic primitives and randomness, chosen by value: several can be in use in
/// one program.
///
/// All providers are compatible: what one seals, any other opens. All have every KEM and every
/// suite, from these sources:
///
/// | | [`rust_crypto`](Self::rust_crypto) | `aws_lc` | `graviola` |
/// | --- | --- | --- | --- |
/// | X25519 | dalek | AWS-LC | graviola |
/// | X25519 to a [prepared](crate::Recipient::precomputed) key | dalek | dalek | dalek |
/// | P-256, P-384 | RustCrypto | AWS-LC | graviola |
/// | P-521 | RustCrypto | AWS-LC | RustCrypto |
/// | ML-KEM-768 | libcrux | AWS-LC; encapsulation: libcrux | graviola; encapsulation: libcrux |
/// | ML-KEM-1024 | libcrux | AWS-LC; encapsulation: libcrux | libcrux |
/// | AES-GCM, ChaCha20-Poly1305 | RustCrypto | AWS-LC | graviola |
/// | SHA-2, SHA-3, HKDF | RustCrypto | RustCrypto | RustCrypto |
/// | needs | nothing | the feature `aws-lc`, std, a C compiler | the feature `graviola`, std, Rust 1.89, a processor that has the instructions |
///
/// The hybrid KEMs use the primitives listed for their halves.
#[derive(Clone, Copy)]
pub struct Provider {
    name: &'static str,
    kems: &'static [KemTable],
    random: &'static dyn Random,
}

impl Provider {
    const fn new(name: &'static str, kems: &'static [KemTable]) -> Self {
        Self { name, kems, random: &SystemRandom }
    }

    /// Primitives in pure Rust, from the RustCrypto, dalek and libcrux projects.
    pub const fn rust_crypto() -> Self {
        Self::new("rust_crypto", tables::RUST_CRYPTO)
    }

    /// Primitives of AWS-LC: X25519, the NIST curves, the AEADs, and the gateway's side of ML-KEM.
    /// The client's side of ML-KEM and the hashes are those of [`rust_crypto`](Self::rust_crypto):
    /// AWS-LC expands a public key anew for every encapsulation, and does not accept randomness
    /// from the caller.
    #[cfg(feature = "aws-lc")]
    pub const fn aws_lc() -> Self {
        Self::new("aws_lc", tables::AWS_LC)
    }

    /// Primitives of graviola, whose arithmetic is formally verified assembly from s2n-bignum:
    /// X25519, P-256, P-384, the gateway's side of ML-KEM-768, and the AEADs. It needs no C
    /// compiler. The rest comes from [`rust_crypto`](Self::rust_crypto).
    ///
    /// # Errors
    /// If graviola does not support the processor.
    #[cfg(feature = "graviola")]
    pub fn graviola() -> Result<Self, ProcessorError> {
        if !crate::graviola::is_supported() {
            return Err(ProcessorError);
        }
        Ok(Self::new("graviola", tables::GRAVIOLA))
    }

    /// The fastest of the providers that are compiled in and run on this processor.
    ///
    /// With the features of the same names that is [`graviola`](Self::graviola), then
    /// [`aws_lc`](Self::aws_lc); without either it is [`rust_crypto`](Self::rust_crypto).
    pub fn fastest() -> Self {
        #[cfg(feature = "graviola")]
        if let Ok(graviola) = Self::graviola() {
            return graviola;
        }
        #[cfg(feature = "aws-lc")]
        return Self::aws_lc();
        #[cfg(not(feature = "aws-lc"))]
        Self::rust_crypto()
    }

    /// The same primitives, with a source of randomness other than the operating system.
    ///
    /// Without the feature `getrandom` a provider needs one to make keys, and to seal.
    #[must_use]
    pub const fn with_random(mut self, random: &'static dyn Random) -> Self {
        self.random = random;
        self
    }

    /// No security at all, for fuzzing: what is "encrypted" stays readable, and nearly every tag is
    /// right. It exists only in fuzzing builds.
    #[cfg(fuzzing)]
    pub const fn toy() -> Self {
        Self::new("toy", tables::TOY)
    }

    /// Whether keys of `kem` can be used with `suite`.
    ///
    /// The one-stage KDFs (SHAKE and TurboSHAKE) never can: the keys of a response come from
    /// Extract and Expand (RFC 9458 §4.4), which they do not have. Nor can the export-only AEAD.
    pub fn supports(&self, kem: KemId, suite: SymmetricSuite) -> bool {
        self.kem(kem).is_some_and(|kem| kem.suite(suite).is_some())
    }

    /// The source of randomness.
    pub const fn random(&self) -> &'static dyn Random {
        self.random
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

/// The processor lacks instructions that graviola needs.
#[cfg(feature = "graviola")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "graviola does not run on this processor: it needs x86-64 with AES, AVX2, ADX, BMI and \
     PCLMULQDQ, or aarch64 with AES, SHA-2 and PMULL; use another provider"
)]
pub struct ProcessorError;
