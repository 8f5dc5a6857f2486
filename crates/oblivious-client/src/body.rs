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
use oblivious_hpke::{OpeningBody, OpeningError};
use oblivious_service::{Sleep, Timeout};

use crate::{ClientBodyError, erased::AnyBody};

/// The content and trailers of a decapsulated response, either complete or opened as they are read.
///
/// What is read in chunks is authentic, but may still break off: the message is complete only if
/// the body ends without an error. Dropping it ends the exchange with the relay. To get all of it,
/// read it with [`collect`](oblivious_service::collect), which takes a limit.
pub struct ClientBody {
    inner: Inner,
    idle: Option<Idle>,
}

enum Inner {
    Whole(Content),
    Chunked { before: Bytes, rest: Opened },
}

/// A response in chunks, once it has begun.
pub(crate) type Opened = MessageBody<OpeningBody<AnyBody>>;

/// The error of [`Opened`].
pub(crate) type OpenedError = <Opened as Body>::Error;

/// How long the next frame may take.
struct Idle {
    timeout: Timeout,
    /// Runs while there is something to wait for.
    sleep: Option<Sleep>,
}

impl ClientBody {
    pub(crate) fn whole(content: Content) -> Self {
        Self { inner: Inner::Whole(content), idle: None }
    }

    pub(crate) fn chunked(rest: Opened, timeout: Option<Timeout>) -> Self {
        let inner = Inner::Chunked { before: Bytes::new(), rest };
        Self { inner, idle: timeout.map(|timeout| Idle { timeout, sleep: None }) }
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
        if let Inner::Chunked { before, .. } = &mut self.inner {
            *before = data.freeze();
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
        let this = &mut *self;
        let (before, rest) = match &mut this.inner {
            Inner::Whole(content) => {
                let frame = Pin::new(content).poll_frame(cx);
                return frame.map_err(|impossible| match impossible {});
            }
            Inner::Chunked { before, rest } => (before, rest),
        };
        if before.has_remaining() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(before)))));
        }
        if let Poll::Ready(frame) = Pin::new(rest).poll_frame(cx) {
            if let Some(idle) = &mut this.idle {
                idle.sleep = None;
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(body_error)));
        }
        let Some(idle) = &mut this.idle else { return Poll::Pending };
        let sleep = idle.sleep.get_or_insert_with(|| idle.timeout.start());
        ready!(sleep.as_mut().poll(cx));
        // Nothing more will come: the exchange ends here.
        this.inner = Inner::Whole(Content::default());
        Poll::Ready(Some(Err(ClientBodyError::TimedOut)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Inner::Whole(content) => content.is_end_stream(),
            Inner::Chunked { before, rest } => before.is_empty() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Inner::Whole(content) => content.size_hint(),
            Inner::Chunked { before, rest } if before.is_empty() => rest.size_hint(),
            Inner::Chunked { .. } => SizeHint::new(),
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
