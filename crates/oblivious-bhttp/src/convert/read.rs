//! The bytes of a binary message as a request or response with a body, while they come in.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::vec::Vec;

use bytes::{Buf, Bytes};
use http::{HeaderMap, Method, Request, Response};
use http_body::{Body, Frame, SizeHint};
use thiserror::Error;

use super::ConvertError;
use super::decode::{
    Informational, informational_response, put_request_head, put_response_head, trailers,
};
use super::fields::ConnectionNames;
use crate::decoder::{Decoder, Event};
use crate::error::DecodeError;
use crate::options::DecodeOptions;

/// Reads a request from a body of binary message bytes, as far as its header section; the rest
/// becomes the body of the request. The head is what
/// [`decode_request`](crate::decode_request) makes of it.
///
/// Put a body that is not `Unpin` into a `Box::pin`.
pub fn read_request<B: Body + Unpin>(body: B, options: &DecodeOptions) -> ReadRequest<B> {
    ReadRequest { source: Some(Source::new(body, Decoder::for_request(options))) }
}

/// Reads the response to a request with this method from a body of binary message bytes, as far
/// as its header section; the rest becomes the body of the response. The head is what
/// [`decode_response`](crate::decode_response) makes of it.
///
/// Put a body that is not `Unpin` into a `Box::pin`.
pub fn read_response<B: Body + Unpin>(
    body: B,
    request_method: &Method,
    options: &DecodeOptions,
) -> ReadResponse<B> {
    let decoder = Decoder::for_response(request_method.as_str(), options);
    ReadResponse { source: Some(Source::new(body, decoder)), informational: Vec::new() }
}

/// The next of something that is read, if there is one.
type Next<T, B> = Poll<Option<Result<T, ReadError<<B as Body>::Error>>>>;

/// The future of [`read_request`].
///
/// # Errors
/// [`ReadError`] if the bytes are not a valid request as far as they were read, or the body that
/// they come from fails.
#[derive(Debug)]
#[must_use = "nothing is read before it is polled"]
pub struct ReadRequest<B> {
    source: Option<Source<B>>,
}

/// The future of [`read_response`].
///
/// # Errors
/// [`ReadError`] if the bytes are not a valid response as far as they were read, or the body that
/// they come from fails.
#[must_use = "nothing is read before it is polled"]
pub struct ReadResponse<B> {
    source: Option<Source<B>>,
    informational: Vec<Response<()>>,
}

impl<B: fmt::Debug> fmt::Debug for ReadResponse<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadResponse")
            .field("source", &self.source)
            .field("informational", &self.informational.len())
            .finish()
    }
}

impl<B> ReadResponse<B> {
    /// Polls for the next informational response, to pass it on as it comes in; those not taken
    /// this way arrive with the final response, as [`Informational`]. `None` when the final
    /// response is next.
    ///
    /// # Errors
    /// Those of the future itself. After an error, poll neither again.
    pub fn poll_informational(&mut self, cx: &mut Context<'_>) -> Next<Response<()>, B>
    where
        B: Body + Unpin,
    {
        let Some(source) = &mut self.source else { return Poll::Ready(None) };
        if source.head.is_some() {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(source.poll_event(cx)) {
            Ok(Some(Event::Informational(head))) => match informational_response(head) {
                Ok(response) => Some(Ok(response)),
                Err(error) => {
                    self.source = None;
                    Some(Err(ReadError::Message(error)))
                }
            },
            Ok(event) => {
                source.head = event;
                None
            }
            Err(error) => {
                self.source = None;
                Some(Err(error))
            }
        })
    }
}

impl<B: Body + Unpin> Future for ReadRequest<B> {
    type Output = Result<Request<MessageBody<B>>, ReadError<B::Error>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Taken for good, unless more is needed: after a failure this cannot continue.
        let mut source = self.source.take().expect(POLLED_AGAIN);
        let Poll::Ready(event) = source.poll_event(cx) else {
            self.source = Some(source);
            return Poll::Pending;
        };
        let mut request = Request::new(());
        if let Some(Event::Request(head)) = event? {
            put_request_head(head, &mut request, &mut source.named)?;
        }
        Poll::Ready(Ok(request.map(|()| MessageBody { source: Some(source) })))
    }
}

