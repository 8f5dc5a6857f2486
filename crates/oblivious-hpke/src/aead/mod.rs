//! AEADs, plugged in underneath the `hpke` crate.

#[cfg(feature = "aws-lc")]
mod aws_lc;

use hpke::aead::Aead;

/// Declares AEADs by their implementation and their identifier (RFC 9180 §7.3).
macro_rules! aeads {
    ($($(#[$attribute:meta])* $name:ident($implementation:ty) = $id:literal;)*) => {$(
        $(#[$attribute])*
        pub(crate) enum $name {}

        $(#[$attribute])*
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
    #[cfg(feature = "aws-lc")]
    AwsAes128Gcm(aws_lc::Key<aws_lc::Aes128Gcm>) = 1;
    #[cfg(feature = "aws-lc")]
    AwsAes256Gcm(aws_lc::Key<aws_lc::Aes256Gcm>) = 2;
    #[cfg(feature = "aws-lc")]
    AwsChaCha20Poly1305(aws_lc::Key<aws_lc::ChaCha20Poly1305>) = 3;
    #[cfg(feature = "graviola")]
    GraviolaAes128Gcm(crate::graviola::Aes128Gcm) = 1;
    #[cfg(feature = "graviola")]
    GraviolaAes256Gcm(crate::graviola::Aes256Gcm) = 2;
    #[cfg(feature = "graviola")]
    GraviolaChaCha20Poly1305(crate::graviola::ChaCha20Poly1305) = 3;
}
