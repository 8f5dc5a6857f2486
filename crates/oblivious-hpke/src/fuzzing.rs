//! Primitives without any security, only in fuzzing builds: with real ones a fuzzer would never get
//! past a tag, and the code behind it would go untested.

use aes_gcm::aead::{
    AeadCore, AeadInOut, Error, Key, KeyInit, KeySizeUser, Nonce, Tag, TagPosition,
    consts::{U12, U16},
    inout::InOutBuf,
};
use hpke::{aead::Aead, kdf::HkdfSha256};

use crate::kem::Group;

/// A group in which the agreement is a sum, and every 32 bytes are a key.
pub(crate) enum ToyGroup {}

fn bytes(bytes: &[u8]) -> Option<[u8; 32]> {
    bytes.try_into().ok()
}

impl Group for ToyGroup {
    type Hpke = hpke::kem::X25519HkdfSha256;
    type Kdf = HkdfSha256;
    type Secret = [u8; 32];
    type Point = [u8; 32];

    fn secret(secret: &[u8]) -> Option<[u8; 32]> {
        bytes(secret)
    }

    fn public_key(secret: &[u8; 32], out: &mut [u8]) -> Option<()> {
        out.copy_from_slice(secret);
        Some(())
    }

    fn point(point: &[u8]) -> Option<[u8; 32]> {
        bytes(point)
    }

    fn agree<T>(
        secret: &[u8; 32],
        point: &[u8; 32],
        with: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let mut sum = *secret;
        for (byte, other) in sum.iter_mut().zip(point) {
            *byte = byte.wrapping_add(*other);
        }
        with(&sum)
    }
}

/// An AEAD that leaves the message as it is. Its tag encodes only the length of the additional
/// data.
#[derive(Clone)]
pub(crate) struct Plain;

fn tag(aad: &[u8]) -> Tag<Plain> {
    let mut tag = Tag::<Plain>::default();
    tag[0] = aad.len().to_le_bytes()[0];
    tag
}

impl KeySizeUser for Plain {
    type KeySize = U16;
}

impl KeyInit for Plain {
    fn new(_: &Key<Self>) -> Self {
        Self
    }
}

impl AeadCore for Plain {
    type NonceSize = U12;
    type TagSize = U16;
    const TAG_POSITION: TagPosition = TagPosition::Postfix;
}

impl AeadInOut for Plain {
    fn encrypt_inout_detached(
        &self,
        _: &Nonce<Self>,
        aad: &[u8],
        buffer: InOutBuf<'_, '_, u8>,
    ) -> Result<Tag<Self>, Error> {
        let _ = buffer.into_out_with_copied_in();
        Ok(tag(aad))
    }

    fn decrypt_inout_detached(
        &self,
        _: &Nonce<Self>,
        aad: &[u8],
        buffer: InOutBuf<'_, '_, u8>,
        found: &Tag<Self>,
    ) -> Result<(), Error> {
        let _ = buffer.into_out_with_copied_in();
        if found[0] == tag(aad)[0] { Ok(()) } else { Err(Error) }
    }
}

/// [`Plain`] under the identifier of AES-128-GCM.
pub(crate) enum Toy {}

impl Aead for Toy {
    type AeadImpl = Plain;
    const AEAD_ID: u16 = 1;
}
