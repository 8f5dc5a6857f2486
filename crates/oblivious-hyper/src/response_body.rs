//! The content of a response.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, ReadHalf, WriteHalf};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::bytes_body::Outgoing;
use crate::connector::Io;
use crate::http_error::HttpError;
use crate::http1_connection::{Answered, Http1Connection, Kept};
use crate::http1_content::{Content, Piece};
use crate::http1_sending::Sending;
use crate::pool::{Pool, Pooled, Server};

/// How long a server that has answered may take nothing of a request that goes on; up to twice as
/// long, if it has just taken something.
const STALL_LIMIT: Duration = Duration::from_secs(30);

/// The content of a response from a server.
///
/// It is read from the connection when it is asked for. One that is dropped before its end closes
/// its HTTP/1.1 connection, or resets its HTTP/2 stream. A request over HTTP/1.1 may go on after its
/// end, until the server closes the connection, or takes nothing more for half a minute.
pub struct ResponseBody(Inner);

enum Inner {
    /// All of it came with the head.
    Whole(Bytes),
    Http1(Box<Http1Body>),
    Http2(Incoming),
}

/// Where a connection goes when it is free again.
pub(crate) struct Reuse {
    pub(crate) pool: Arc<Pool>,
    pub(crate) server: Server,
}

impl Reuse {
    fn put(self, mut connection: Box<Http1Connection>) {
        connection.kept.shrink();
        self.pool.put(self.server, Pooled::Http1(connection));
    }
}

impl ResponseBody {
    pub(crate) fn http2(content: Incoming) -> Self {
        Self(Inner::Http2(content))
    }

    /// The content of a response, and the rest of its request, if there is any. The connection is
    /// put to `reuse` after that, if it can be.
    pub(crate) fn http1(answered: Answered, reuse: Reuse) -> (http::Response<()>, Self) {
        let Answered { response, mut content, mut connection, is_kept, sending } = answered;
        let reuse = is_kept.then_some(reuse);
        let is_there = content.left().is_some_and(|left| left == connection.kept.read.len() as u64);
        if is_there && sending.is_none() {
            let whole = match content.take(&mut connection.kept.read) {
                Ok(Piece::Data(data)) => data,
                _ => Bytes::new(),
            };
            if let Some(reuse) = reuse {
                reuse.put(connection);
            }
            return (response, Self(Inner::Whole(whole)));
        }
        let source = match sending {
            None => Source::Whole(connection),
            Some(sending) => Source::Split(Half::split(connection, sending)),
        };
        let mut body = Http1Body { content, source: Some(source), reuse };
        if body.content.left() == Some(0) {
            body.finish();
        }
        (response, Self(Inner::Http1(Box::new(body))))
    }
}

struct Http1Body {
    content: Content,
    /// `None` after the end.
    source: Option<Source>,
    reuse: Option<Reuse>,
}

enum Source {
    Whole(Box<Http1Connection>),
    Split(Half),
}

impl Source {
    fn kept(&self) -> &Kept {
        match self {
            Self::Whole(connection) => &connection.kept,
            Self::Split(half) => &half.kept,
        }
    }
}

/// The part of a connection that reads, while another task still sends the request.
struct Half {
    stream: ReadHalf<TokioIo<Io>>,
    kept: Kept,
    sending: AbortHandle,
    progress: Arc<Progress>,
    /// How that ended.
    sent: oneshot::Receiver<Result<Sent, HttpError>>,
    has_sent: Option<Sent>,
}

/// How the request of a [`Half`] fares.
#[derive(Default)]
struct Progress {
    /// How often the other task has got further, or found that it cannot.
    steps: AtomicU64,
    awaits_server: AtomicBool,
}

/// What the other task gives back.
struct Sent {
    stream: WriteHalf<TokioIo<Io>>,
    buffer: Vec<u8>,
}

impl Half {
    fn split(connection: Box<Http1Connection>, mut sending: Box<Sending<Outgoing>>) -> Self {
        let Http1Connection { stream, kept } = *connection;
        let (stream, mut writer) = tokio::io::split(stream);
        let (report, sent) = oneshot::channel();
        let progress = Arc::<Progress>::default();
        let noted = Arc::clone(&progress);
        let task = tokio::spawn(async move {
            let outcome = poll_fn(|cx| {
                let outcome = Pin::new(&mut *sending).poll(cx, Pin::new(&mut writer));
                noted.steps.fetch_add(1, Ordering::Relaxed);
                noted.awaits_server.store(sending.awaits_peer(), Ordering::Relaxed);
                outcome
            });
            let outcome = outcome.await.map_err(HttpError::from);
            let sent = Sent { stream: writer, buffer: Pin::new(&mut *sending).take_memory() };
            // Whoever has the whole response does not wait for it.
            _ = report.send(outcome.map(|()| sent));
        });
        Self { stream, kept, sending: task.abort_handle(), progress, sent, has_sent: None }
    }

