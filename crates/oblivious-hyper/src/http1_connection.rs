//! A connection over which one HTTP/1.1 exchange goes after the other.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::runtime::{self, Handle};

use crate::bytes_body::Outgoing;
use crate::connector::Io;
use crate::http_error::HttpError;
use crate::http1_client_head::{self, ResponseHead};
use crate::http1_content::Content;
use crate::http1_message::{HeadEnd, Noted};
use crate::http1_sending::{Sending, announced_trailers};
use crate::informational::OnInformational;
use crate::moving_stream::Moves;
use crate::read_buffer::{READ_SIZE, ReadBuffer};
use crate::spare_memory;

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
    pub(crate) read: ReadBuffer,
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

/// The head of a response, and what is still under way.
pub(crate) struct Answered {
    pub(crate) response: Response<()>,
    pub(crate) content: Content,
    pub(crate) connection: Box<Http1Connection>,
    /// The server does not close the connection.
    pub(crate) is_kept: bool,
    /// The rest of the request, unless all of it has been sent.
    pub(crate) sending: Option<Box<Sending<Outgoing>>>,
}

impl Http1Connection {
    /// Takes over a stream that was opened in this runtime.
    pub(crate) fn new(stream: Io, host: HeaderValue, moves: Moves) -> Box<Self> {
        let home = Handle::current().id();
        let kept = Kept {
            read: ReadBuffer::default(),
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

    /// Whether the server has neither closed the connection nor sent anything.
    pub(crate) async fn is_open(&mut self) -> bool {
        let mut byte = [0];
        let mut byte = ReadBuf::new(&mut byte);
        poll_fn(|cx| Poll::Ready(Pin::new(&mut self.stream).poll_read(cx, &mut byte).is_pending()))
            .await
    }

    /// Begins an exchange. If that is dropped before its end, the connection is closed.
    pub(crate) fn send(
        mut self: Box<Self>,
        request: Request<Outgoing>,
    ) -> Result<Asking, HttpError> {
        let (head, body) = request.into_parts();
        let length = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
        let noted = Noted::of(&head.headers);
        let framing = http1_client_head::request_framing(&noted, length)?;
        let mut buffer = std::mem::take(&mut self.kept.write);
        buffer.clear();
        http1_client_head::write(&head, &self.kept.host, framing, &mut buffer);
        let announced = match noted.announces_trailers {
            true => announced_trailers(&head.headers),
            false => Vec::new(),
        };
        spare_memory::keep_headers(head.headers);
        let sending = Sending::new(buffer, Some(framing), announced, body);
        Ok(Asking {
            connection: self,
            sending,
            end: HeadEnd::default(),
            is_last: noted.says_close,
            informed: head.extensions.get().cloned(),
            method: head.method,
        })
    }

    /// Closes the connection as its protocols want it.
    pub(crate) async fn close(mut self) {
        // Whoever is there no longer does not need it.
        _ = self.stream.shutdown().await;
    }
}

/// An exchange up to the head of its response.
pub(crate) struct Asking {
    connection: Box<Http1Connection>,
    sending: Sending<Outgoing>,
    /// That of the head.
    end: HeadEnd,
    /// The request says that the connection will not be used again.
    is_last: bool,
    informed: Option<OnInformational>,
    method: Method,
}

impl Asking {
    /// Sends the request and waits for the head of its response.
    pub(crate) fn poll_answered(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ResponseHead, HttpError>> {
        if !self.sending.is_sent() {
            let stream = Pin::new(&mut self.connection.stream);
            _ = Pin::new(&mut self.sending).poll(cx, stream)?;
        }
        self.poll_head(cx)
    }

    /// Goes on after the head of the response.
    pub(crate) fn answered(self, head: ResponseHead) -> Answered {
        let ResponseHead { response, framing, is_kept } = head;
        let Self { mut connection, mut sending, is_last, .. } = self;
        let sending = match sending.is_sent() {
            true => {
                connection.kept.write = Pin::new(&mut sending).take_memory();
                None
            }
            false => Some(Box::new(sending)),
        };
        let content = Content::new(framing);
        // Whatever comes after a response does not answer anything.
        let is_alone = content.left() != Some(0) || connection.kept.read.is_empty();
        let is_kept = is_kept && is_alone && !is_last;
        Answered { response, content, connection, is_kept, sending }
    }

    /// The head of the response. Informational ones before it are passed on, if somebody wants them.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, HttpError>> {
        let Http1Connection { stream, kept } = &mut *self.connection;
        loop {
            let Some(length) = self.end.find(&kept.read)? else {
                http1_client_head::check_beginning(&kept.read)?;
                let read = ready!(kept.read.poll_read(cx, Pin::new(stream)));
                if read.map_err(HttpError::BrokeOff)? == 0 {
                    let closed = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return Poll::Ready(Err(HttpError::NoResponse(closed)));
                }
                continue;
            };
            let head = http1_client_head::read(kept.read.split_to(length), &self.method)?;
            match head.response.status() {
                StatusCode::SWITCHING_PROTOCOLS => {
                    let text = "it switches protocols, which nobody asked for";
                    return Poll::Ready(Err(HttpError::Invalid(text)));
                }
                status if status.is_informational() => {
                    if let Some(informed) = &self.informed {
                        informed.tell(head.response);
                    }
                }
                _ => return Poll::Ready(Ok(head)),
            }
        }
    }
}

impl Kept {
    /// With the memory that a request was written from.
    pub(crate) fn with_buffer(self, write: Vec<u8>) -> Self {
        Self { write, ..self }
    }

    /// Leaves no more memory than an idle connection should have.
    pub(crate) fn shrink(&mut self) {
        self.read.shrink();
        self.write.shrink_to(READ_SIZE);
    }
}
