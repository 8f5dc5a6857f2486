//! Messages in chunks (draft-ietf-ohai-chunked-ohttp §3 to §6), without I/O.

use alloc::boxed::Box;
use core::fmt;

use bytes::{Bytes, BytesMut};
use oblivious_wire::VarInt;

use crate::{
    ChunkError, ChunkLimitError, SealError,
    exchange::Exchange,
    suite::{OpenChunk, SealChunk, TAG_LEN},
};

/// The additional data that marks the final chunk.
const FINAL: &[u8] = b"final";

/// How much is copied at a time. Of 2 KiB or more, glibc before 2.39 makes a single instruction that
/// takes many times as long on AMD's Zen 3 and 4, when source and target lie alike within their pages
/// (glibc's bug 30994).
const COPY_LEN: usize = 1024;

/// Bounds for messages in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkLimits {
    max_chunk_len: usize,
    max_chunks: u64,
}

impl ChunkLimits {
    /// Sets the longest chunk that is opened, in bytes of plaintext. The default is
    /// [`ChunkSealer::MAX_CHUNK_LEN`], 16,384 bytes.
    ///
    /// # Errors
    /// If it is less than the default: every receiver must accept chunks of that length
    /// (draft-ietf-ohai-chunked-ohttp §3).
    pub fn with_max_chunk_len(self, bytes: usize) -> Result<Self, ChunkLimitError> {
        if bytes < ChunkSealer::MAX_CHUNK_LEN {
            return Err(ChunkLimitError { bytes });
        }
        Ok(Self { max_chunk_len: bytes, ..self })
    }

    /// Sets a chunk limit below what a receiver must accept. For fuzzing: short inputs can then
    /// reach it.
    #[cfg(fuzzing)]
    #[must_use]
    pub fn with_any_max_chunk_len(self, bytes: usize) -> Self {
        Self { max_chunk_len: bytes, ..self }
    }

    /// Sets how many chunks one message may have, sealed or opened. The default is 2^32, far below
    /// what the nonces can count.
    #[must_use]
    pub fn with_max_chunks(self, chunks: u64) -> Self {
        Self { max_chunks: chunks, ..self }
    }

    /// The longest chunk that is opened, in bytes of plaintext.
    pub fn max_chunk_len(&self) -> usize {
        self.max_chunk_len
    }

    /// The most chunks in one message.
    pub fn max_chunks(&self) -> u64 {
        self.max_chunks
    }
}

impl Default for ChunkLimits {
    fn default() -> Self {
        Self { max_chunk_len: ChunkSealer::MAX_CHUNK_LEN, max_chunks: 1 << 32 }
    }
}

/// Seals a message chunk by chunk.
///
/// The receiver refuses a message that was not [finished](Self::finish), so drop this to break off.
pub struct ChunkSealer {
    sealer: Box<dyn SealChunk>,
    chunks_left: u64,
}

impl ChunkSealer {
    /// The longest chunk that is sealed, in bytes of plaintext: what every receiver must accept.
    pub const MAX_CHUNK_LEN: usize = 1 << 14;

    pub(crate) fn new(sealer: Box<dyn SealChunk>, limits: &ChunkLimits) -> Self {
        Self { sealer, chunks_left: limits.max_chunks }
    }

    /// Appends `data` to `out`, sealed. More than [`MAX_CHUNK_LEN`](Self::MAX_CHUNK_LEN) bytes
    /// become several chunks. No bytes make no chunk, since an empty one would be refused.
    ///
    /// # Errors
    /// If the message has too many chunks. Then `out` may have some of the data, sealed.
    pub fn seal(&mut self, data: &[u8], out: &mut BytesMut) -> Result<(), SealError> {
        data.chunks(Self::MAX_CHUNK_LEN).try_for_each(|chunk| self.seal_one(chunk, &[], out))
    }

