//! HTTP/1.1 towards clients: one request after the other over a connection (RFC 9112 §9).
//!
//! The task of a connection does it all: it reads a head, asks for the response, and while it waits
//! for that or sends it, reads the content of the request as somebody wants it.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use http::{Request, Response, StatusCode};
use http_body::Body;
use oblivious_service::BoxError;
use pin_project_lite::pin_project;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tower_service::Service;

use crate::arrival::Arrival;
use crate::bytes_body::BytesBody;
use crate::deadline::Deadline;
use crate::http1_feeding::Feeding;
use crate::http1_message::HeadEnd;
use crate::http1_sending::{SendError, Sending, announced_trailers};
use crate::http1_server_head::{self, Asked, Refused, RequestHead};
use crate::read_buffer::{READ_SIZE, ReadBuffer};
use crate::request_body::{DRAIN_BYTES, DRAIN_LIMIT, RequestBody};
use crate::spare_memory::{self, Spares};

/// What a connection over HTTP/2 begins with (RFC 9113 §3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The connection of a client, between two requests.
pub(crate) struct Http1Server<IO, S> {
    stream: IO,
    /// What has come and is not used yet.
    read: ReadBuffer,
    deadline: Deadline,
    /// Is ready when no more requests are wanted.
    stop: Pin<Box<S>>,
    is_stopping: bool,
    /// The head that has come last. It is large, and moved as little as possible.
    head: Option<RequestHead>,
    /// No request has come yet.
    is_new: bool,
}

/// How a connection ends.
pub(crate) enum End<IO> {
    Closed,
    /// It does not: the client speaks HTTP/2, and this is how it begins.
    Http2(BytesMut, IO),
}

