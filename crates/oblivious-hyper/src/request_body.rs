//! The body of a request, which may be left unread.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::http1_exchange::Reading;

/// The most that is read of an unwanted body: more than servers here accept unless they are told to.
const DRAIN_BYTES: u64 = 64 << 20;

/// How long that may take.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// The body of a request to a [`server`](crate::server).
///
/// When it is dropped before its end, some more of it is read and thrown away, so that the client
/// gets to read the answer. One that was given early, such as 413, is lost on many clients if the
/// server stops reading at once: over HTTP/2 they take the reset of the stream for a failure, over
/// HTTP/1.1 the reset of the connection may overtake the answer.
#[derive(Debug)]
pub struct RequestBody {
    /// Only ever `None` while being dropped.
    body: Option<Incoming>,
    /// The exchange that it is part of, if there are no others on the connection.
    _reading: Option<Reading>,
}

impl RequestBody {
    pub(crate) fn new(body: Incoming, reading: Option<Reading>) -> Self {
        Self { body: Some(body), _reading: reading }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        // Without a runtime there is no connection either.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(DRAIN_LIMIT, drain(body)));
        }
    }
}

async fn drain(mut body: Incoming) {
    let mut left = DRAIN_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(rest) = left.checked_sub(length) else { return };
        left = rest;
    }
}
