//! What an exchange needs for its response (RFC 9458 §4.4).

use alloc::{boxed::Box, vec::Vec};

use crate::suite::{Failed, OpenChunk, ResponseCipher, ResponseSecret, SealChunk};

/// What both sides know after a request: enough to derive the response's key and nonce.
pub(crate) struct Exchange {
    secret: ResponseSecret,
    /// With room for the response nonce, which completes the salt of Extract.
    enc: Vec<u8>,
    pub(crate) cipher: &'static dyn ResponseCipher,
}

impl Exchange {
    pub(crate) fn new(
        secret: ResponseSecret,
        enc: &[u8],
        cipher: &'static dyn ResponseCipher,
    ) -> Self {
        let mut room = Vec::with_capacity(enc.len() + cipher.nonce_len());
        room.extend_from_slice(enc);
        Self { secret, enc: room, cipher }
    }

    /// The request's encapsulated key.
    pub(crate) fn enc(&self) -> &[u8] {
        &self.enc
    }

    /// The length of the response nonce, in bytes.
    pub(crate) fn nonce_len(&self) -> usize {
        self.cipher.nonce_len()
    }

    pub(crate) fn opener(self, response_nonce: &[u8]) -> Result<Box<dyn OpenChunk>, Failed> {
        let cipher = self.cipher;
        let (secret, salt) = self.into_salt(response_nonce);
        cipher.opener(&secret, &salt)
    }

    pub(crate) fn sealer(self, response_nonce: &[u8]) -> Result<Box<dyn SealChunk>, Failed> {
        let cipher = self.cipher;
        let (secret, salt) = self.into_salt(response_nonce);
        cipher.sealer(&secret, &salt)
    }

    /// The salt of Extract: `enc`, then the response nonce.
    pub(crate) fn into_salt(self, response_nonce: &[u8]) -> (ResponseSecret, Vec<u8>) {
        let Self { secret, mut enc, .. } = self;
        enc.extend_from_slice(response_nonce);
        (secret, enc)
    }
}
