//! A request on its way out over HTTP/1.1.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::header::{HeaderMap, HeaderName, HeaderValue, TRAILER};
use http::request::Parts;
use http_body::Body;
use tokio::io::AsyncWrite;

use crate::bytes_body::Outgoing;
use crate::http_error::HttpError;
use crate::http1_head::{self, Framing};

/// Content is gathered up to this many bytes before it is written. Larger pieces are not copied.
const GATHERED: usize = 16 * 1024;

/// A request that is being sent.
pub(crate) struct Sending {
    body: Outgoing,
    state: State,
    /// Which of the trailers are sent (RFC 9110 §6.6.2).
    announced: Vec<HeaderName>,
    /// What is to be written next, but for its first bytes, which have been.
    buffer: Vec<u8>,
    written: usize,
    /// What is written after that without being copied.
    large: Bytes,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// So many bytes of content are missing.
    Length(u64),
    Chunks,
    /// All of it is in the buffers.
    Gathered,
    Sent,
}

impl Sending {
    /// Begins with the head, in a buffer that may have been used before.
    pub(crate) fn new(
        head: &Parts,
        body: Outgoing,
        host: &HeaderValue,
        mut buffer: Vec<u8>,
    ) -> Result<Self, HttpError> {
        let length = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
        let framing = http1_head::request_framing(&head.headers, length);
        let framing =
            framing.ok_or_else(|| wrong_length("the `content-length` is not a number"))?;
        buffer.clear();
        http1_head::write(head, host, framing, &mut buffer);
        let state = match framing {
            Framing::Length(length) => State::Length(length),
            Framing::Chunked | Framing::UntilClose => State::Chunks,
        };
        let announced = announced_trailers(&head.headers);
        Ok(Self { body, state, announced, buffer, written: 0, large: Bytes::new() })
    }

    pub(crate) fn is_sent(&self) -> bool {
        self.state == State::Sent
    }

    /// Whether the server has not taken all that could have been sent.
    pub(crate) fn awaits_server(&self) -> bool {
        self.written < self.buffer.len() || !self.large.is_empty()
    }

