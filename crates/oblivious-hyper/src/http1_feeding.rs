//! Reading the content of an HTTP/1.1 request, no faster than somebody wants it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Sleep, sleep};

use crate::http1_content::{Content, Piece};
use crate::http1_incoming::{Demand, Feed, incoming};
use crate::http1_message::{Framing, Invalid};
use crate::read_buffer::ReadBuffer;
use crate::request_body::{DRAIN_BYTES, DRAIN_LIMIT, RequestBody};
use crate::request_body_error::RequestBodyError;

/// RFC 9110 §10.1.1
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The content of a request as its connection sees it.
pub(crate) struct Feeding {
    content: Content,
    reader: Reader,
    /// What the client must be sent before it sends the content.
    invitation: &'static [u8],
}

enum Reader {
    /// All of the content has been read.
    Done,
    Reads(Feed),
    /// It has gone, and the content is thrown away, so that the client gets to read the response.
    Gone {
        /// How much more is thrown away, and for how long.
        left: u64,
        time: Pin<Box<Sleep>>,
    },
    /// The rest of the content stays unread.
    Unread,
}

impl Feeding {
    /// Takes the content out of `read`, or what has come of it. Who `waits` for a 100 gets one when
    /// the content is wanted.
    pub(crate) fn begin(
        framing: Framing,
        waits: bool,
        read: &mut ReadBuffer,
    ) -> (RequestBody, Self) {
        let mut content = Content::new(framing);
        // `usize` has at most 64 bits on every platform that Rust supports.
        if content.left().is_some_and(|length| length <= read.len() as u64) {
            let body = match content.take(read) {
                Ok(Piece::Data(data)) => RequestBody::whole(data),
                _ => RequestBody::whole(Bytes::new()),
            };
            return (body, Self { content, reader: Reader::Done, invitation: &[] });
        }
        let (feed, incoming) = incoming(content.left());
        // Who has sent some of the content does not wait.
        let invitation = if waits && read.is_empty() { CONTINUE } else { &[] };
        (RequestBody::http1(incoming), Self { content, reader: Reader::Reads(feed), invitation })
    }

    /// Nothing more will be read.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.reader, Reader::Done | Reader::Unread)
    }

    /// The connection cannot be used for another request, as far as is known now.
    pub(crate) fn stays_unread(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.reader {
            Reader::Done | Reader::Gone { .. } => false,
            Reader::Reads(feed) => feed.demand(cx) == Demand::Dropped && waits(self.invitation),
            Reader::Unread => true,
        }
    }

    /// The response begins. Returns what must be sent before it: the rest of what has been sent in
    /// part.
    pub(crate) fn answered(&mut self, cx: &mut Context<'_>) -> &'static [u8] {
        if self.stays_unread(cx) {
            self.reader = Reader::Unread;
        }
        let invitation = std::mem::take(&mut self.invitation);
        if waits(invitation) { &[] } else { invitation }
    }

    /// Reads what is wanted. Returns whether it is wanted in this task, which is to be polled for
    /// it. Fails if the client has gone.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        read: &mut ReadBuffer,
        mut stream: Pin<&mut (impl AsyncRead + AsyncWrite)>,
    ) -> io::Result<bool> {
        loop {
            match &mut self.reader {
                Reader::Done => return watch(cx, read, stream).map(|()| false),
                Reader::Unread => return Ok(false),
                Reader::Reads(feed) => match feed.demand(cx) {
                    Demand::None => return Ok(false),
                    Demand::More => {}
                    Demand::Dropped if waits(self.invitation) => {
                        return watch(cx, read, stream).map(|()| false);
                    }
                    Demand::Dropped => {
                        let time = Box::pin(sleep(DRAIN_LIMIT));
                        self.reader = Reader::Gone { left: DRAIN_BYTES, time };
                    }
                },
                Reader::Gone { .. } => {}
            }
            if let Reader::Gone { time, .. } = &mut self.reader
                && time.as_mut().poll(cx).is_ready()
            {
                self.reader = Reader::Unread;
                continue;
            }
            while !self.invitation.is_empty() {
                match stream.as_mut().poll_write(cx, self.invitation)? {
                    Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(written) => self.invitation.advance(written),
                    Poll::Pending => return Ok(false),
                }
                _ = stream.as_mut().poll_flush(cx)?;
            }
            match self.content.take(read) {
                Ok(Piece::Missing) => match read.poll_read(cx, stream.as_mut())? {
                    Poll::Ready(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                    Poll::Ready(_) => {}
                    Poll::Pending => return Ok(false),
                },
                piece => {
                    if self.give(cx, piece) {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// Hands over what came next. Returns whether the reader is in this task.
    fn give(&mut self, cx: &mut Context<'_>, piece: Result<Piece, Invalid>) -> bool {
        let is_last = piece.is_err() || self.content.left() == Some(0);
        let after = if piece.is_err() { Reader::Unread } else { Reader::Done };
        let end = match &piece {
            Err(Invalid(what)) => Err(RequestBodyError::Invalid(what)),
            Ok(_) => Ok(()),
        };
        let is_here = match (&mut self.reader, piece) {
            (Reader::Reads(feed), Ok(Piece::Data(data))) => feed.give(cx, Frame::data(data)),
            (Reader::Reads(feed), Ok(Piece::Trailers(trailers))) => {
                feed.give(cx, Frame::trailers(trailers))
            }
            (Reader::Gone { left, .. }, Ok(Piece::Data(data))) => {
                match left.checked_sub(data.len() as u64) {
                    Some(rest) => *left = rest,
                    None => self.reader = Reader::Unread,
                }
                false
            }
            _ => false,
        };
        if !is_last {
            return is_here;
        }
        match std::mem::replace(&mut self.reader, after) {
            Reader::Reads(feed) => feed.end(cx, end) || is_here,
            _ => false,
        }
    }
}

/// Whether the client waits for this invitation, nothing of which has been sent. It does not go on
/// without it.
fn waits(invitation: &[u8]) -> bool {
    invitation.len() == CONTINUE.len()
}

/// Waits for the next request, or notices that the client has gone.
fn watch(
    cx: &mut Context<'_>,
    read: &mut ReadBuffer,
    stream: Pin<&mut impl AsyncRead>,
) -> io::Result<()> {
    // What has come can wait until the response to this request is sent.
    if read.is_empty()
        && let Poll::Ready(0) = read.poll_read(cx, stream)?
    {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}
