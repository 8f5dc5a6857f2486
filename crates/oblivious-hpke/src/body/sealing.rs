//! A body of plaintext, sealed in chunks while it is read.

use core::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body, Frame};
use thiserror::Error;

use crate::{ChunkSealer, SealError};

/// A message in chunks, sealed as its plaintext is read from a body.
///
/// Whatever is ready is sealed and sent at once; nothing is read ahead. If the plaintext breaks
/// off, so does this body, after what has been sealed so far, and the receiver knows that the
/// message is incomplete. Trailers of the plaintext are dropped; binary HTTP carries its own in the
/// data.
///
/// ```
/// # use http_body_util::{BodyExt, Full};
/// # use oblivious_hpke::{KeyPair, KeyRing, Provider, Recipient, UnixSeconds};
/// # use oblivious_keys::{KemId, SymmetricSuite};
/// # let pair = KeyPair::derive(KemId::X25519_HKDF_SHA256, &[7; 32], Provider::default()).unwrap();
/// # let mut ring = KeyRing::new();
/// # ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM]).unwrap();
/// # let list = ring.config_list().unwrap();
/// # let recipient = Recipient::select(&list, &Default::default(), Provider::default()).unwrap();
/// use bytes::BytesMut;
/// use oblivious_hpke::{ChunkLimits, SealingBody};
///
/// let mut prefix = BytesMut::new();
/// let (sealer, pending) = recipient.start_chunked(&mut prefix, &ChunkLimits::default())?;
/// let request = SealingBody::new(prefix, sealer, Full::new(&b"a message"[..]));
/// # let sealed = futures::executor::block_on(request.collect()).unwrap().to_bytes();
/// # let mut sealed = BytesMut::from(&sealed[..]);
/// # let limits = ChunkLimits::default();
/// # let (mut opener, _) = ring.at(UnixSeconds::EPOCH).decapsulate_chunked(&mut sealed, &limits).unwrap().unwrap();
/// # opener.finish();
/// # let chunk = opener.next_chunk().unwrap().unwrap();
/// # assert_eq!((&chunk.data[..], chunk.is_final), (&b"a message"[..], true));
/// # Ok::<(), oblivious_hpke::SealError>(())
/// ```
pub struct SealingBody<B: Body> {
    state: State<B>,
    /// Sealed but not yet returned.
    sealed: BytesMut,
    /// How many bytes at the start of `sealed` are held back until more follows.
    prefix_len: usize,
}

enum State<B: Body> {
    Open(B, ChunkSealer),
    /// What was sealed before goes out first.
    Failed(SealingError<B::Error>),
    Over,
}

impl<B: Body + Unpin> SealingBody<B> {
    /// Seals what `plaintext` gives. `prefix` precedes the chunks: what
    /// [`Recipient::start_chunked`](crate::Recipient::start_chunked) or
    /// [`ChunkedReply::start`](crate::ChunkedReply::start) has written. It goes out with the first
    /// chunk.
    pub fn new(prefix: BytesMut, sealer: ChunkSealer, plaintext: B) -> Self {
        let prefix_len = prefix.len();
        Self { state: State::Open(plaintext, sealer), sealed: prefix, prefix_len }
    }

    /// Seals the next frame, unless the end has come.
    fn poll_seal(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SealingError<B::Error>>> {
        let State::Open(plaintext, sealer) = &mut self.state else { return Poll::Ready(Ok(())) };
        let frame = ready!(Pin::new(&mut *plaintext).poll_frame(cx)).transpose();
        let frame = frame.map_err(SealingError::Body)?;
        let is_last = frame.is_none() || plaintext.is_end_stream();
        let data = match frame.map(Frame::into_data) {
            Some(Ok(mut data)) => data.copy_to_bytes(data.remaining()),
            _ => Bytes::new(),
        };
        if !is_last {
            sealer.seal(&data, &mut self.sealed)?;
        } else if let State::Open(_, sealer) = mem::replace(&mut self.state, State::Over) {
            sealer.finish(&data, &mut self.sealed)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<B: Body + Unpin> Body for SealingBody<B> {
    type Data = Bytes;
    type Error = SealingError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        while matches!(this.state, State::Open(..))
            && this.sealed.len() < this.prefix_len + ChunkSealer::MAX_CHUNK_LEN
        {
            match this.poll_seal(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => this.state = State::Failed(error),
                // What is ready does not wait for what is not.
                Poll::Pending if this.sealed.len() > this.prefix_len => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        if !this.sealed.is_empty() {
            this.prefix_len = 0;
            return Poll::Ready(Some(Ok(Frame::data(this.sealed.split().freeze()))));
        }
        Poll::Ready(match mem::replace(&mut this.state, State::Over) {
            State::Failed(error) => Some(Err(error)),
            _ => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Over) && self.sealed.is_empty()
    }
}

// Nothing is pinned in place: the body is polled by reference, an error only moved out.
impl<B: Body + Unpin> Unpin for SealingBody<B> {}

impl<B: Body> fmt::Debug for SealingBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_open = matches!(self.state, State::Open(..));
        f.debug_struct("SealingBody").field("is_open", &is_open).finish_non_exhaustive()
    }
}

/// Why a message cannot be sealed to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealingError<E> {
    /// The body that the plaintext comes from failed.
    #[error("the body that carries the message to be sealed failed")]
    Body(#[source] E),
    /// The message has too many chunks, or cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
}