    /// Appends the end of the message to `out`: `data`, which may be empty, and the mark that
    /// nothing follows.
    ///
    /// # Errors
    /// If the message has too many chunks. Then `out` may have some of the data, sealed.
    pub fn finish(mut self, data: &[u8], out: &mut BytesMut) -> Result<(), SealError> {
        let before = data.len().saturating_sub(1) / Self::MAX_CHUNK_LEN * Self::MAX_CHUNK_LEN;
        let (before, last) = data.split_at(before);
        self.seal(before, out)?;
        self.seal_one(last, FINAL, out)
    }

    fn seal_one(&mut self, chunk: &[u8], aad: &[u8], out: &mut BytesMut) -> Result<(), SealError> {
        self.chunks_left = self.chunks_left.checked_sub(1).ok_or(SealError::TooManyChunks)?;
        // The length of the final chunk is zero: it runs to the end of the stream.
        let sealed_len = if aad == FINAL { 0 } else { chunk.len() + TAG_LEN };
        out.reserve(VarInt::MAX_LEN + chunk.len() + TAG_LEN);
        let start = out.len();
        VarInt::try_from(sealed_len).map_err(|_| SealError::Refused)?.encode(out);
        let body = out.len();
        for block in chunk.chunks(COPY_LEN) {
            out.extend_from_slice(block);
        }
        let mut tag = [0; TAG_LEN];
        let sealed = self.sealer.seal_chunk(aad, &mut out[body..], &mut tag);
        if sealed.is_err() {
            out.truncate(start);
            return Err(SealError::Refused);
        }
        out.extend_from_slice(&tag);
        Ok(())
    }
}

/// Opens a message chunk by chunk, from bytes that come in pieces.
///
/// Push bytes, divided in any way; pull chunks until there are none; say when the bytes have ended.
/// The whole message has arrived only after [`next_chunk`](Self::next_chunk) has returned a chunk
/// that [is final](Chunk::is_final): if you stop before that, you have part of a message and cannot
/// know what is missing.
///
/// Push and pull in turn: the [`ChunkLimits`] bound what is pulled, but everything that is pushed
/// is kept until it is pulled.
pub struct ChunkOpener {
    buffer: BytesMut,
    ended: bool,
    chunks_left: u64,
    max_chunk_len: usize,
    state: State,
}

enum State {
    /// The response nonce is to come.
    Nonce(Exchange),
    /// The length of a chunk, or what the length announced, is to come.
    Chunk(Box<dyn OpenChunk>),
    /// The rest of the stream is the final chunk.
    Final(Box<dyn OpenChunk>),
    Done,
    Failed(ChunkError),
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk {
    /// The plaintext. Only a final chunk can be empty. How a message is divided has no meaning.
    pub data: Bytes,
    /// Whether the message ends with this chunk.
    pub is_final: bool,
}

impl ChunkOpener {
    /// For a request, of which `received` follows `enc`.
    pub(crate) fn request(
        opener: Box<dyn OpenChunk>,
        received: BytesMut,
        limits: &ChunkLimits,
    ) -> Self {
        Self::new(State::Chunk(opener), received, limits)
    }

    /// For a response.
    pub(crate) fn response(exchange: Exchange, limits: &ChunkLimits) -> Self {
        Self::new(State::Nonce(exchange), BytesMut::new(), limits)
    }

    fn new(state: State, buffer: BytesMut, limits: &ChunkLimits) -> Self {
        let &ChunkLimits { max_chunk_len, max_chunks } = limits;
        Self { buffer, ended: false, chunks_left: max_chunks, max_chunk_len, state }
    }

    /// Adds bytes of the stream. Do not call it after [`finish`](Self::finish).
    pub fn push(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::Failed(_)) || bytes.is_empty() {
            return;
        }
        if self.ended {
            self.state = State::Failed(ChunkError::PushAfterFinish);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Says that the stream has ended.
    pub fn finish(&mut self) {
        self.ended = true;
    }

    /// The next chunk; `None` if more bytes are needed, or after the final chunk.
    ///
    /// # Errors
    /// If the stream is damaged, is cut off or exceeds a limit. Every further call then returns the
    /// same error. What was returned before is authentic, but not the whole message.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>, ChunkError> {
        let advanced = self.advance();
        if let Err(error) = &advanced {
            self.state = State::Failed(*error);
            self.buffer = BytesMut::new();
        }
        advanced
    }