    /// The buffer, for the next request.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Writes as much as there is and as `stream` takes; is ready when all of it has been sent.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut stream: Pin<&mut impl AsyncWrite>,
    ) -> Poll<Result<(), HttpError>> {
        while self.state != State::Sent {
            let gathered = self.poll_gather(cx)?;
            ready!(self.poll_write(cx, stream.as_mut())).map_err(HttpError::BrokeOff)?;
            if gathered.is_pending() {
                _ = stream.as_mut().poll_flush(cx).map_err(HttpError::BrokeOff)?;
                return Poll::Pending;
            }
            if self.state == State::Gathered {
                ready!(stream.as_mut().poll_flush(cx)).map_err(HttpError::BrokeOff)?;
                self.state = State::Sent;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Fills the buffers. Is pending if the content is what is missing.
    fn poll_gather(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), HttpError>> {
        while self.state != State::Gathered && self.large.is_empty() && self.buffer.len() < GATHERED
        {
            let frame = match (&self.state, self.body.is_end_stream()) {
                (_, true) => None,
                _ => ready!(Pin::new(&mut self.body).poll_frame(cx)),
            };
            match frame.transpose().map_err(HttpError::RequestBody)? {
                None => self.end(&HeaderMap::new())?,
                Some(frame) => match frame.into_data() {
                    Ok(data) => self.gather(data)?,
                    Err(frame) => match frame.into_trailers() {
                        Ok(trailers) => self.end(&trailers)?,
                        Err(_) => continue,
                    },
                },
            }
        }
        Poll::Ready(Ok(()))
    }

    fn gather(&mut self, data: Bytes) -> Result<(), HttpError> {
        if data.is_empty() {
            return Ok(());
        }
        if let State::Length(left) = &mut self.state {
            // `usize` has at most 64 bits on every platform that Rust supports.
            let rest = left.checked_sub(data.len() as u64);
            *left = rest.ok_or_else(|| wrong_length("it has more bytes than announced"))?;
        } else {
            // Writing to memory cannot fail. The size is that of the chunk (RFC 9112 §7.1).
            _ = write!(self.buffer, "{:x}\r\n", data.len());
        }
        if data.len() < GATHERED {
            self.buffer.extend_from_slice(&data);
            self.end_chunk();
        } else {
            self.large = data;
        }
        Ok(())
    }

    fn end_chunk(&mut self) {
        if self.state == State::Chunks {
            self.buffer.extend_from_slice(b"\r\n");
        }
    }

    fn end(&mut self, trailers: &HeaderMap) -> Result<(), HttpError> {
        match self.state {
            State::Length(0) | State::Gathered | State::Sent => {}
            State::Length(_) => return Err(wrong_length("it has fewer bytes than announced")),
            State::Chunks => {
                self.buffer.extend_from_slice(b"0\r\n");
                for (name, value) in
                    trailers.iter().filter(|(name, _)| self.announced.contains(name))
                {
                    http1_head::field(name, value, &mut self.buffer);
                }
                self.buffer.extend_from_slice(b"\r\n");
            }
        }
        self.state = State::Gathered;
        Ok(())
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        mut stream: Pin<&mut impl AsyncWrite>,
    ) -> Poll<io::Result<()>> {
        while self.written < self.buffer.len() {
            let part = &self.buffer[self.written..];
            self.written += not_zero(ready!(stream.as_mut().poll_write(cx, part))?)?;
        }
        self.buffer.clear();
        self.written = 0;
        while !self.large.is_empty() {
            let written = not_zero(ready!(stream.as_mut().poll_write(cx, &self.large))?)?;
            self.large.advance(written);
            if self.large.is_empty() {
                self.end_chunk();
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn not_zero(written: usize) -> io::Result<usize> {
    if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) }
}

fn wrong_length(what: &'static str) -> HttpError {
    HttpError::RequestBody(what.into())
}

fn announced_trailers(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(TRAILER).iter();
    let names = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::future::poll_fn;

    use http::Request;
    use http_body::Frame;
    use http_body_util::{BodyExt, StreamBody};
    use tokio::io::AsyncReadExt;

    use super::*;

    /// Sends frames through a pipe that takes a few bytes at a time.
    async fn sent(
        request: http::request::Builder,
        frames: impl IntoIterator<Item = Frame<Bytes>>,
    ) -> Result<String, HttpError> {
        let frames = frames.into_iter().map(Ok::<_, Infallible>).collect::<VecDeque<_>>();
        let body = StreamBody::new(futures_util::stream::iter(frames));
        let body = Outgoing::new(body.map_err(Into::into));
        let (head, body) = request.body(body).unwrap().into_parts();
        let host = HeaderValue::from_static("a.example");
        let mut sending = Sending::new(&head, body, &host, Vec::new())?;
        let (mut writer, mut reader) = tokio::io::duplex(7);
        let reading = tokio::spawn(async move {
            let mut text = String::new();
            reader.read_to_string(&mut text).await.map(|_| text)
        });
        poll_fn(|cx| sending.poll(cx, Pin::new(&mut writer))).await?;
        assert!(sending.is_sent());
        drop(writer);
        let text = reading.await.unwrap().unwrap();
        Ok(text.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    fn data(text: &str) -> Frame<Bytes> {
        Frame::data(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// RFC 9112 §6.2: neither more nor less than was announced.
    #[tokio::test]
    async fn content_has_the_announced_length() {
        let request = || Request::post("/").header("content-length", "6");
        let large = "x".repeat(GATHERED + 1);
        assert_eq!(sent(request(), [data("abc"), data(""), data("def")]).await.unwrap(), "abcdef");
        for wrong in [vec![data("abc")], vec![data("abcdefg")], vec![data("abcdef"), data(&large)]]
        {
            let error = sent(request(), wrong).await.unwrap_err();
            assert!(matches!(error, HttpError::RequestBody(_)));
        }
        let request = Request::post("/").header("content-length", large.len());
        assert_eq!(sent(request, [data(&large)]).await.unwrap(), large);
    }

    /// RFC 9112 §7.1
    #[tokio::test]
    async fn content_of_unknown_length_is_chunked() {
        let large = "x".repeat(GATHERED + 1);
        let sent = sent(Request::post("/"), [data("abc"), data(""), data(&large), data("d")]);
        let expected = format!("3\r\nabc\r\n4001\r\n{large}\r\n1\r\nd\r\n0\r\n\r\n");
        assert_eq!(sent.await.unwrap(), expected);
    }

    /// RFC 9110 §6.5.1, §6.6.2
    #[tokio::test]
    async fn announced_trailers_are_sent() {
        let trailers =
            ["a", "b"].map(|name| (name.parse().unwrap(), HeaderValue::from_static("x")));
        let trailers = || Frame::trailers(HeaderMap::from_iter(trailers.clone()));
        let announcing = Request::post("/").header("trailer", "c, A");
        let sent_trailers = sent(announcing, [data("abc"), trailers()]).await.unwrap();
        assert_eq!(sent_trailers, "3\r\nabc\r\n0\r\na: x\r\n\r\n");
        assert_eq!(sent(Request::post("/"), [trailers()]).await.unwrap(), "0\r\n\r\n");
    }
}
