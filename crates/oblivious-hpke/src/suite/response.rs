//! Responses: a key and a nonce from the exported secret (RFC 9458 §4.4).

use alloc::boxed::Box;
use core::marker::PhantomData;

use aes_gcm::aead::{AeadInOut, KeyInit, KeySizeUser, Nonce, Tag};
use hkdf::Hkdf;
use hpke::aead::Aead;
use zeroize::Zeroizing;

use super::objects::{
    Failed, Kdf, MAX_KEY_LEN, Marker, OpenChunk, ResponseCipher, ResponseSecret, SealChunk,
    TAG_LEN, entropy_len,
};

pub(super) struct Response<D, A>(Marker<(D, A)>);

impl<D: Kdf, A: Aead> Response<D, A> {
    pub(super) const NEW: Self = Self(PhantomData);

    // prk = Extract(salt, secret)                   RFC 9458 §4.4
    // aead_key = Expand(prk, "key", Nk)
    // aead_nonce = Expand(prk, "nonce", Nn)
    fn chunks(secret: &ResponseSecret, salt: &[u8]) -> Result<Chunks<A>, Failed> {
        let prk = Hkdf::<D::Hash>::new(Some(salt), secret.as_bytes());
        let mut room = Zeroizing::new([0; MAX_KEY_LEN]);
        let key = &mut room[..A::AeadImpl::key_size()];
        prk.expand(b"key", key).map_err(|_| Failed)?;
        let mut base_nonce = Nonce::<A::AeadImpl>::default();
        prk.expand(b"nonce", &mut base_nonce).map_err(|_| Failed)?;
        let aead = A::AeadImpl::new_from_slice(key).map_err(|_| Failed)?;
        Ok(Chunks { aead, base_nonce, counter: Some(0) })
    }
}

impl<D: Kdf, A: Aead + 'static> ResponseCipher for Response<D, A> {
    fn nonce_len(&self) -> usize {
        entropy_len::<A>()
    }

    // The nonce of a whole response is that of the first chunk: XOR with zero leaves it unchanged.
    fn seal(
        &self,
        secret: &ResponseSecret,
        salt: &[u8],
        message: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), Failed> {
        Self::chunks(secret, salt)?.seal_chunk(&[], message, tag)
    }

    fn open(
        &self,
        secret: &ResponseSecret,
        salt: &[u8],
        message: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Failed> {
        Self::chunks(secret, salt)?.open_chunk(&[], message, tag)
    }

    fn sealer(&self, secret: &ResponseSecret, salt: &[u8]) -> Result<Box<dyn SealChunk>, Failed> {
        Ok(Box::new(Self::chunks(secret, salt)?))
    }

    fn opener(&self, secret: &ResponseSecret, salt: &[u8]) -> Result<Box<dyn OpenChunk>, Failed> {
        Ok(Box::new(Self::chunks(secret, salt)?))
    }
}

/// The chunks of one direction of one response (draft-ietf-ohai-chunked-ohttp §6).
struct Chunks<A: Aead> {
    aead: A::AeadImpl,
    base_nonce: Nonce<A::AeadImpl>,
    /// How many chunks there have been; `None` when no further number is left.
    counter: Option<u64>,
}

impl<A: Aead> Chunks<A> {
    /// The nonce of the next chunk: the base nonce XOR the chunk's number. Each number is used
    /// once; they run out before one would repeat.
    fn next_nonce(&mut self) -> Result<Nonce<A::AeadImpl>, Failed> {
        let number = self.counter.ok_or(Failed)?;
        self.counter = number.checked_add(1);
        let mut nonce = self.base_nonce.clone();
        let start = nonce.len() - size_of::<u64>();
        for (byte, counted) in nonce[start..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= counted;
        }
        Ok(nonce)
    }
}

impl<A: Aead> SealChunk for Chunks<A> {
    fn seal_chunk(
        &mut self,
        aad: &[u8],
        message: &mut [u8],
        tag: &mut [u8; TAG_LEN],
    ) -> Result<(), Failed> {
        let nonce = self.next_nonce()?;
        let sealed = self.aead.encrypt_inout_detached(&nonce, aad, message.into());
        tag.copy_from_slice(&sealed.map_err(|_| Failed)?);
        Ok(())
    }
}

impl<A: Aead> OpenChunk for Chunks<A> {
    fn open_chunk(
        &mut self,
        aad: &[u8],
        message: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Failed> {
        let nonce = self.next_nonce()?;
        let tag = Tag::<A::AeadImpl>::try_from(&tag[..]).map_err(|_| Failed)?;
        self.aead.decrypt_inout_detached(&nonce, aad, message.into(), &tag).map_err(|_| Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunks() -> Chunks<hpke::aead::AesGcm128> {
        let aead = aes_gcm::Aes128Gcm::new_from_slice(&[1; 16]).unwrap();
        let base_nonce = Nonce::<aes_gcm::Aes128Gcm>::from([0xf0; 12]);
        Chunks { aead, base_nonce, counter: Some(0) }
    }

    /// draft-ietf-ohai-chunked-ohttp §6.2
    #[test]
    fn each_chunk_has_its_number_in_its_nonce() {
        let mut chunks = chunks();
        chunks.counter = Some(0x0102);
        assert_eq!(chunks.next_nonce().unwrap()[8..], [0xf0, 0xf0, 0xf1, 0xf2]);
        assert_eq!(chunks.next_nonce().unwrap()[8..], [0xf0, 0xf0, 0xf1, 0xf3]);
    }

    /// draft-ietf-ohai-chunked-ohttp §6.2. A fault found elsewhere: a counter that wraps repeats a nonce.
    #[test]
    fn the_counter_ends_and_does_not_wrap() {
        let mut chunks = chunks();
        chunks.counter = Some(u64::MAX - 1);
        let mut tag = [0; TAG_LEN];
        let mut message = *b"one";
        assert!(chunks.seal_chunk(&[], &mut message[..], &mut tag).is_ok());
        assert!(chunks.seal_chunk(&[], &mut message[..], &mut tag).is_ok());
        for _ in 0..2 {
            assert!(chunks.seal_chunk(&[], &mut message[..], &mut tag).is_err());
            assert!(chunks.open_chunk(&[], &mut message, &tag).is_err());
        }
    }
}
