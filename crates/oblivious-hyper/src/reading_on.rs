//! Answers that came although their request cannot be sent any more.
//!
//! A server may answer before it has read all of a request, and close the connection. What it then
//! gets of the request its system answers with a reset, which may arrive while the request is being
//! written. Whoever takes that for the end of the connection does not look at what came before.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose reset shows only once everything that came before it has been read. What is
/// written after it goes nowhere.
pub struct ReadOn<S> {
    stream: S,
    /// How writing failed.
    reset: Option<io::ErrorKind>,
}

impl<S> ReadOn<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, reset: None }
    }

    pub(crate) fn inner(&self) -> &S {
        &self.stream
    }

    /// The outcome of an attempt to write, which would have returned `written`.
    fn wrote<T>(&mut self, outcome: io::Result<T>, written: T) -> io::Result<T> {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        match outcome {
            Err(error)
                if matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset) =>
            {
                self.reset = Some(error.kind());
                Ok(written)
            }
            outcome => outcome,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadOn<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        match self.reset {
            // The system reports a reset once, and here it was the writer who got it.
            Some(kind) if buffer.filled().len() == before => Poll::Ready(Err(kind.into())),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadOn<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.reset.is_some() {
            return Poll::Ready(Ok(data.len()));
        }
        let outcome = ready!(Pin::new(&mut self.stream).poll_write(cx, data));
        Poll::Ready(self.wrote(outcome, data.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        if self.reset.is_some() {
            return Poll::Ready(Ok(length));
        }
        let outcome = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices));
        Poll::Ready(self.wrote(outcome, length))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        Poll::Ready(self.wrote(outcome, ()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: Connection> Connection for ReadOn<S> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}
