//! Connections that go from one runtime to another.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What a connection goes over.
pub(crate) type Io = MaybeHttpsStream<TokioIo<MovingStream>>;

/// A TCP stream that is used by one runtime after another.
///
/// A runtime is only told of events on streams that were opened in it, so one that uses the stream
/// of another would be woken by that other's thread each time.
pub(crate) struct MovingStream {
    /// Only `None` if it could not be moved.
    stream: Option<TcpStream>,
    moves: Moves,
}

/// Says that a stream is used by another runtime from now on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moves(Arc<AtomicBool>);

impl Moves {
    /// The next who reads or writes is in the new runtime.
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl MovingStream {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream: Some(stream), moves: Moves::default() }
    }

    pub(crate) fn moves(&self) -> &Moves {
        &self.moves
    }

    /// The stream, in this runtime.
    fn here(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if self.moves.0.load(Ordering::Relaxed) {
            self.moves.0.store(false, Ordering::Relaxed);
            self.arrive()?;
        }
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn arrive(&mut self) -> io::Result<()> {
        let Some(stream) = self.stream.take() else { return Ok(()) };
        let stream = stream.into_std()?;
        // The runtime will learn only later what has happened before, and a request must not go out
        // on a connection that its peer has closed.
        if let Ok(0) = stream.peek(&mut [0]) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.stream = Some(TcpStream::from_std(stream)?);
        Ok(())
    }
}

impl AsyncRead for MovingStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.here()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for MovingStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.here()?.poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.here()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.here()?.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.here()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

impl Connection for MovingStream {
    fn connected(&self) -> Connected {
        self.stream.as_ref().map_or_else(Connected::new, Connection::connected)
    }
}
