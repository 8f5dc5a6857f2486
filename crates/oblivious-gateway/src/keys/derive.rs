//! How the keys of an epoch are derived from one secret.

use std::path::Path;

use hkdf::Hkdf;
use oblivious_hpke::{KeyPair, KeyPairError, Provider};
use oblivious_keys::KemId;
use sha2::Sha256;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use super::{SecretFileError, secret_file};

/// The length of a root and of a seed, in bytes: the output of SHA-256.
pub(crate) const ROOT_LEN: usize = 32;

/// The length of the input to DeriveKeyPair: at least Nsk (RFC 9180 §7.1.3), of which P-521's, 66
/// bytes, is the longest.
const KEY_MATERIAL_LEN: usize = 66;

/// The secret that the keys of one epoch are derived from. It is overwritten when dropped.
pub(crate) struct Root(Zeroizing<[u8; ROOT_LEN]>);

impl Root {
    pub(crate) fn new(bytes: Zeroizing<[u8; ROOT_LEN]>) -> Self {
        Self(bytes)
    }

    /// A new one, from the operating system's randomness; `None` if there is none.
    pub(crate) fn generate() -> Option<Self> {
        let mut bytes = Zeroizing::new([0; ROOT_LEN]);
        getrandom::fill(&mut *bytes).ok()?;
        Some(Self(bytes))
    }

    /// The root of the next epoch, HKDF-Expand(root, "next"). There is no way back.
    pub(crate) fn next(&self) -> Self {
        Self(expand(&self.0, &[b"next"]))
    }

    /// The key of this epoch, DeriveKeyPair(HKDF-Expand(root, "key" ‖ kem_id)).
    pub(crate) fn key(&self, kem: KemId, provider: Provider) -> Result<KeyPair, KeyPairError> {
        let material: Zeroizing<[u8; KEY_MATERIAL_LEN]> =
            expand(&self.0, &[b"key", &kem.0.to_be_bytes()]);
        KeyPair::derive(kem, &*material, provider)
    }

    pub(crate) fn expose(&self) -> &[u8; ROOT_LEN] {
        &self.0
    }
}

/// The secret of a schedule without state, 32 random bytes. It is overwritten when dropped, cannot
/// be cloned, and is never shown.
pub struct Seed(Zeroizing<[u8; ROOT_LEN]>);

impl Seed {
    /// The length of a seed, in bytes.
    pub const LEN: usize = ROOT_LEN;

    /// Takes 32 random bytes, for instance from `openssl rand`; do not use a password. `bytes` is
    /// overwritten.
    pub fn new(bytes: &mut [u8; Self::LEN]) -> Self {
        let seed = Self(Zeroizing::new(*bytes));
        bytes.zeroize();
        seed
    }

    /// Reads a file with 64 hexadecimal digits, which white space may surround. On Unix it must be
    /// readable by its owner alone.
    ///
    /// # Errors
    /// If the file cannot be read, others can read it, or it contains something else.
    pub fn read(path: &Path) -> Result<Self, SeedError> {
        Self::from_hex(&secret_file::read(path)?)
    }

    /// Takes 64 hexadecimal digits, which white space may surround.
    ///
    /// # Errors
    /// If it is something else.
    pub fn from_hex(text: &[u8]) -> Result<Self, SeedError> {
        let mut bytes = Zeroizing::new([0; Self::LEN]);
        hex::decode_to_slice(text.trim_ascii(), &mut *bytes)
            .map_err(|_| SeedError::NotHexadecimal)?;
        Ok(Self(bytes))
    }

    /// The pair that is derived from the seed itself (DeriveKeyPair of RFC 9180 §7.1.3), for a
    /// [`FixedKey`](super::FixedKey): the same seed gives the same pair everywhere. A seed for a
    /// schedule must not be used for this too.
    ///
    /// # Errors
    /// If the provider does not have the KEM, or the KEM needs a longer seed.
    pub fn key_pair(&self, kem: KemId, provider: Provider) -> Result<KeyPair, KeyPairError> {
        KeyPair::derive(kem, self.expose(), provider)
    }

    /// The root of an epoch, HKDF-Expand(seed, "epoch" ‖ epoch), as eight bytes.
    pub(crate) fn root(&self, epoch: u64) -> Root {
        Root(expand(&self.0, &[b"epoch", &epoch.to_be_bytes()]))
    }

    pub(crate) fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

/// There is no seed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SeedError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// It is not 64 hexadecimal digits.
    #[error(
        "the seed is not 64 hexadecimal digits; make one with: (umask 077; openssl rand -hex 32)"
    )]
    NotHexadecimal,
}

/// HKDF-Expand (RFC 5869 §2.3) with SHA-256, for a secret that is random already.
fn expand<const N: usize>(secret: &[u8; ROOT_LEN], info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    let mut out = Zeroizing::new([0; N]);
    Hkdf::<Sha256>::from_prk(secret)
        .expect("the secret is as long as a hash")
        .expand_multi_info(info, &mut *out)
        .expect("the output is far below 255 hashes");
    out
}
