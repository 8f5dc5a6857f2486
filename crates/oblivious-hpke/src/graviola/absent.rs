//! Without graviola its provider is never made; these types only fill its table.

pub(crate) use aes_gcm::{Aes128Gcm, Aes256Gcm};
pub(crate) use chacha20poly1305::ChaCha20Poly1305;

#[cfg(feature = "post-quantum")]
pub(crate) use crate::kem::MlKem768;
pub(crate) use crate::kem::X25519;
#[cfg(feature = "nist")]
pub(crate) use crate::kem::{P256, P384};

/// No.
pub(crate) fn is_supported() -> bool {
    false
}
