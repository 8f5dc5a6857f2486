//! A connection over which one HTTP/1.1 exchange goes after the other.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::runtime::{self, Handle};

use crate::bytes_body::Outgoing;
use crate::connector::Io;
use crate::http_error::HttpError;
use crate::http1_content::Content;
use crate::http1_head::{self, HeadEnd, ResponseHead};
use crate::http1_sending::Sending;
use crate::informational::OnInformational;
use crate::moving_stream::Moves;

/// How much is read at a time, at first.
const READ_SIZE: usize = 8 * 1024;

/// How much is read at a time where a lot comes.
const LARGE_READ_SIZE: usize = 64 * 1024;

/// A connection that is not being used.
///
/// It has no task of its own: the task of the exchange drives it. That saves waking up one task for
/// the other at every step.
pub(crate) struct Http1Connection {
    pub(crate) stream: TokioIo<Io>,
    pub(crate) kept: Kept,
}

/// What a connection keeps from one exchange to the next, besides its stream.
pub(crate) struct Kept {
    /// What has been read and belongs to nothing yet. Its memory is used again.
    pub(crate) read: BytesMut,
    /// As much came last time as there was room for.
    is_filled: bool,
    /// Memory for what is written.
    write: Vec<u8>,
    /// What the server's name is in requests.
    host: HeaderValue,
    /// Which runtime gets its events.
    home: runtime::Id,
    moves: Moves,
    /// Counts those of the same home, once the pool has seen it.
    at_home: Option<Arc<()>>,
}

/// Why there is no response.
pub(crate) enum AskError {
    /// The server had closed the connection, and nothing was written of the request.
    Unsent(Box<Request<Outgoing>>),
    Failed(HttpError),
}

/// The head of a response, and what is still under way.
pub(crate) struct Answered {
    pub(crate) response: Response<()>,
    pub(crate) content: Content,
    pub(crate) connection: Box<Http1Connection>,
    /// The server does not close the connection.
    pub(crate) is_kept: bool,
    /// The rest of the request, unless all of it has been sent.
    pub(crate) sending: Option<Box<Sending>>,
}

impl Http1Connection {
    /// Takes over a stream that was opened in this runtime.
    pub(crate) fn new(stream: Io, host: HeaderValue, moves: Moves) -> Box<Self> {
        let home = Handle::current().id();
        let kept = Kept {
            read: BytesMut::new(),
            is_filled: false,
            write: Vec::new(),
            host,
            home,
            moves,
            at_home: None,
        };
        Box::new(Self { stream: TokioIo::new(stream), kept })
    }

    /// Is used by this runtime from now on, and counted there.
    pub(crate) fn move_to(&mut self, runtime: runtime::Id, count: &Arc<()>) {
        let kept = &mut self.kept;
        if kept.home != runtime {
            kept.home = runtime;
            kept.moves.begin();
        }
        if !kept.at_home.as_ref().is_some_and(|counted| Arc::ptr_eq(counted, count)) {
            kept.at_home = Some(Arc::clone(count));
        }
    }

    /// Sends a request and waits for the head of its response.
    ///
    /// If this is dropped before, the connection is closed.
    pub(crate) async fn ask(
        mut self: Box<Self>,
        request: Request<Outgoing>,
    ) -> Result<Answered, AskError> {
        // What else is ready in this thread comes first, so that many requests go out together. A
        // server that is woken for each alone costs the system more than the request costs us.
        tokio::task::yield_now().await;
        if !poll_fn(|cx| Poll::Ready(self.is_open(cx))).await {
            return Err(AskError::Unsent(Box::new(request)));
        }
        let (head, body) = request.into_parts();
        let buffer = std::mem::take(&mut self.kept.write);
        let sending = Sending::new(&head, body, &self.kept.host, buffer);
        let mut sending = sending.map_err(AskError::Failed)?;
        let mut end = HeadEnd::default();
        let answered = poll_fn(|cx| {
            if !sending.is_sent() {
                _ = sending.poll(cx, Pin::new(&mut self.stream))?;
            }
            self.poll_head(cx, &mut end, &head)
        });
        let answered = answered.await.map_err(AskError::Failed)?;
        let ResponseHead { response, framing, is_kept } = answered;
        let mut is_kept = is_kept && !http1_head::says_close(&head.headers);
        let sending = match sending.is_sent() {
            true => {
                self.kept.write = sending.into_buffer();
                None
            }
            false => Some(Box::new(sending)),
        };
        let content = Content::new(framing);
        if content.left() == Some(0) && !self.kept.read.is_empty() {
            // Whatever that is, it does not answer anything.
            is_kept = false;
        }
        Ok(Answered { response, content, connection: self, is_kept, sending })
    }

    /// Whether the server has neither closed the connection nor sent anything.
    fn is_open(&mut self, cx: &mut Context<'_>) -> bool {
        let mut byte = [0];
        Pin::new(&mut self.stream).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_pending()
    }

    /// The head of the response. Informational ones before it are passed on, if somebody wants them.
    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        end: &mut HeadEnd,
        request: &Parts,
    ) -> Poll<Result<ResponseHead, HttpError>> {
        loop {
            let Some(length) = end.find(&self.kept.read)? else {
                http1_head::check_beginning(&self.kept.read)?;
                let read = ready!(self.kept.poll_read(cx, Pin::new(&mut self.stream)));
                if read.map_err(HttpError::BrokeOff)? == 0 {
                    let closed = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return Poll::Ready(Err(HttpError::NoResponse(closed)));
                }
                continue;
            };
            let head = http1_head::read(self.kept.read.split_to(length), &request.method)?;
            match head.response.status() {
                StatusCode::SWITCHING_PROTOCOLS => {
                    let text = "it switches protocols, which nobody asked for";
                    return Poll::Ready(Err(HttpError::Invalid(text)));
                }
                status if status.is_informational() => {
                    if let Some(informed) = request.extensions.get::<OnInformational>() {
                        informed.tell(head.response);
                    }
                }
                _ => return Poll::Ready(Ok(head)),
            }
        }
    }

    /// Closes the connection as its protocols want it.
    pub(crate) async fn close(mut self) {
        // Whoever is there no longer does not need it.
        _ = self.stream.shutdown().await;
    }
}

impl Kept {
    /// Reads some more, and returns how much; 0 is the end.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        mut stream: Pin<&mut impl AsyncRead>,
    ) -> Poll<io::Result<usize>> {
        let size = if self.is_filled { LARGE_READ_SIZE } else { READ_SIZE };
        if self.read.capacity() - self.read.len() < size / 2 {
            self.read.reserve(size);
        }
        let read = ready!(pin!(stream.read_buf(&mut self.read)).poll(cx))?;
        self.is_filled = self.read.len() == self.read.capacity();
        Poll::Ready(Ok(read))
    }

    /// With the memory that a request was written from.
    pub(crate) fn with_buffer(self, write: Vec<u8>) -> Self {
        Self { write, ..self }
    }

    /// Leaves no more memory than an idle connection should have.
    pub(crate) fn shrink(&mut self) {
        if self.read.capacity() > READ_SIZE {
            self.read = BytesMut::new();
        }
        self.write.shrink_to(READ_SIZE);
    }
}
