//! How long an HTTP/1.1 connection and its exchanges take: from the head of a request to the last
//! byte of its answer, and from there to the head of the next.
//!
//! A body is dropped once hyper has taken the last of it, but those bytes may stay in memory as
//! long as their reader likes: a reader that takes a byte a minute never stands still. So the
//! stream tells when everything has been sent.
//!
//! hyper has a timer for the head, but makes a new one for each request.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};

/// The exchange that is under way on a connection, if any. HTTP/1.1 has only one at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Http1Exchange {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// When the exchange began, or if it is over, when it ended. `None` before the first.
    since: Option<Instant>,
    /// Some of the request is still to come.
    is_read: bool,
    answer: Answer,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Answer {
    #[default]
    Sent,
    UnderWay,
    /// hyper has all of it.
    Taken,
}

impl Http1Exchange {
    /// The head of a request has arrived.
    pub(crate) fn begin(&self) {
        let since = Some(Instant::now());
        *self.lock() = State { since, is_read: true, answer: Answer::UnderWay };
    }

    /// Nobody wants any more of the request.
    fn read(&self) {
        let mut state = self.lock();
        state.is_read = false;
        state.may_end();
    }

    fn answered(&self) {
        let mut state = self.lock();
        if state.answer == Answer::UnderWay {
            state.answer = Answer::Taken;
        }
    }

    /// All that hyper had has been sent.
    fn flushed(&self) {
        let mut state = self.lock();
        if state.answer == Answer::Taken {
            state.answer = Answer::Sent;
            state.may_end();
        }
    }

    /// Is ready when an exchange has taken longer than `exchange`, or the head of the next longer
    /// than `head`; never before the first.
    pub(crate) async fn overdue(&self, head: Duration, exchange: Duration) {
        loop {
            let left = self.lock().left(head, exchange);
            if left.is_zero() {
                return;
            }
            // What begins after this moment has until after the next.
            sleep(left.min(head).min(exchange)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_over(&self) -> bool {
        !self.is_read && self.answer == Answer::Sent
    }

    fn may_end(&mut self) {
        if self.is_over() {
            self.since = Some(Instant::now());
        }
    }

    fn left(&self, head: Duration, exchange: Duration) -> Duration {
        let limit = if self.is_over() { head } else { exchange };
        self.since.map_or(head.min(exchange), |since| limit.saturating_sub(since.elapsed()))
    }
}

/// The content of a request that somebody wants. Its end is reported when this is dropped.
#[derive(Debug)]
pub(crate) struct Reading(Http1Exchange);

impl Reading {
    pub(crate) fn new(exchange: Http1Exchange) -> Self {
        Self(exchange)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.read();
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
