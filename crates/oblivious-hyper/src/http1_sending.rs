//! A message of HTTP/1.1 on its way out.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::header::{HeaderMap, HeaderName, TRAILER};
use http_body::Body;
use oblivious_service::BoxError;
use pin_project_lite::pin_project;
use thiserror::Error;
use tokio::io::AsyncWrite;

use crate::http1_message::{Framing, members, write_field};

/// Content is gathered up to this many bytes before it is written. Larger pieces are not copied.
const GATHERED: usize = 16 * 1024;

/// Why a message cannot be sent.
#[derive(Debug, Error)]
pub(crate) enum SendError {
    /// The content broke off, or is not as long as was announced.
    #[error("the content broke off")]
    Content(#[source] BoxError),
    #[error("the connection broke off")]
    Io(#[source] io::Error),
}

pin_project! {
    /// A message that is being sent.
    pub(crate) struct Sending<B> {
        #[pin]
        body: B,
        out: Out,
    }
}

/// What has been taken of a message and what will be.
struct Out {
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
    UntilClose,
    /// All of it is in the buffers.
    Gathered,
    Sent,
}

impl<B> Sending<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    /// Begins with the head. Without a framing there is no content, whatever the body has.
    pub(crate) fn new(
        head: Vec<u8>,
        framing: Option<Framing>,
        announced: Vec<HeaderName>,
        body: B,
    ) -> Self {
        let state = match framing {
            Some(Framing::Length(length)) => State::Length(length),
            Some(Framing::Chunked) => State::Chunks,
            Some(Framing::UntilClose) => State::UntilClose,
            None => State::Gathered,
        };
        let out = Out { state, announced, buffer: head, written: 0, large: Bytes::new() };
        Self { body, out }
    }

    #[cfg(any(feature = "client", test))]
    pub(crate) fn is_sent(&self) -> bool {
        self.out.state == State::Sent
    }

    /// Whether the peer has not taken all that could have been sent.
    #[cfg(feature = "client")]
    pub(crate) fn awaits_peer(&self) -> bool {
        self.out.written < self.out.buffer.len() || !self.out.large.is_empty()
    }

    /// The memory that was written from, for the next message.
    pub(crate) fn take_memory(self: Pin<&mut Self>) -> Vec<u8> {
        std::mem::take(&mut self.project().out.buffer)
    }

    /// Writes as much as there is and as `stream` takes; is ready when all of it has been sent.
    pub(crate) fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut stream: Pin<&mut impl AsyncWrite>,
    ) -> Poll<Result<(), SendError>> {
        let this = self.project();
        let (mut body, out) = (this.body, this.out);
        while out.state != State::Sent {
            let gathered = out.poll_gather(cx, body.as_mut()).map_err(SendError::Content)?;
            ready!(out.poll_write(cx, stream.as_mut())).map_err(SendError::Io)?;
            if gathered.is_pending() {
                _ = stream.as_mut().poll_flush(cx).map_err(SendError::Io)?;
                return Poll::Pending;
            }
            if out.state == State::Gathered {
                ready!(stream.as_mut().poll_flush(cx)).map_err(SendError::Io)?;
                out.state = State::Sent;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Out {
    /// Fills the buffers. Is pending if the content is what is missing.
    fn poll_gather(
        &mut self,
        cx: &mut Context<'_>,
        mut body: Pin<&mut impl Body<Data = Bytes, Error: Into<BoxError>>>,
    ) -> Poll<Result<(), BoxError>> {
        while self.state != State::Gathered && self.large.is_empty() && self.buffer.len() < GATHERED
        {
            let frame = match body.is_end_stream() {
                true => None,
                false => ready!(body.as_mut().poll_frame(cx)),
            };
            match frame.transpose().map_err(Into::into)? {
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

    fn gather(&mut self, data: Bytes) -> Result<(), BoxError> {
        if data.is_empty() {
            return Ok(());
        }
        match &mut self.state {
            State::Length(left) => {
                // `usize` has at most 64 bits on every platform that Rust supports.
                let rest = left.checked_sub(data.len() as u64);
                *left = rest.ok_or("it has more bytes than announced")?;
            }
            // Writing to memory cannot fail. The size is that of the chunk (RFC 9112 §7.1).
            State::Chunks => _ = write!(self.buffer, "{:x}\r\n", data.len()),
            State::UntilClose | State::Gathered | State::Sent => {}
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

    fn end(&mut self, trailers: &HeaderMap) -> Result<(), BoxError> {
        match self.state {
            State::Length(0) | State::UntilClose | State::Gathered | State::Sent => {}
            State::Length(_) => return Err("it has fewer bytes than announced".into()),
            State::Chunks => {
                self.buffer.extend_from_slice(b"0\r\n");
                for (name, value) in
                    trailers.iter().filter(|(name, _)| self.announced.contains(name))
                {
                    write_field(name, value, &mut self.buffer);
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

/// Which trailers a header announces.
pub(crate) fn announced_trailers(headers: &HeaderMap) -> Vec<HeaderName> {
    members(headers, TRAILER).filter_map(|name| HeaderName::from_bytes(name).ok()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::future::poll_fn;

    use http::HeaderValue;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use tokio::io::AsyncReadExt;

    use super::*;

    /// Sends frames through a pipe that takes a few bytes at a time.
    async fn sent(
        framing: impl Into<Option<Framing>>,
        announced: &[&'static str],
        frames: impl IntoIterator<Item = Frame<Bytes>>,
    ) -> Result<String, SendError> {
        let frames = frames.into_iter().map(Ok::<_, Infallible>).collect::<VecDeque<_>>();
        let body = StreamBody::new(futures_util::stream::iter(frames));
        let announced = announced.iter().map(|name| name.parse().unwrap()).collect();
        let mut sending = Sending::new(b"head ".to_vec(), framing.into(), announced, body);
        let (mut writer, mut reader) = tokio::io::duplex(7);
        let reading = tokio::spawn(async move {
            let mut text = String::new();
            reader.read_to_string(&mut text).await.map(|_| text)
        });
        poll_fn(|cx| Pin::new(&mut sending).poll(cx, Pin::new(&mut writer))).await?;
        assert!(sending.is_sent());
        drop(writer);
        Ok(reading.await.unwrap().unwrap().strip_prefix("head ").unwrap().to_owned())
    }

    fn data(text: &str) -> Frame<Bytes> {
        Frame::data(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// RFC 9112 §6.2: neither more nor less than was announced.
    #[tokio::test]
    async fn content_has_the_announced_length() {
        let six = Framing::Length(6);
        let large = "x".repeat(GATHERED + 1);
        assert_eq!(sent(six, &[], [data("abc"), data(""), data("def")]).await.unwrap(), "abcdef");
        for wrong in [vec![data("abc")], vec![data("abcdefg")], vec![data("abcdef"), data(&large)]]
        {
            let error = sent(six, &[], wrong).await.unwrap_err();
            assert!(matches!(error, SendError::Content(_)));
        }
        let length = Framing::Length(large.len() as u64);
        assert_eq!(sent(length, &[], [data(&large)]).await.unwrap(), large);
    }

    /// RFC 9112 §7.1
    #[tokio::test]
    async fn content_of_unknown_length_is_chunked() {
        let large = "x".repeat(GATHERED + 1);
        let frames = || [data("abc"), data(""), data(&large), data("d")];
        let expected = format!("3\r\nabc\r\n4001\r\n{large}\r\n1\r\nd\r\n0\r\n\r\n");
        assert_eq!(sent(Framing::Chunked, &[], frames()).await.unwrap(), expected);
        let expected = format!("abc{large}d");
        assert_eq!(sent(Framing::UntilClose, &[], frames()).await.unwrap(), expected);
    }

    /// RFC 9110 §6.5.1, §6.6.2
    #[tokio::test]
    async fn announced_trailers_are_sent() {
        let trailers =
            ["a", "b"].map(|name| (name.parse().unwrap(), HeaderValue::from_static("x")));
        let trailers = || Frame::trailers(HeaderMap::from_iter(trailers.clone()));
        let frames = || [data("abc"), trailers()];
        let sent_trailers = sent(Framing::Chunked, &["c", "a"], frames()).await.unwrap();
        assert_eq!(sent_trailers, "3\r\nabc\r\n0\r\na: x\r\n\r\n");
        assert_eq!(sent(Framing::Chunked, &[], [trailers()]).await.unwrap(), "0\r\n\r\n");
        assert_eq!(sent(Framing::Length(3), &["a"], frames()).await.unwrap(), "abc");
        assert_eq!(sent(None, &["a"], frames()).await.unwrap(), "");
        let mut headers = HeaderMap::new();
        headers.append(TRAILER, HeaderValue::from_static("c, A,"));
        assert_eq!(announced_trailers(&headers), ["c", "a"]);
    }
}
