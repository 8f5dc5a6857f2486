//! The AEADs of AWS-LC, behind the traits of the crate `aead`.

use alloc::sync::Arc;
use core::marker::PhantomData;

use aead::{
    AeadCore, AeadInOut, Error, KeyInit, KeySizeUser, Nonce, Tag, TagPosition,
    array::ArraySize,
    consts::{U12, U16, U32},
    inout::InOutBuf,
};
use aws_lc_rs::aead::{self as aws, Aad, Algorithm, LessSafeKey, UnboundKey};

/// One of AWS-LC's algorithms.
pub(crate) trait Kind: Send + Sync {
    type KeyLen: ArraySize;
    const ALGORITHM: &'static Algorithm;
}

macro_rules! kinds {
    ($($name:ident($key_len:ty) = $algorithm:ident;)*) => {$(
        pub(crate) enum $name {}

        impl Kind for $name {
            type KeyLen = $key_len;
            const ALGORITHM: &'static Algorithm = &aws::$algorithm;
        }
    )*};
}

kinds! {
    Aes128Gcm(U16) = AES_128_GCM;
    Aes256Gcm(U32) = AES_256_GCM;
    ChaCha20Poly1305(U32) = CHACHA20_POLY1305;
}

/// A key of the algorithm `K`. AWS-LC wipes it when the last clone is dropped.
pub(crate) struct Key<K> {
    key: Arc<LessSafeKey>,
    kind: PhantomData<K>,
}

impl<K> Clone for Key<K> {
    fn clone(&self) -> Self {
        Self { key: Arc::clone(&self.key), kind: PhantomData }
    }
}

impl<K: Kind> KeySizeUser for Key<K> {
    type KeySize = K::KeyLen;
}

impl<K: Kind> KeyInit for Key<K> {
    fn new(key: &aead::Key<Self>) -> Self {
        let key = UnboundKey::new(K::ALGORITHM, key).expect("the key has the algorithm's length");
        Self { key: Arc::new(LessSafeKey::new(key)), kind: PhantomData }
    }
}

impl<K: Kind> AeadCore for Key<K> {
    type NonceSize = U12;
    type TagSize = U16;
    const TAG_POSITION: TagPosition = TagPosition::Postfix;
}

fn nonce<K: Kind>(nonce: &Nonce<Key<K>>) -> aws::Nonce {
    aws::Nonce::assume_unique_for_key((*nonce).into())
}

impl<K: Kind> AeadInOut for Key<K> {
    fn encrypt_inout_detached(
        &self,
        unique: &Nonce<Self>,
        aad: &[u8],
        buffer: InOutBuf<'_, '_, u8>,
    ) -> Result<Tag<Self>, Error> {
        let in_out = buffer.into_out_with_copied_in();
        let tag = self.key.seal_in_place_separate_tag(nonce::<K>(unique), Aad::from(aad), in_out);
        tag.ok().and_then(|tag| tag.as_ref().try_into().ok()).ok_or(Error)
    }

    fn decrypt_inout_detached(
        &self,
        unique: &Nonce<Self>,
        aad: &[u8],
        buffer: InOutBuf<'_, '_, u8>,
        tag: &Tag<Self>,
    ) -> Result<(), Error> {
        let in_out = buffer.into_out_with_copied_in();
        let opened =
            self.key.open_in_place_separate_tag(nonce::<K>(unique), Aad::from(aad), tag, in_out);
        opened.map(drop).map_err(|_| Error)
    }
}
