//! The body of a request, which may be left unread.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::http1_incoming::Incoming;
use crate::request_body_error::RequestBodyError;

/// The most that is read of an unwanted body: more than servers here accept unless they are told to.
pub(crate) const DRAIN_BYTES: u64 = 64 << 20;

/// How long that may take.
pub(crate) const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// The body of a request to a [`server`](crate::server).
///
/// When it is dropped before its end, some more of it is read and thrown away, so that the client
/// gets to read the answer. One that was given early, such as 413, is lost on many clients if the
/// server stops reading at once: over HTTP/2 they take the reset of the stream for a failure, over
/// HTTP/1.1 the reset of the connection may overtake the answer.
pub struct RequestBody(Inner);

/// A request is moved often, and most have their content in one piece: the others are boxed.
enum Inner {
    /// All of it came with the head.
    Whole(Bytes),
    /// Its connection reads on when it is dropped.
    Http1(Box<Incoming>),
    Http2(Box<Http2Body>),
}

impl RequestBody {
    pub(crate) fn whole(content: Bytes) -> Self {
        Self(Inner::Whole(content))
    }

    pub(crate) fn http1(content: Incoming) -> Self {
        Self(Inner::Http1(Box::new(content)))
    }

    pub(crate) fn http2(content: hyper::body::Incoming) -> Self {
        Self(Inner::Http2(Box::new(Http2Body(Some(content)))))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        match &mut self.0 {
            Inner::Whole(content) if content.is_empty() => Poll::Ready(None),
            Inner::Whole(content) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(content))))),
            Inner::Http1(content) => content.poll_frame(cx),
            Inner::Http2(body) => match &mut body.0 {
                Some(content) => Pin::new(content).poll_frame(cx).map_err(RequestBodyError::Http2),
                None => Poll::Ready(None),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Whole(content) => content.is_empty(),
            Inner::Http1(content) => content.is_end_stream(),
            Inner::Http2(body) => body.0.as_ref().is_none_or(Body::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            // `usize` has at most 64 bits on every platform that Rust supports.
            Inner::Whole(content) => SizeHint::with_exact(content.len() as u64),
            Inner::Http1(content) => content.size_hint(),
            Inner::Http2(body) => body.0.as_ref().map_or_else(SizeHint::default, Body::size_hint),
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}

/// `None` only while it is being dropped.
struct Http2Body(Option<hyper::body::Incoming>);

impl Drop for Http2Body {
    fn drop(&mut self) {
        let Some(body) = self.0.take().filter(|body| !body.is_end_stream()) else { return };
        // Without a runtime there is no connection either.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(DRAIN_LIMIT, drain(body)));
        }
    }
}

async fn drain(mut body: hyper::body::Incoming) {
    let mut left = DRAIN_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(rest) = left.checked_sub(length) else { return };
        left = rest;
    }
}