    /// Fails once the request has.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Result<(), HttpError> {
        if self.has_sent.is_none()
            && let Poll::Ready(outcome) = Pin::new(&mut self.sent).poll(cx)
        {
            let ended = || HttpError::BrokeOff(io::ErrorKind::BrokenPipe.into());
            self.has_sent = Some(outcome.unwrap_or_else(|_| Err(ended()))?);
        }
        Ok(())
    }

    /// The response is over; the request may go on.
    fn reuse(self, reuse: Reuse) {
        if self.has_sent.is_none() {
            tokio::spawn(self.settle(reuse));
        } else if let Some(connection) = self.join() {
            reuse.put(connection);
        }
    }

    /// Waits for the end of the request, unless the server closes the connection or takes nothing
    /// more.
    async fn settle(mut self, reuse: Reuse) {
        let mut byte = [0];
        tokio::select! {
            sent = &mut self.sent => {
                self.has_sent = sent.ok().and_then(Result::ok);
                if let Some(connection) = self.join() {
                    reuse.put(connection);
                }
            }
            _ = self.stream.read(&mut byte) => self.sending.abort(),
            () = self.progress.stops() => self.sending.abort(),
        }
    }

    /// The whole connection, if all of the request has been sent.
    fn join(self) -> Option<Box<Http1Connection>> {
        let Sent { stream, buffer } = self.has_sent?;
        let kept = self.kept.with_buffer(buffer);
        Some(Box::new(Http1Connection { stream: self.stream.unsplit(stream), kept }))
    }
}

impl Progress {
    /// Is ready when the server has taken nothing for too long, though there is something.
    async fn stops(&self) {
        let mut before = None;
        loop {
            let steps = self.steps.load(Ordering::Relaxed);
            if before == Some(steps) && self.awaits_server.load(Ordering::Relaxed) {
                return;
            }
            before = Some(steps);
            sleep(STALL_LIMIT).await;
        }
    }
}

impl Http1Body {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let next = ready!(self.poll_next(cx));
        let frame = match next {
            Ok(Piece::Data(data)) => Some(Ok(Frame::data(data))),
            Ok(Piece::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Ok(Piece::End | Piece::Missing) => None,
            Err(error) => {
                self.abandon();
                Some(Err(error))
            }
        };
        // Whoever knows that this is the end does not ask again.
        if self.content.left() == Some(0) {
            self.finish();
        }
        Poll::Ready(frame)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, HttpError>> {
        loop {
            let Some(source) = &mut self.source else { return Poll::Ready(Ok(Piece::End)) };
            let kept = match source {
                Source::Whole(connection) => &mut connection.kept,
                Source::Split(half) => {
                    half.poll_sent(cx)?;
                    &mut half.kept
                }
            };
            match self.content.take(&mut kept.read)? {
                Piece::Missing => {}
                piece => return Poll::Ready(Ok(piece)),
            }
            let read = match source {
                Source::Whole(connection) => {
                    let Http1Connection { stream, kept } = &mut **connection;
                    ready!(kept.read.poll_read(cx, Pin::new(stream)))
                }
                Source::Split(Half { kept, stream, .. }) => {
                    ready!(kept.read.poll_read(cx, Pin::new(stream)))
                }
            };
            if read.map_err(HttpError::BrokeOff)? == 0 {
                let closed = io::Error::from(io::ErrorKind::UnexpectedEof);
                return Poll::Ready(match self.content.may_be_closed() {
                    true => {
                        self.content = Content::Length(0);
                        Ok(Piece::End)
                    }
                    false => Err(HttpError::BrokeOff(closed)),
                });
            }
        }
    }

    /// All of the response is there.
    fn finish(&mut self) {
        let Some(source) = self.source.take() else { return };
        let reuse = self.reuse.take().filter(|_| source.kept().read.is_empty());
        match (source, reuse) {
            (Source::Whole(connection), Some(reuse)) => reuse.put(connection),
            (Source::Whole(_), None) => {}
            (Source::Split(half), Some(reuse)) => half.reuse(reuse),
            // RFC 9112 §9.6: a server that will not use the connection again wants no more.
            (Source::Split(half), None) => half.sending.abort(),
        }
    }

    fn abandon(&mut self) {
        if let Some(Source::Split(half)) = self.source.take() {
            half.sending.abort();
        }
    }
}

impl Drop for Http1Body {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        match &mut self.0 {
            Inner::Whole(data) if data.is_empty() => Poll::Ready(None),
            Inner::Whole(data) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(data))))),
            Inner::Http1(body) => body.poll_frame(cx),
            Inner::Http2(body) => Pin::new(body).poll_frame(cx).map_err(HttpError::Http2),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Whole(data) => data.is_empty(),
            Inner::Http1(body) => body.source.is_none(),
            Inner::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Whole(data) => SizeHint::with_exact(data.len() as u64),
            Inner::Http1(body) => {
                body.content.left().map_or_else(SizeHint::new, SizeHint::with_exact)
            }
            Inner::Http2(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}
