//! The content of a response.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use oblivious_bhttp::{Content, MessageBody, ReadError};
use oblivious_hpke::OpeningError;
use oblivious_service::Timeout;

use crate::{
    ClientBodyError,
    progress::{Download, Hold, Idle, Progress},
};

/// The content and trailers of a decapsulated response, either complete or opened as they are read.
///
/// What is read in chunks is authentic, but may still break off: the message is complete only if
/// the body ends without an error. Dropping it before its end ends the exchange with the relay, the
/// rest of the request included. To get all of it, read it with
/// [`collect`](oblivious_service::collect), which takes a limit.
pub struct ClientBody {
    inner: Inner,
}

enum Inner {
    Whole(Content),
    Chunked(Box<Chunked>),
}

struct Chunked {
    /// What was read ahead.
    before: Bytes,
    rest: Opened,
    idle: Option<Idle>,
    hold: Hold,
}

/// A response in chunks, once it has begun.
pub(crate) type Opened = MessageBody<Download>;

/// The error of [`Opened`].
pub(crate) type OpenedError = <Opened as Body>::Error;

impl ClientBody {
    pub(crate) fn whole(content: Content) -> Self {
        Self { inner: Inner::Whole(content) }
    }

    pub(crate) fn chunked(
        rest: Opened,
        timeout: Option<Timeout>,
        progress: &Progress,
        hold: Hold,
    ) -> Self {
        let idle = timeout.map(|timeout| Idle::new(timeout, progress.clone()));
        let chunked = Chunked { before: Bytes::new(), rest, idle, hold };
        Self { inner: Inner::Chunked(Box::new(chunked)) }
    }

    /// Reads somewhat more than `limit` bytes ahead, or all of it if it is shorter.
    pub(crate) async fn peek(mut self, limit: usize) -> Result<Peeked, ClientBodyError> {
        let (mut data, mut trailers) = (BytesMut::new(), None);
        while data.len() <= limit {
            let frame = poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await.transpose()?;
            match frame.map(Frame::into_data) {
                Some(Ok(piece)) => data.put(piece),
                Some(Err(frame)) => trailers = frame.into_trailers().ok(),
                None => return Ok(Peeked::All(Content { data: data.freeze(), trailers })),
            }
        }
        if let Inner::Chunked(chunked) = &mut self.inner {
            chunked.before = data.freeze();
        }
        Ok(Peeked::Rest(self))
    }
}

/// What [`ClientBody::peek`] has found.
pub(crate) enum Peeked {
    All(Content),
    Rest(ClientBody),
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = ClientBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientBodyError>>> {
        let chunked = match &mut self.inner {
            Inner::Whole(content) => {
                let frame = Pin::new(content).poll_frame(cx);
                return frame.map_err(|impossible| match impossible {});
            }
            Inner::Chunked(chunked) => chunked,
        };
        if chunked.before.has_remaining() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut chunked.before)))));
        }
        if let Poll::Ready(frame) = Pin::new(&mut chunked.rest).poll_frame(cx) {
            if let Some(idle) = &mut chunked.idle {
                idle.reset();
            }
            if frame.is_none() || chunked.rest.is_end_stream() {
                chunked.hold.release();
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(body_error)));
        }
        let Some(idle) = &mut chunked.idle else { return Poll::Pending };
        ready!(idle.poll_elapsed(cx));
        // Nothing more will come: the exchange ends here.
        self.inner = Inner::Whole(Content::default());
        Poll::Ready(Some(Err(ClientBodyError::TimedOut)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Whole(content) => content.is_end_stream(),
            Inner::Chunked(chunked) => chunked.before.is_empty() && chunked.rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Whole(content) => content.size_hint(),
            Inner::Chunked(chunked) if chunked.before.is_empty() => chunked.rest.size_hint(),
            Inner::Chunked(_) => SizeHint::new(),
        }
    }
}

fn body_error(error: OpenedError) -> ClientBodyError {
    match error {
        ReadError::Body(OpeningError::Body(error)) => ClientBodyError::Relay(error),
        ReadError::Body(OpeningError::Chunk(error)) => ClientBodyError::Open(error),
        ReadError::Message(error) => ClientBodyError::Invalid(error),
        // Neither enum has more variants today.
        _ => ClientBodyError::Relay("the response broke off".into()),
    }
}

impl fmt::Debug for ClientBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBody").field("is_end", &self.is_end_stream()).finish_non_exhaustive()
    }
}
