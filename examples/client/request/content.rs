//! The content of a request: in memory, or read as it is sent.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::mpsc;

use crate::failure::Failure;

/// What is read at once, in bytes.
const PIECE: usize = 64 << 10;
/// How many pieces are read ahead.
const AHEAD: usize = 2;

/// Where content comes from.
pub(crate) enum Content {
    Memory(Bytes),
    Stream { reader: Box<dyn Read + Send>, length: Option<u64>, path: PathBuf },
}

impl Content {
    pub(super) fn empty() -> Self {
        Self::Memory(Bytes::new())
    }

    /// What a file holds, or `-` for standard input.
    pub(super) fn file(name: &str) -> Result<Self, Failure> {
        if name == "-" {
            return Ok(Self::Stream {
                reader: Box::new(io::stdin()),
                length: None,
                path: "standard input".into(),
            });
        }
        let path = PathBuf::from(name);
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) =
            opened.map_err(|source| Failure::Read { path: path.clone(), source })?;
        // The length of a pipe or a device is not known.
        let length = metadata.is_file().then_some(metadata.len());
        Ok(Self::Stream { reader: Box::new(file), length, path })
    }

    /// One after the other.
    pub(super) fn chain(parts: Vec<Self>) -> Self {
        parts.into_iter().reduce(Self::then).unwrap_or_else(Self::empty)
    }

    fn then(self, next: Self) -> Self {
        let lengths = self.length().zip(next.length());
        let length = lengths.and_then(|(one, other)| one.checked_add(other));
        let path = match (&self, &next) {
            (_, Self::Stream { path, .. }) | (Self::Stream { path, .. }, _) => path.clone(),
            (Self::Memory(one), Self::Memory(other)) => {
                return Self::Memory([&one[..], &other[..]].concat().into());
            }
        };
        Self::Stream { reader: Box::new(self.reader().chain(next.reader())), length, path }
    }

    fn reader(self) -> Box<dyn Read + Send> {
        match self {
            Self::Memory(bytes) => Box::new(Cursor::new(bytes)),
            Self::Stream { reader, .. } => reader,
        }
    }

    /// How long it is, in bytes, if that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Memory(bytes) => Some(bytes.len() as u64),
            Self::Stream { length, .. } => *length,
        }
    }

    /// As a body that adds to `sent` what is taken from it.
    pub(crate) fn into_body(self, sent: Arc<AtomicU64>) -> Upload {
        let inner = match self {
            Self::Memory(bytes) => Inner::Memory(Some(bytes).filter(|bytes| !bytes.is_empty())),
            Self::Stream { reader, path, .. } => Inner::Reading(read_ahead(reader, path)),
        };
        Upload { inner, sent }
    }
}

/// All that a file holds; `-` is standard input.
pub(crate) fn read(name: &str) -> Result<Vec<u8>, Failure> {
    let mut all = Vec::new();
    let result = match Content::file(name)? {
        Content::Stream { mut reader, path, .. } => {
            reader.read_to_end(&mut all).map_err(|source| Failure::Read { path, source })
        }
        Content::Memory(_) => Ok(0),
    };
    result.map(|_| all)
}

/// Reads in a thread of its own, since standard input can keep its reader waiting. The thread ends
/// with the process.
fn read_ahead(
    mut reader: Box<dyn Read + Send>,
    path: PathBuf,
) -> mpsc::Receiver<Result<Bytes, Failure>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    std::thread::spawn(move || {
        loop {
            let mut piece = vec![0; PIECE];
            let read = match reader.read(&mut piece) {
                Ok(0) => return,
                Ok(length) => {
                    piece.truncate(length);
                    Ok(Bytes::from(piece))
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => Err(Failure::Read { path: path.clone(), source }),
            };
            let is_last = read.is_err();
            if sender.blocking_send(read).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

/// The body of a request.
pub(crate) struct Upload {
    inner: Inner,
    sent: Arc<AtomicU64>,
}

enum Inner {
    Memory(Option<Bytes>),
    Reading(mpsc::Receiver<Result<Bytes, Failure>>),
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let piece = match &mut self.inner {
            Inner::Memory(bytes) => bytes.take().map(Ok),
            Inner::Reading(receiver) => ready!(receiver.poll_recv(cx)),
        };
        if let Some(Ok(bytes)) = &piece {
            self.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.inner, Inner::Memory(None))
    }
}