    fn advance(&mut self) -> Result<Option<Chunk>, ChunkError> {
        loop {
            match core::mem::replace(&mut self.state, State::Done) {
                State::Nonce(exchange) => {
                    let nonce_len = exchange.nonce_len();
                    if self.buffer.len() < nonce_len {
                        self.state = State::Nonce(exchange);
                        return self.need_more();
                    }
                    let nonce = self.buffer.split_to(nonce_len);
                    let opener = exchange.opener(&nonce).map_err(|_| ChunkError::Failed)?;
                    self.state = State::Chunk(opener);
                }
                State::Chunk(mut opener) => {
                    let Some((announced, prefix_len)) = VarInt::decode(&self.buffer) else {
                        self.state = State::Chunk(opener);
                        return self.need_more();
                    };
                    if announced.get() == 0 {
                        let _zero = self.buffer.split_to(prefix_len);
                        self.state = State::Final(opener);
                        continue;
                    }
                    let sealed_len = self.checked_len(announced)?;
                    if self.buffer.len() - prefix_len < sealed_len {
                        self.state = State::Chunk(opener);
                        return self.need_more();
                    }
                    let _length = self.buffer.split_to(prefix_len);
                    let sealed = self.buffer.split_to(sealed_len);
                    let data = self.open(&mut *opener, &[], sealed)?;
                    self.state = State::Chunk(opener);
                    return Ok(Some(Chunk { data, is_final: false }));
                }
                State::Final(mut opener) => {
                    if self.buffer.len().saturating_sub(TAG_LEN) > self.max_chunk_len {
                        return Err(ChunkError::ChunkTooLong { limit: self.max_chunk_len });
                    }
                    if !self.ended {
                        self.state = State::Final(opener);
                        return Ok(None);
                    }
                    let sealed = self.buffer.split();
                    let data = self.open(&mut *opener, FINAL, sealed)?;
                    return Ok(Some(Chunk { data, is_final: true }));
                }
                State::Done => return Ok(None),
                State::Failed(error) => return Err(error),
            }
        }
    }

    /// There is nothing to pull. At the end of the stream this means that it was cut off.
    fn need_more(&self) -> Result<Option<Chunk>, ChunkError> {
        if self.ended { Err(ChunkError::Truncated) } else { Ok(None) }
    }

    /// The length of a sealed chunk that is not final, if it is acceptable.
    fn checked_len(&self, announced: VarInt) -> Result<usize, ChunkError> {
        let too_long = ChunkError::ChunkTooLong { limit: self.max_chunk_len };
        let sealed_len = usize::try_from(announced.get()).map_err(|_| too_long)?;
        match sealed_len.checked_sub(TAG_LEN) {
            // An empty chunk would be an easy way to keep a receiver busy, so it is treated like
            // one that does not open. A chunk shorter than a tag cannot open.
            None | Some(0) => Err(ChunkError::Failed),
            Some(len) if len > self.max_chunk_len => Err(too_long),
            Some(_) => Ok(sealed_len),
        }
    }

    fn open(
        &mut self,
        opener: &mut dyn OpenChunk,
        aad: &[u8],
        mut sealed: BytesMut,
    ) -> Result<Bytes, ChunkError> {
        let too_many = ChunkError::TooManyChunks;
        self.chunks_left = self.chunks_left.checked_sub(1).ok_or(too_many)?;
        let (message, tag) =
            sealed.split_last_chunk_mut::<TAG_LEN>().ok_or(ChunkError::Truncated)?;
        opener.open_chunk(aad, message, tag).map_err(|_| ChunkError::Failed)?;
        sealed.truncate(sealed.len() - TAG_LEN);
        Ok(sealed.freeze())
    }
}

impl fmt::Debug for ChunkSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkSealer").finish_non_exhaustive()
    }
}

impl fmt::Debug for ChunkOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkOpener").finish_non_exhaustive()
    }
}