impl<B: Body + Unpin> Future for ReadResponse<B> {
    type Output = Result<Response<MessageBody<B>>, ReadError<B::Error>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        while let Some(response) = ready!(self.poll_informational(cx)) {
            self.informational.push(response?);
        }
        let mut source = self.source.take().expect(POLLED_AGAIN);
        let mut response = Response::new(());
        if let Some(Event::Response(head)) = source.head.take() {
            put_response_head(head, &mut response, &mut source.named)?;
        }
        if !self.informational.is_empty() {
            let informational = std::mem::take(&mut self.informational);
            response.extensions_mut().insert(Informational(informational));
        }
        Poll::Ready(Ok(response.map(|()| MessageBody { source: Some(source) })))
    }
}

/// The contract of [`Future`] rules this out.
const POLLED_AGAIN: &str = "a future must not be polled again after it was ready";

/// The content and trailers of a message that is still coming in.
///
/// The inner body is only read when this one is asked for more. If this body ends without an error,
/// the message was complete and valid: a message that is cut off or invalid, even in its padding,
/// is an error. Trailers are held back until that is known. Nothing follows an error.
#[derive(Debug)]
#[must_use = "a body does nothing unless it is polled"]
pub struct MessageBody<B> {
    /// `None` once the message has ended, however it ended.
    source: Option<Source<B>>,
}

/// A decoder and the source of its bytes. `Debug` shows nothing of the message.
struct Source<B> {
    body: B,
    decoder: Decoder,
    /// The head of a final response that came instead of an informational one.
    head: Option<Event>,
    trailers: Option<HeaderMap>,
    named: ConnectionNames,
}

impl<B: fmt::Debug> fmt::Debug for Source<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { body, decoder, .. } = self;
        let mut fields = f.debug_struct("Source");
        fields.field("body", body).field("decoder", decoder).finish_non_exhaustive()
    }
}

impl<B: Body + Unpin> Source<B> {
    fn new(body: B, decoder: Decoder) -> Self {
        Self { body, decoder, head: None, trailers: None, named: ConnectionNames::default() }
    }

    /// The next event. Pending only when the inner body is.
    fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Event>, ReadError<B::Error>>> {
        loop {
            if let Some(event) = self.decoder.next_event()? {
                return Poll::Ready(Ok(Some(event)));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers of the transport are not part of the message.
                    if let Ok(mut data) = frame.into_data() {
                        let length = data.remaining();
                        self.decoder.push(data.copy_to_bytes(length));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Err(ReadError::Body(error))),
                None => self.decoder.finish(),
            }
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Next<Frame<Bytes>, B> {
        loop {
            match ready!(self.poll_event(cx))? {
                Some(Event::Content(piece)) => {
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                Some(Event::Trailers(fields)) => {
                    self.trailers = trailers(fields, &mut self.named)?;
                }
                Some(Event::End) | None => return Poll::Ready(None),
                Some(_) => {}
            }
        }
    }
}

impl<B: Body + Unpin> Body for MessageBody<B> {
    type Data = Bytes;
    type Error = ReadError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(source) = &mut self.source else { return Poll::Ready(None) };
        let frame = match ready!(source.poll_frame(cx)) {
            Some(Ok(frame)) => return Poll::Ready(Some(Ok(frame))),
            Some(Err(error)) => Some(Err(error)),
            None => source.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))),
        };
        self.source = None;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            None => SizeHint::with_exact(0),
            Some(source) => {
                source.decoder.content_remaining().map_or_else(SizeHint::new, SizeHint::with_exact)
            }
        }
    }
}

/// Why a message could not be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadError<E> {
    /// The body that the bytes come from failed.
    #[error("the body that the message is read from failed")]
    Body(#[source] E),
    /// The bytes are not a valid message, or one that `http` cannot hold.
    #[error(transparent)]
    Message(#[from] ConvertError),
}

impl<E> From<DecodeError> for ReadError<E> {
    fn from(error: DecodeError) -> Self {
        Self::Message(error.into())
    }
}
