//! A request in chunks, opened while it is read.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use oblivious_hpke::{ChunkOpener, ChunkedReply, RequestHeader};

use super::{any_body::AnyBody, idle::Idle};
use crate::{
    config::Config,
    refusal::{OuterRefusal, RequestFault},
};

/// The tag of a sealed message: all three AEADs have one of this length (RFC 9180 §7.3).
const TAG_LEN: usize = 16;

/// The decrypted bytes of a request in chunks, as a body of data frames.
///
/// It holds what one frame of the encapsulated body brought, and no more than one chunk besides.
/// `Debug` shows nothing of it.
pub(crate) struct OpenedRequest {
    source: Received,
    opener: ChunkOpener,
    /// The first chunk, which was opened before this was made.
    first: Option<Bytes>,
    over: bool,
}

impl fmt::Debug for OpenedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedRequest").field("over", &self.over).finish_non_exhaustive()
    }
}

/// The encapsulated body, counted and timed.
struct Received {
    body: AnyBody,
    left: u64,
    idle: Idle,
}

impl OpenedRequest {
    /// Reads until the first chunk has been opened: from then on it is certain that the sender has
    /// made the request for one of our keys.
    pub(crate) async fn start(
        body: AnyBody,
        config: &Config,
    ) -> Result<(Self, ChunkedReply), OuterRefusal> {
        let idle = Idle::new(config.idle_timeout.clone());
        let mut source = Received { body, left: config.stream_limit, idle };
        let mut received = BytesMut::new();
        let (mut opener, reply) = loop {
            if is_structured(&received) {
                // Those of this moment, and no longer: a sender that is slow must not keep a key
                // in use, or in memory, that has been withdrawn (RFC 9458 §6.6).
                let (keys, now) = (config.keys.current(), config.now());
                let begun =
                    keys.ring().at(now).decapsulate_chunked(&mut received, &config.chunk_limits);
                if let Some(begun) = begun? {
                    break begun;
                }
            }
            match poll_fn(|cx| source.poll_next(cx)).await? {
                Some(data) => received.extend_from_slice(&data),
                None => return Err(OuterRefusal::Truncated),
            }
        };
        loop {
            // One answer to all that does not decrypt (RFC 9458 §5.3), a cut among it.
            if let Some(chunk) = opener.next_chunk().map_err(OuterRefusal::from)? {
                let opened = Self { source, opener, first: Some(chunk.data), over: chunk.is_final };
                return Ok((opened, reply));
            }
            match poll_fn(|cx| source.poll_next(cx)).await? {
                Some(data) => opener.push(&data),
                None => opener.finish(),
            }
        }
    }
}

/// Whether so much is there that it is not cut short, as far as can be seen without a key: the same
/// as for a whole request, so that the same bytes get the same answer (RFC 9458 §5.2 and §5.3).
fn is_structured(received: &[u8]) -> bool {
    RequestHeader::decode(received).is_some_and(|header| {
        let shortest = header.kem.enc_len().map(|enc_len| RequestHeader::LEN + enc_len + TAG_LEN);
        // Of a KEM without a length no more is known than that there is no key for it.
        shortest.is_none_or(|shortest| received.len() >= shortest)
    })
}

impl Received {
    /// The next data, `None` at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, RequestFault>> {
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                ready!(self.idle.poll_elapsed(cx));
                return Poll::Ready(Err(RequestFault::TooSlow));
            };
            self.idle.reset();
            let Some(frame) = frame else { return Poll::Ready(Ok(None)) };
            let frame = frame.map_err(|_| RequestFault::Broken)?;
            // Trailers of the outer request mean nothing here.
            let Ok(data) = frame.into_data() else { continue };
            let left = self.left.checked_sub(data.len() as u64);
            self.left = left.ok_or(RequestFault::TooLarge)?;
            return Poll::Ready(Ok(Some(data)));
        }
    }
}

impl Body for OpenedRequest {
    type Data = Bytes;
    type Error = RequestFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestFault>>> {
        let this = &mut *self;
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        loop {
            if this.over {
                return Poll::Ready(None);
            }
            match this.opener.next_chunk() {
                Ok(Some(chunk)) => {
                    this.over = chunk.is_final;
                    return Poll::Ready(Some(Ok(Frame::data(chunk.data))));
                }
                Ok(None) => {}
                Err(error) => {
                    this.over = true;
                    return Poll::Ready(Some(Err(error.into())));
                }
            }
            match ready!(this.source.poll_next(cx)) {
                Ok(Some(data)) => this.opener.push(&data),
                Ok(None) => this.opener.finish(),
                Err(fault) => {
                    this.over = true;
                    return Poll::Ready(Some(Err(fault)));
                }
            }
        }
    }
}
