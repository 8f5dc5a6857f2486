//! A body of sealed chunks, opened while it is read.

use core::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame};
use thiserror::Error;

use crate::{ChunkError, ChunkOpener};

/// The plaintext of a message in chunks, opened as it is read from a body of sealed bytes.
///
/// It ends only after the final chunk: a stream that is cut off before it is an error. In memory
/// are at most one frame of the sealed body and one chunk. Trailers of the sealed body are dropped,
/// since they are not part of the message.
///
/// ```
/// # use http_body_util::{BodyExt, Full};
/// use oblivious_hpke::{ChunkLimits, OpeningBody, Provider};
/// # use oblivious_hpke::{KeyPair, KeyRing, Recipient, UnixSeconds};
/// # use oblivious_keys::{KemId, SymmetricSuite};
/// # let pair = KeyPair::derive(KemId::X25519_HKDF_SHA256, &[7; 32], Provider::default()).unwrap();
/// # let mut ring = KeyRing::new();
/// # ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM]).unwrap();
/// # let list = ring.config_list().unwrap();
/// # let recipient = Recipient::select(&list, &Default::default(), Provider::default()).unwrap();
/// # let limits = ChunkLimits::default();
/// # let mut request = bytes::BytesMut::new();
/// # let (sealer, pending) = recipient.start_chunked(&mut request, &limits).unwrap();
/// # sealer.finish(b"hi", &mut request).unwrap();
/// # let (_, reply) = ring.at(UnixSeconds::EPOCH).decapsulate_chunked(&mut request, &limits).unwrap().unwrap();
/// # let mut response = bytes::BytesMut::new();
/// # reply.start(&mut response, &limits).unwrap().finish(b"hello", &mut response).unwrap();
/// # let response = Full::new(response.freeze());
/// // `pending` is what `Recipient::start_chunked` returned, `response` an HTTP response's body.
/// let opened = OpeningBody::new(response, pending.open(&limits));
/// # futures::executor::block_on(async {
/// assert_eq!(opened.collect().await?.to_bytes(), "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct OpeningBody<B> {
    /// `None` once the message has ended, however it ended.
    sealed: Option<B>,
    opener: ChunkOpener,
    /// A chunk that has been opened but not yet returned.
    opened: Option<Bytes>,
}

impl<B: Body + Unpin> OpeningBody<B> {
    /// Reads from `sealed`; the opener already has what came before it.
    pub fn new(sealed: B, opener: ChunkOpener) -> Self {
        Self { sealed: Some(sealed), opener, opened: None }
    }

    /// Waits until the next chunk has been opened, and keeps it to be read. From then on it is
    /// certain that the message was sealed to the key that opens it.
    ///
    /// # Errors
    /// Those of reading the body, which has then ended.
    pub async fn open_next(&mut self) -> Result<(), OpeningError<B::Error>> {
        self.opened = poll_fn(|cx| self.poll_chunk(cx)).await.transpose()?;
        Ok(())
    }

    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, OpeningError<B::Error>>>> {
        if let Some(opened) = self.opened.take() {
            return Poll::Ready(Some(Ok(opened)));
        }
        let Some(sealed) = &mut self.sealed else { return Poll::Ready(None) };
        let outcome = loop {
            match self.opener.next_chunk() {
                Ok(Some(chunk)) => {
                    if chunk.is_final {
                        self.sealed = None;
                    }
                    return Poll::Ready(Some(Ok(chunk.data)));
                }
                Ok(None) => {}
                Err(error) => break error.into(),
            }
            match ready!(Pin::new(&mut *sealed).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(mut data) = frame.into_data() {
                        while data.has_remaining() {
                            let piece = data.chunk();
                            self.opener.push(piece);
                            data.advance(piece.len());
                        }
                    }
                }
                Some(Err(error)) => break OpeningError::Body(error),
                None => self.opener.finish(),
            }
        };
        self.sealed = None;
        Poll::Ready(Some(Err(outcome)))
    }
}

impl<B: Body + Unpin> Body for OpeningBody<B> {
    type Data = Bytes;
    type Error = OpeningError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.poll_chunk(cx).map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        self.sealed.is_none() && self.opened.is_none()
    }
}

impl<B> fmt::Debug for OpeningBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_open = self.sealed.is_some();
        f.debug_struct("OpeningBody").field("is_open", &is_open).finish_non_exhaustive()
    }
}

/// Why a message in chunks cannot be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpeningError<E> {
    /// The body that the sealed bytes come from failed.
    #[error("the body that carries the sealed message failed")]
    Body(#[source] E),
    /// The sealed bytes are damaged, cut off, or exceed a limit.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
}
