//! Both sides of a response (RFC 9458 §4.4).

use alloc::vec::Vec;
use core::fmt;

use bytes::{Bytes, BytesMut};
use rand_core::CryptoRng;

use crate::{
    OpenError, RequestHeader, SealError, frame,
    suite::{ResponseCipher, ResponseSecret, TAG_LEN},
};

/// What a client keeps of a request: it opens the one answer to it.
pub struct PendingResponse(Exchange);

/// What a gateway keeps of a request: it seals the one answer to it.
pub struct Reply {
    header: RequestHeader,
    exchange: Exchange,
}

/// What both sides know after a request: enough to derive the response's key and nonce.
struct Exchange {
    secret: ResponseSecret,
    enc: Vec<u8>,
    cipher: &'static dyn ResponseCipher,
}

impl Exchange {
    fn new(secret: ResponseSecret, enc: &[u8], cipher: &'static dyn ResponseCipher) -> Self {
        // The response nonce is appended later to make the salt.
        let mut room = Vec::with_capacity(enc.len() + cipher.nonce_len());
        room.extend_from_slice(enc);
        Self { secret, enc: room, cipher }
    }

    /// The salt of Extract: `enc`, then the response nonce.
    fn into_salt(self, response_nonce: &[u8]) -> (ResponseSecret, Vec<u8>) {
        let Self { secret, mut enc, .. } = self;
        enc.extend_from_slice(response_nonce);
        (secret, enc)
    }
}

impl PendingResponse {
    pub(crate) fn new(
        secret: ResponseSecret,
        enc: &[u8],
        cipher: &'static dyn ResponseCipher,
    ) -> Self {
        Self(Exchange::new(secret, enc, cipher))
    }

    /// Opens the encapsulated response, in the buffer it came in.
    ///
    /// # Errors
    /// If the response is cut short, altered, or the answer to another request.
    pub fn open(self, mut response: BytesMut) -> Result<BytesMut, OpenError> {
        let nonce_len = self.0.cipher.nonce_len();
        self.open_in_place(&mut response)?;
        Ok(frame::strip(response, nonce_len))
    }

    /// [`open`](Self::open) for any slice: returns the part of it that holds the response.
    ///
    /// # Errors
    /// If the response is cut short, altered, or the answer to another request.
    pub fn open_in_place(self, response: &mut [u8]) -> Result<&mut [u8], OpenError> {
        let cipher = self.0.cipher;
        let (nonce, message, tag) =
            frame::split(response, cipher.nonce_len()).ok_or(OpenError::Truncated)?;
        let (secret, salt) = self.0.into_salt(nonce);
        cipher.open(&secret, &salt, message, tag).map_err(|_| OpenError::Failed)?;
        Ok(message)
    }
}

impl Reply {
    pub(crate) fn new(
        header: RequestHeader,
        secret: ResponseSecret,
        enc: &[u8],
        cipher: &'static dyn ResponseCipher,
    ) -> Self {
        Self { header, exchange: Exchange::new(secret, enc, cipher) }
    }

    /// The request's header: key id and algorithms.
    pub fn header(&self) -> RequestHeader {
        self.header
    }

    /// The request's encapsulated key, which is different for every request: what a guard against
    /// replay remembers (RFC 9458 §6.5).
    pub fn enc(&self) -> &[u8] {
        &self.exchange.enc
    }

    /// By how many bytes an encapsulated response is longer than the response itself.
    pub fn overhead(&self) -> usize {
        self.exchange.cipher.nonce_len() + TAG_LEN
    }

    /// Encapsulates the response.
    ///
    /// # Errors
    /// If the operating system gives no randomness.
    #[cfg(feature = "getrandom")]
    pub fn seal(self, response: &[u8]) -> Result<Bytes, SealError> {
        let mut out = BytesMut::with_capacity(response.len() + self.overhead());
        self.seal_into(&mut out, |out| {
            out.extend_from_slice(response);
            Ok::<_, SealError>(())
        })?;
        Ok(out.freeze())
    }

    /// [`seal`](Self::seal) with the caller's randomness.
    ///
    /// # Errors
    /// If the response is longer than the AEAD takes.
    pub fn seal_with_rng(
        self,
        response: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Bytes, SealError> {
        let mut out = BytesMut::with_capacity(response.len() + self.overhead());
        self.seal_into_with_rng(&mut out, rng, |out| {
            out.extend_from_slice(response);
            Ok::<_, SealError>(())
        })?;
        Ok(out.freeze())
    }

    /// Appends the encapsulated response to `out`, without copying the response: `write` appends
    /// the response to the buffer it is given, and there it is encrypted in place.
    ///
    /// # Errors
    /// What `write` returns, or a [`SealError`]; `out` is then as it was.
    #[cfg(feature = "getrandom")]
    pub fn seal_into<E: From<SealError>>(
        self,
        out: &mut BytesMut,
        write: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<(), E> {
        let (start, mut rng) = (out.len(), crate::rng::SystemRng::default());
        self.seal_into_with_rng(out, &mut rng, write)?;
        if rng.failed() {
            frame::undo(out, start);
            return Err(SealError::Randomness.into());
        }
        Ok(())
    }

    /// [`seal_into`](Self::seal_into) with the caller's randomness.
    ///
    /// # Errors
    /// What `write` returns, or a [`SealError`]; `out` is then as it was.
    pub fn seal_into_with_rng<E: From<SealError>>(
        self,
        out: &mut BytesMut,
        rng: &mut impl CryptoRng,
        write: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<(), E> {
        let cipher = self.exchange.cipher;
        frame::seal(out, cipher.nonce_len(), write, |response_nonce, message, tag| {
            rng.fill_bytes(response_nonce);
            let (secret, salt) = self.exchange.into_salt(response_nonce);
            cipher.seal(&secret, &salt, message, tag)
        })
    }
}

impl fmt::Debug for PendingResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingResponse").finish_non_exhaustive()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("header", &self.header).finish_non_exhaustive()
    }
}
