//! What has been read from a connection and belongs to nothing yet.

use std::io;
use std::ops::{Deref, DerefMut};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

#[cfg(feature = "server")]
use crate::spare_memory::{self, Spares};

/// How much is read at a time, at first.
pub(crate) const READ_SIZE: usize = 8 * 1024;

/// How much is read at a time where a lot comes.
const LARGE_READ_SIZE: usize = 64 * 1024;

/// A buffer that messages are taken out of at its beginning.
#[derive(Debug, Default)]
pub(crate) struct ReadBuffer {
    bytes: BytesMut,
    /// As much came last time as there was room for.
    is_filled: bool,
}

impl ReadBuffer {
    /// Reads some more, and returns how much; 0 is the end.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        mut stream: Pin<&mut impl AsyncRead>,
    ) -> Poll<io::Result<usize>> {
        let size = if self.is_filled { LARGE_READ_SIZE } else { READ_SIZE };
        if self.bytes.capacity() - self.bytes.len() < size / 2 {
            self.bytes.reserve(size);
        }
        let read = ready!(pin!(stream.read_buf(&mut self.bytes)).poll(cx))?;
        self.is_filled = self.bytes.len() == self.bytes.capacity();
        Poll::Ready(Ok(read))
    }

    /// Reads into an empty buffer, which has no memory as long as nothing comes: the thread has
    /// some for whichever of its connections needs it next.
    #[cfg(feature = "server")]
    pub(crate) fn poll_begin(
        &mut self,
        cx: &mut Context<'_>,
        stream: Pin<&mut impl AsyncRead>,
    ) -> Poll<io::Result<usize>> {
        self.is_filled = false;
        if self.bytes.capacity() == 0 {
            self.bytes = spare_memory::BYTES.with(Spares::take);
        }
        let read = self.poll_read(cx, stream);
        if self.bytes.is_empty() {
            let memory = std::mem::take(&mut self.bytes);
            if memory.capacity() <= READ_SIZE {
                spare_memory::BYTES.with(|spares| spares.keep(memory));
            }
        }
        read
    }

    /// Leaves no more memory than an idle connection should have.
    #[cfg(feature = "client")]
    pub(crate) fn shrink(&mut self) {
        if self.bytes.capacity() > READ_SIZE {
            self.bytes = BytesMut::new();
        }
    }
}

impl Deref for ReadBuffer {
    type Target = BytesMut;

    fn deref(&self) -> &BytesMut {
        &self.bytes
    }
}

impl DerefMut for ReadBuffer {
    fn deref_mut(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }
}

#[cfg(all(test, feature = "server"))]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_waits_has_no_memory_whatever_came_before() {
        let (mut client, mut server) = tokio::io::duplex(2 * LARGE_READ_SIZE);
        let mut buffer = ReadBuffer::default();
        client.write_all(&vec![b'x'; LARGE_READ_SIZE]).await.unwrap();
        let mut read = poll_fn(|cx| buffer.poll_begin(cx, Pin::new(&mut server))).await.unwrap();
        while read < LARGE_READ_SIZE {
            read += poll_fn(|cx| buffer.poll_read(cx, Pin::new(&mut server))).await.unwrap();
        }
        assert_eq!((buffer.len(), buffer.capacity() >= LARGE_READ_SIZE), (read, true));
        buffer.clear();
        poll_fn(|cx| {
            assert!(buffer.poll_begin(cx, Pin::new(&mut server)).is_pending());
            Poll::Ready(())
        })
        .await;
        assert_eq!(buffer.capacity(), 0);
    }
}
