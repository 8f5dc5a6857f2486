//! Both sides of a response (RFC 9458 §4.4).

use core::fmt;

use bytes::{Bytes, BytesMut};
use rand_core::Rng;

use crate::{
    ChunkLimits, ChunkOpener, ChunkSealer, OpenError, Random, RequestHeader, SealError,
    exchange::Exchange, in_place, suite::TAG_LEN,
};

/// What a client keeps of a request: it opens the one answer to it.
pub struct PendingResponse(Exchange);

/// What a client keeps of a request in chunks: it opens the one answer to it, in chunks as well.
pub struct PendingChunkedResponse(Exchange);

/// What a gateway keeps of a request: it seals the one answer to it.
pub struct Reply {
    header: RequestHeader,
    exchange: Exchange,
    random: &'static dyn Random,
}

/// What a gateway keeps of a request in chunks: it seals the one answer to it, in chunks as well.
pub struct ChunkedReply {
    header: RequestHeader,
    exchange: Exchange,
    random: &'static dyn Random,
}

impl PendingResponse {
    pub(crate) fn new(exchange: Exchange) -> Self {
        Self(exchange)
    }

    /// Opens the encapsulated response, in the buffer it came in.
    ///
    /// # Errors
    /// If the response is cut short, altered, or the answer to another request.
    pub fn open(self, mut response: BytesMut) -> Result<BytesMut, OpenError> {
        let nonce_len = self.0.nonce_len();
        self.open_in_place(&mut response)?;
        Ok(in_place::strip(response, nonce_len))
    }

    /// [`open`](Self::open) for any slice: returns the part of it that holds the response.
    ///
    /// # Errors
    /// If the response is cut short, altered, or the answer to another request.
    pub fn open_in_place(self, response: &mut [u8]) -> Result<&mut [u8], OpenError> {
        let cipher = self.0.cipher;
        let (nonce, message, tag) =
            in_place::split(response, self.0.nonce_len()).ok_or(OpenError::Truncated)?;
        let (secret, salt) = self.0.into_salt(nonce);
        cipher.open(&secret, &salt, message, tag).map_err(|_| OpenError::Failed)?;
        Ok(message)
    }
}

impl PendingChunkedResponse {
    pub(crate) fn new(exchange: Exchange) -> Self {
        Self(exchange)
    }

    /// Begins to open the response. Push it from its first byte on.
    pub fn open(self, limits: &ChunkLimits) -> ChunkOpener {
        ChunkOpener::response(self.0, limits)
    }
}

impl Reply {
    pub(crate) fn new(
        header: RequestHeader,
        exchange: Exchange,
        random: &'static dyn Random,
    ) -> Self {
        Self { header, exchange, random }
    }

    /// The request's header: key id and algorithms.
    pub fn header(&self) -> RequestHeader {
        self.header
    }

    /// The request's encapsulated key, which is different for every request: what a guard against
    /// replay remembers (RFC 9458 §6.5).
    pub fn enc(&self) -> &[u8] {
        self.exchange.enc()
    }

    /// How many bytes longer an encapsulated response is than the response itself.
    pub fn overhead(&self) -> usize {
        self.exchange.nonce_len() + TAG_LEN
    }

    /// Encapsulates the response.
    ///
    /// # Errors
    /// If there is no randomness, or the response is longer than the AEAD takes.
    pub fn seal(self, response: &[u8]) -> Result<Bytes, SealError> {
        let mut out = BytesMut::with_capacity(response.len() + self.overhead());
        self.seal_into(&mut out, |out| in_place::append(out, response))?;
        Ok(out.freeze())
    }

    /// Appends the encapsulated response to `out`, without copying the response: `write` appends
    /// the response to the buffer it is given, and there it is encrypted in place.
    ///
    /// # Errors
    /// What `write` returns, or a [`SealError`]; `out` is then as it was.
    pub fn seal_into<E: From<SealError>>(
        self,
        out: &mut BytesMut,
        write: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { exchange, random, .. } = self;
        let cipher = exchange.cipher;
        in_place::with_random(random, out, |out, rng| {
            in_place::seal(out, cipher.nonce_len(), write, |response_nonce, message, tag| {
                rng.fill_bytes(response_nonce);
                let (secret, salt) = exchange.into_salt(response_nonce);
                cipher.seal(&secret, &salt, message, tag)
            })
        })
    }
}

impl ChunkedReply {
    pub(crate) fn new(
        header: RequestHeader,
        exchange: Exchange,
        random: &'static dyn Random,
    ) -> Self {
        Self { header, exchange, random }
    }

    /// The request's header: key id and algorithms.
    pub fn header(&self) -> RequestHeader {
        self.header
    }

    /// The request's encapsulated key: see [`Reply::enc`].
    pub fn enc(&self) -> &[u8] {
        self.exchange.enc()
    }

    /// Begins the response: appends what precedes its chunks to `out`, and returns what seals
    /// them.
    ///
    /// # Errors
    /// If there is no randomness; `out` is then as it was.
    pub fn start(self, out: &mut BytesMut, limits: &ChunkLimits) -> Result<ChunkSealer, SealError> {
        in_place::with_random(self.random, out, |out, rng| {
            let start = out.len();
            out.resize(start + self.exchange.nonce_len(), 0);
            let response_nonce = &mut out[start..];
            rng.fill_bytes(response_nonce);
            let sealer = self.exchange.sealer(response_nonce).map_err(|_| SealError::Refused)?;
            Ok(ChunkSealer::new(sealer, limits))
        })
    }
}

/// Shows only the type, or the header that was in clear.
macro_rules! discreet_debug {
    ($($type:ident { $($field:ident)? })*) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type))
                    $(.field(stringify!($field), &self.$field))?
                    .finish_non_exhaustive()
            }
        }
    )*};
}

discreet_debug! {
    PendingResponse {}
    PendingChunkedResponse {}
    Reply { header }
    ChunkedReply { header }
}