/// Why a connection ends before a request is answered.
#[derive(Debug, Error)]
pub(crate) enum Broken {
    #[error("a head or an exchange took too long")]
    Overdue,
    #[error("the client has gone")]
    Gone(#[from] io::Error),
    #[error("the response cannot be sent")]
    Response(#[from] SendError),
}

/// What comes next over a connection.
enum Next {
    /// Its head is there.
    Request,
    Refused(Refused),
    Http2,
    Nothing,
}

/// What becomes of a connection after an exchange.
enum After {
    Next,
    Close,
    /// Some of the request has not been read.
    CloseUnread,
}

pin_project! {
    /// A request that is being answered.
    struct Exchange<F, B> {
        // Until the service is ready for it.
        request: Option<Request<RequestBody>>,
        #[pin]
        response: Option<F>,
        #[pin]
        sending: Option<Sending<BytesBody<B>>>,
        asked: Asked,
        feeding: Feeding,
        // There is no other over this connection.
        is_last: bool,
    }
}

impl<IO, S> Http1Server<IO, S>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    S: Future<Output = ()>,
{
    pub(crate) fn new(stream: IO, deadline: Deadline, stop: S) -> Self {
        let (read, stop) = (ReadBuffer::default(), Box::pin(stop));
        Self { stream, read, deadline, stop, is_stopping: false, head: None, is_new: true }
    }

    /// Answers one request after the other. Each is marked with who has sent it.
    pub(crate) async fn serve<Svc, B>(
        mut self,
        service: &mut Svc,
        arrival: &Arrival,
    ) -> Result<End<IO>, Broken>
    where
        Svc: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
        B: Body<Error: Into<BoxError>>,
    {
        loop {
            match self.next().await? {
                Next::Request => {}
                Next::Refused(refused) => {
                    self.refuse(refused).await?;
                    return Ok(End::Closed);
                }
                Next::Http2 => return Ok(End::Http2(self.read.split(), self.stream)),
                Next::Nothing => return Ok(End::Closed),
            }
            let Some(RequestHead { mut parts, framing, expects_continue, asked }) =
                self.head.take()
            else {
                continue;
            };
            self.is_new = false;
            self.deadline.begin_exchange();
            arrival.mark(&mut parts);
            let (body, feeding) = Feeding::begin(framing, expects_continue, &mut self.read);
            let mut exchange = pin!(Exchange {
                request: Some(Request::from_parts(parts, body)),
                response: None,
                sending: None,
                asked,
                feeding,
                is_last: false,
            });
            match poll_fn(|cx| self.poll_exchange(cx, exchange.as_mut(), service)).await? {
                After::Next => self.deadline.begin_head(),
                After::Close => {
                    self.stream.shutdown().await?;
                    return Ok(End::Closed);
                }
                After::CloseUnread => {
                    self.close_unread().await?;
                    return Ok(End::Closed);
                }
            }
        }
    }

    async fn next(&mut self) -> Result<Next, Broken> {
        let mut end = HeadEnd::default();
        poll_fn(|cx| self.poll_next(cx, &mut end)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, end: &mut HeadEnd) -> Poll<Result<Next, Broken>> {
        loop {
            if let Some(next) = self.take_next(end) {
                return Poll::Ready(Ok(next));
            }
            let is_empty = self.read.is_empty();
            let stream = Pin::new(&mut self.stream);
            let read = match is_empty {
                true => self.read.poll_begin(cx, stream)?,
                false => self.read.poll_read(cx, stream)?,
            };
            match read {
                Poll::Ready(0) if is_empty => return Poll::Ready(Ok(Next::Nothing)),
                Poll::Ready(0) => {
                    let closed = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return Poll::Ready(Err(closed.into()));
                }
                Poll::Ready(_) => {}
                Poll::Pending if self.deadline.poll(cx).is_ready() => {
                    return Poll::Ready(Err(Broken::Overdue));
                }
                // What has begun to arrive is still served.
                Poll::Pending if is_empty && self.poll_stop(cx) => {
                    return Poll::Ready(Ok(Next::Nothing));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// What has been read, if it is enough.
    fn take_next(&mut self, end: &mut HeadEnd) -> Option<Next> {
        let beginning = &self.read[..self.read.len().min(HTTP2_PREFACE.len())];
        if self.is_new && HTTP2_PREFACE.starts_with(beginning) {
            return (beginning == HTTP2_PREFACE).then_some(Next::Http2);
        }
        // RFC 9112 §2.2
        while let Some(b"\r\n") = self.read.first_chunk() {
            self.read.advance(2);
            *end = HeadEnd::default();
        }
        let head = match end.find(&self.read) {
            Ok(Some(length)) => http1_server_head::read(self.read.split_to(length)),
            Ok(None) => Err(http1_server_head::check_beginning(&self.read).err()?.into()),
            Err(_) => Err(Refused::too_large("its head is too long")),
        };
        Some(match head {
            Ok(head) => {
                self.head = Some(head);
                Next::Request
            }
            Err(refused) => Next::Refused(refused),
        })
    }

    fn poll_stop(&mut self, cx: &mut Context<'_>) -> bool {
        self.is_stopping = self.is_stopping || self.stop.as_mut().poll(cx).is_ready();
        self.is_stopping
    }

    /// Goes on with an exchange, up to the end of its response and of its request.
    fn poll_exchange<Svc, B>(
        &mut self,
        cx: &mut Context<'_>,
        exchange: Pin<&mut Exchange<Svc::Future, B>>,
        service: &mut Svc,
    ) -> Poll<Result<After, Broken>>
    where
        Svc: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
        B: Body<Error: Into<BoxError>>,
    {
        if self.deadline.poll(cx).is_ready() {
            return Poll::Ready(Err(Broken::Overdue));
        }
        let mut exchange = exchange.project();
        loop {
            if exchange.request.is_some()
                && let Poll::Ready(Ok(())) = service.poll_ready(cx)
                && let Some(request) = exchange.request.take()
            {
                exchange.response.set(Some(service.call(request)));
            }
            if let Some(response) = exchange.response.as_mut().as_pin_mut()
                && let Poll::Ready(Ok(response)) = response.poll(cx)
            {
                exchange.response.set(None);
                let before = exchange.feeding.answered(cx);
                let is_last = exchange.feeding.stays_unread(cx) || self.poll_stop(cx);
                let (sending, is_last) = begin(before, *exchange.asked, response, is_last);
                exchange.sending.set(Some(sending));
                *exchange.is_last = is_last;
            }
            let sent = match exchange.sending.as_mut().as_pin_mut() {
                Some(sending) => sending.poll(cx, Pin::new(&mut self.stream))?,
                None => Poll::Pending,
            };
            if sent.is_pending() || !exchange.feeding.is_over() {
                // A reader of the request may be in what was just polled.
                let stream = Pin::new(&mut self.stream);
                if exchange.feeding.poll(cx, &mut self.read, stream)? {
                    continue;
                }
            }
            if sent.is_pending() || !exchange.feeding.is_over() {
                return Poll::Pending;
            }
            if let Some(sending) = exchange.sending.as_mut().as_pin_mut() {
                let memory = sending.take_memory();
                if memory.capacity() <= READ_SIZE {
                    spare_memory::VECS.with(|spares| spares.keep(memory));
                }
            }
            return Poll::Ready(Ok(match exchange.feeding.stays_unread(cx) {
                true => After::CloseUnread,
                false if *exchange.is_last => After::Close,
                false => After::Next,
            }));
        }
    }

    /// Says why a request is not served, and closes the connection.
    async fn refuse(&mut self, refused: Refused) -> Result<(), Broken> {
        self.stream.write_all(&refused.response()).await?;
        self.close_unread().await
    }

    /// Closes the connection, but goes on reading for a while: whoever closes with something unread
    /// resets the connection, and a reset may overtake the response (RFC 9112 §9.6).
    async fn close_unread(&mut self) -> Result<(), Broken> {
        self.stream.flush().await?;
        self.stream.shutdown().await?;
        let rest = async {
            let mut left = DRAIN_BYTES;
            loop {
                self.read.clear();
                let stream = &mut self.stream;
                let read = poll_fn(|cx| self.read.poll_read(cx, Pin::new(stream))).await?;
                // `usize` has at most 64 bits on every platform that Rust supports.
                match left.checked_sub(read as u64) {
                    Some(rest) if read > 0 => left = rest,
                    _ => return Ok(()),
                }
            }
        };
        // Whoever is still sending after that is cut off.
        timeout(DRAIN_LIMIT, rest).await.unwrap_or(Ok(()))
    }
}

/// Begins a response with its head, after what must be sent `before`. Also returns whether it is the
/// last.
fn begin<B>(
    before: &[u8],
    asked: Asked,
    response: Response<B>,
    is_last: bool,
) -> (Sending<BytesBody<B>>, bool)
where
    B: Body<Error: Into<BoxError>>,
{
    let (mut head, body) = response.into_parts();
    if head.status.is_informational() {
        // RFC 9110 §15.2: it would not be the last, and there is no other.
        tracing::error!(status = %head.status, "the service answers with an informational status");
        head.status = StatusCode::INTERNAL_SERVER_ERROR;
    }
    let body = BytesBody::new(body);
    let length = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
    let answering = asked.answering(&head, length, is_last);
    let mut buffer = spare_memory::VECS.with(Spares::take);
    buffer.extend_from_slice(before);
    http1_server_head::write(&head, &answering, &mut buffer);
    let announced = match answering.has_trailers {
        true => announced_trailers(&head.headers),
        false => Vec::new(),
    };
    spare_memory::keep_headers(head.headers);
    (Sending::new(buffer, answering.framing, announced, body), answering.is_last)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};
    use proptest::prelude::*;
    use proptest::sample::Index;
    use tokio::io::AsyncReadExt;
    use tower::service_fn;

    use super::*;
    use crate::client_addresses::ConnectionClient;

    async fn echo(request: Request<RequestBody>) -> Result<Response<Full<Bytes>>, Infallible> {
        let content = request.into_body().collect().await;
        let content = content.map_or_else(|_| "broken".into(), |content| content.to_bytes());
        Ok(Response::new(Full::new(content)))
    }

    fn arrival() -> Arrival {
        let (peer, client) = ("127.0.0.1:1".parse().unwrap(), ConnectionClient::Unknown);
        Arrival { peer, client, certificate: false }
    }

    /// What a server answers to these bytes, which arrive in parts, and after which no more come
    /// until it closes the connection. The clock leaps where everything waits.
    fn answers(parts: &[&[u8]]) -> String {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap().block_on(async {
            let (mut client, server) = tokio::io::duplex(1 << 20);
            let second = Duration::from_secs(1);
            let serving = tokio::spawn(async move {
                let deadline = Deadline::new(second, 2 * second);
                let server = Http1Server::new(server, deadline, std::future::pending());
                server.serve(&mut service_fn(echo), &arrival()).await.is_ok()
            });
            for part in parts {
                // Whoever has been refused may be cut off.
                _ = client.write_all(part).await;
                tokio::task::yield_now().await;
            }
            let mut text = Vec::new();
            client.read_to_end(&mut text).await.unwrap();
            serving.await.unwrap();
            String::from_utf8_lossy(&text).into_owned()
        })
    }

    fn statuses(answers: &str) -> Vec<&str> {
        answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect()
    }

    const REQUESTS: &[u8] = b"POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc\
        PUT /b HTTP/1.1\nhost: a\ntransfer-encoding: chunked\n\n2;x\r\nde\r\n1\r\nf\r\n0\r\nt: u\r\n\r\n\
        GET http://a/c HTTP/1.1\r\nhost: a\r\nconnection: x, close\r\n\r\n";

    #[test]
    fn the_undamaged_requests_are_answered() {
        let answers = answers(&[REQUESTS]);
        assert_eq!(statuses(&answers), ["200"; 3], "{answers}");
        assert!(answers.contains("\r\n\r\nabcHTTP") && answers.contains("\r\n\r\ndefHTTP"));
    }

    /// RFC 9110 §15.2: an informational response that has begun goes before the other.
    #[tokio::test(start_paused = true)]
    async fn what_has_been_sent_in_part_before_a_response_is_sent_whole() {
        let second = Duration::from_secs(1);
        let (mut client, server) = tokio::io::duplex(10);
        tokio::spawn(async move {
            let impatient = |request: Request<RequestBody>| async move {
                assert!(timeout(second, request.into_body().collect()).await.is_err());
                Ok(Response::new(Full::new(Bytes::from("late"))))
            };
            let deadline = Deadline::new(9 * second, 9 * second);
            let server = Http1Server::new(server, deadline, std::future::pending());
            _ = server.serve(&mut service_fn(impatient), &arrival()).await;
        });
        let head =
            b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n";
        client.write_all(head).await.unwrap();
        // There is room for ten bytes until then.
        tokio::time::sleep(2 * second).await;
        let mut text = String::new();
        client.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nlate"), "{text}");
    }

    proptest! {
        /// Two readers of the same bytes that disagree are how requests are smuggled (RFC 9112
        /// §11.2).
        #[test]
        fn where_requests_are_cut_makes_no_difference_however_they_are_damaged(
            damage in prop::collection::vec((any::<Index>(), any::<u8>(), 0..3), 0..4),
            cuts in prop::collection::vec(any::<Index>(), 0..8),
        ) {
            let mut requests = REQUESTS.to_vec();
            for (index, byte, how) in damage {
                let index = index.index(requests.len());
                match how {
                    0 => requests[index] = byte,
                    1 => requests.insert(index, byte),
                    _ => _ = requests.remove(index),
                }
            }
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(requests.len())).collect();
            cuts.extend([0, requests.len()]);
            cuts.sort_unstable();
            let parts: Vec<_> = cuts.windows(2).map(|cut| &requests[cut[0]..cut[1]]).collect();
            let (whole, in_parts) = (answers(&[&requests]), answers(&parts));
            prop_assert_eq!(statuses(&whole), statuses(&in_parts));
        }
    }
}
