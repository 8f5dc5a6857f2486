//! The AEADs, behind the traits of the crate `aead`.

use alloc::sync::Arc;

use aead::{
    AeadCore, AeadInOut, Error, KeyInit, KeySizeUser, Nonce, Tag, TagPosition,
    consts::{U12, U16, U32},
    inout::InOutBuf,
};
use graviola::aead as graviola;

use super::{Settle, settle};

/// A key, which graviola wipes when the last clone is dropped.
struct Wiped<K> {
    key: K,
    _settle: Settle,
}

macro_rules! aeads {
    ($($(#[$doc:meta])* $name:ident($key:ty, $key_len:ty) = $new:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub(crate) struct $name(Arc<Wiped<$key>>);

        impl KeySizeUser for $name {
            type KeySize = $key_len;
        }

        impl KeyInit for $name {
            fn new(key: &aead::Key<Self>) -> Self {
                settle();
                let new: fn(&aead::Key<Self>) -> $key = $new;
                Self(Arc::new(Wiped { key: new(key), _settle: Settle }))
            }
        }

        impl AeadCore for $name {
            type NonceSize = U12;
            type TagSize = U16;
            const TAG_POSITION: TagPosition = TagPosition::Postfix;
        }

        impl AeadInOut for $name {
            fn encrypt_inout_detached(
                &self,
                nonce: &Nonce<Self>,
                aad: &[u8],
                buffer: InOutBuf<'_, '_, u8>,
            ) -> Result<Tag<Self>, Error> {
                let mut tag = [0; 16];
                let in_out = buffer.into_out_with_copied_in();
                self.0.key.encrypt(&nonce.0, aad, in_out, &mut tag);
                Ok(tag.into())
            }

            fn decrypt_inout_detached(
                &self,
                nonce: &Nonce<Self>,
                aad: &[u8],
                buffer: InOutBuf<'_, '_, u8>,
                tag: &Tag<Self>,
            ) -> Result<(), Error> {
                let in_out = buffer.into_out_with_copied_in();
                self.0.key.decrypt(&nonce.0, aad, in_out, tag).map_err(|_| Error)
            }
        }
    )*};
}

aeads! {
    /// AES-128-GCM.
    Aes128Gcm(graviola::AesGcm, U16) = |key| graviola::AesGcm::new(key);
    /// AES-256-GCM.
    Aes256Gcm(graviola::AesGcm, U32) = |key| graviola::AesGcm::new(key);
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305(graviola::ChaCha20Poly1305, U32) = |key| {
        graviola::ChaCha20Poly1305::new(key.0)
    };
}
