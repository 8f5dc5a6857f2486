//! How long an HTTP/1.1 exchange takes, from the head of its request to the last byte of its answer.
//!
//! A body is dropped once hyper has taken the last of it, but those bytes may stay in memory as
//! long as their reader likes: a reader that takes a byte a minute never stands still. So the
//! stream tells when everything has been sent.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep;

/// The exchange that is under way on a connection, if any. HTTP/1.1 has only one at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Http1Exchange {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Idle,
    /// Since its head arrived.
    UnderWay(Instant),
    /// hyper has all of the answer.
    Answered(Instant),
}

impl Http1Exchange {
    /// The head of a request has arrived.
    pub(crate) fn begin(&self) {
        self.set(|_| State::UnderWay(Instant::now()));
    }

    fn answered(&self) {
        self.set(|state| match state {
            State::UnderWay(since) => State::Answered(since),
            other => other,
        });
    }

    /// All that hyper had has been sent.
    fn flushed(&self) {
        self.set(|state| match state {
            State::Answered(_) => State::Idle,
            other => other,
        });
    }

    /// Is ready when an exchange has taken longer than `limit`.
    pub(crate) async fn overdue(&self, limit: Duration) {
        loop {
            let state = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let left = match state {
                State::Idle => limit,
                State::UnderWay(since) | State::Answered(since) => {
                    limit.saturating_sub(since.elapsed())
                }
            };
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }

    fn set(&self, change: impl FnOnce(State) -> State) {
        // Nothing panics under the lock.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = change(*state);
    }
}

pin_project! {
    /// The body of an answer, which says when hyper has taken all of it.
    pub(crate) struct WatchedBody<B> {
        #[pin]
        body: B,
        _end: EndOfBody,
    }
}

/// Reports it when dropped. Over HTTP/2 there is nothing to report it to.
struct EndOfBody(Option<Http1Exchange>);

impl Drop for EndOfBody {
    fn drop(&mut self) {
        if let Some(exchange) = &self.0 {
            exchange.answered();
        }
    }
}

impl<B> WatchedBody<B> {
    pub(crate) fn new(body: B, exchange: Option<Http1Exchange>) -> Self {
        Self { body, _end: EndOfBody(exchange) }
    }
}

impl<B: Body> Body for WatchedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pin_project! {
    /// The stream of a connection, which says when everything has been sent.
    pub(crate) struct WatchedStream<S> {
        #[pin]
        stream: S,
        exchange: Http1Exchange,
    }
}

impl<S> WatchedStream<S> {
    pub(crate) fn new(stream: S, exchange: Http1Exchange) -> Self {
        Self { stream, exchange }
    }
}

impl<S: AsyncRead> AsyncRead for WatchedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.project().stream.poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite> AsyncWrite for WatchedStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write(cx, data)
    }

    /// hyper calls this when it has written all that it had.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        ready!(this.stream.poll_flush(cx))?;
        this.exchange.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
