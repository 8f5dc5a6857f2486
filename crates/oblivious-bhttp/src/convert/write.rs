//! A body as the bytes of a binary message, while it is read.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use thiserror::Error;

use super::fields::{ConnectionNames, KeptFields};
use super::parts::{RequestParts, ResponseParts, informational};
use crate::encoder::Encoder;
use crate::error::EncodeError;
use crate::options::{EncodeOptions, Framing};
use crate::padding::Padding;

pin_project! {
    /// A request or response as the bytes of a binary message: itself a [`Body`], of data frames
    /// only.
    ///
    /// The inner body is only read when this one is asked for more, and at most one frame of it is
    /// held. Large frames pass through as they are, without a copy if their data is [`Bytes`].
    ///
    /// `Debug` shows only how long the parts are.
    #[project = EncodedBodyProjection]
    #[must_use = "a body does nothing unless it is polled"]
    pub struct EncodedBody<B> {
        #[pin]
        body: B,
        // `None` once the message has ended, however it ended.
        encoder: Option<Encoder>,
        padding: Padding,
        named: ConnectionNames,
        // What comes next, and what comes after that.
        ready: BytesMut,
        data: Bytes,
    }
}

impl<B: fmt::Debug> fmt::Debug for EncodedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodedBody")
            .field("body", &self.body)
            .field("encoder", &self.encoder)
            .field("padding", &self.padding)
            .field("ready", &(self.ready.len() + self.data.len()))
            .finish_non_exhaustive()
    }
}

/// Frames up to this length are copied behind their length instead of following it on their own.
const COPIED: usize = 2048;

impl<B: Body> EncodedBody<B> {
    /// The message of a request with a body; head as in
    /// [`encode_request_into`](crate::encode_request_into).
    ///
    /// # Errors
    /// What [`encode_request_into`](crate::encode_request_into) says about the head, and
    /// [`EncodeError::UnknownLength`] if known-length framing was asked for and the size hint of
    /// the body is not exact.
    pub fn from_request(request: Request<B>, options: &EncodeOptions) -> Result<Self, EncodeError> {
        let padding = options.padding.clone();
        let mut encoder = encoder_for(request.body(), options.framing)?;
        let mut ready = BytesMut::new();
        let head = RequestParts::of(&request);
        encoder.encodable_head(&head, &mut ready)?;
        let named = head.fields.into_named();
        Ok(Self::new(request.into_body(), encoder, padding, named, ready))
    }

    /// The message of a response with a body; head as in
    /// [`encode_response_into`](crate::encode_response_into).
    ///
    /// # Errors
    /// What [`encode_response_into`](crate::encode_response_into) says about the head, and
    /// [`EncodeError::UnknownLength`] if known-length framing was asked for and the size hint of
    /// the body is not exact.
    pub fn from_response(
        response: Response<B>,
        options: &EncodeOptions,
    ) -> Result<Self, EncodeError> {
        let padding = options.padding.clone();
        let mut encoder = encoder_for(response.body(), options.framing)?;
        let mut ready = BytesMut::new();
        for head in informational(&response) {
            encoder.encodable_head(&head, &mut ready)?;
        }
        let named = final_head(&response, &mut encoder, &mut ready)?;
        Ok(Self::new(response.into_body(), encoder, padding, named, ready))
    }

    fn new(
        body: B,
        encoder: Encoder,
        padding: Padding,
        named: ConnectionNames,
        ready: BytesMut,
    ) -> Self {
        Self { body, encoder: Some(encoder), padding, named, ready, data: Bytes::new() }
    }
}

/// Status and header section of a final response; what the trailers need to know of it.
fn final_head<B>(
    response: &Response<B>,
    encoder: &mut Encoder,
    out: &mut BytesMut,
) -> Result<ConnectionNames, EncodeError> {
    if response.status().is_informational() {
        return Err(EncodeError::Status);
    }
    let head = ResponseParts::of(response);
    encoder.encodable_head(&head, out)?;
    Ok(head.fields.into_named())
}

/// A response of indeterminate length whose informational responses are sent on as they come,
/// before the final one is known (RFC 9292 §3.5.1).
#[derive(Debug)]
#[must_use = "a message is complete once its final response has been sent"]
pub struct ResponseEncoder {
    encoder: Encoder,
}

impl ResponseEncoder {
    /// Begins a response.
    pub fn new() -> Self {
        Self { encoder: Encoder::indeterminate_length() }
    }

    /// Appends an informational response to `out`.
    ///
    /// # Errors
    /// [`EncodeError::Status`] if it is a final one, and what binary HTTP does not allow in its
    /// fields. Nothing is written then.
    pub fn informational(
        &mut self,
        response: &Response<()>,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        if !response.status().is_informational() {
            return Err(EncodeError::Status);
        }
        self.encoder.encodable_head(&ResponseParts::of(response), out)
    }

    /// The final response, with its body: what follows the informational ones. [`Informational`]
    /// responses in its extensions are left out.
    ///
    /// # Errors
    /// Those of [`EncodedBody::from_response`]; the encoder is returned, so that another response
    /// can be sent instead.
    ///
    /// [`Informational`]: crate::Informational
    pub fn response<B: Body>(
        mut self,
        response: Response<B>,
        padding: Padding,
    ) -> Result<EncodedBody<B>, (Self, EncodeError)> {
        let mut ready = BytesMut::new();
        match final_head(&response, &mut self.encoder, &mut ready) {
            Ok(named) => {
                Ok(EncodedBody::new(response.into_body(), self.encoder, padding, named, ready))
            }
            Err(error) => Err((self, error)),
        }
    }
}

impl Default for ResponseEncoder {
    fn default() -> Self {
        Self::new()
    }
}

fn encoder_for<B: Body>(body: &B, framing: Framing) -> Result<Encoder, EncodeError> {
    match framing {
        Framing::KnownLength => {
            let exact = body.size_hint().exact().ok_or(EncodeError::UnknownLength)?;
            Ok(Encoder::known_length(exact))
        }
        Framing::IndeterminateLength => Ok(Encoder::indeterminate_length()),
    }
}

impl<B: Body> EncodedBodyProjection<'_, B> {
    /// Encodes a frame of the inner body, or its end.
    fn encode(&mut self, frame: Option<Frame<B::Data>>) -> Result<(), EncodeError> {
        let Some(mut encoder) = self.encoder.take() else { return Ok(()) };
        let Some(frame) = frame else {
            return encoder.finish(self.padding, self.ready);
        };
        match frame.into_data() {
            Ok(mut data) => {
                let length = data.remaining();
                encoder.content_prefix(length, self.ready)?;
                if length <= COPIED {
                    self.ready.put(data);
                } else {
                    *self.data = data.copy_to_bytes(length);
                }
                *self.encoder = Some(encoder);
                Ok(())
            }
            Err(frame) => {
                // Trailers come last, so this is the end as well.
                let trailers: HeaderMap = frame.into_trailers().unwrap_or_default();
                let trailers = KeptFields::trailers(&trailers, self.named);
                encoder.encodable_trailers(&trailers, self.ready)?;
                encoder.finish(self.padding, self.ready)
            }
        }
    }
}

impl<B: Body> Body for EncodedBody<B> {
    type Data = Bytes;
    type Error = WriteError<B::Error>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut this = self.project();
        loop {
            if !this.data.is_empty() {
                // What belongs before the data goes first.
                let next = if this.ready.is_empty() {
                    std::mem::take(this.data)
                } else {
                    this.ready.split().freeze()
                };
                return Poll::Ready(Some(Ok(Frame::data(next))));
            }
            if this.encoder.is_none() {
                let last = this.ready.split().freeze();
                return Poll::Ready((!last.is_empty()).then(|| Ok(Frame::data(last))));
            }
            // A head waits only for content that is already there.
            if this.ready.len() > COPIED {
                return Poll::Ready(Some(Ok(Frame::data(this.ready.split().freeze()))));
            }
            let failure = match this.body.as_mut().poll_frame(cx) {
                Poll::Pending if this.ready.is_empty() => return Poll::Pending,
                Poll::Pending => {
                    // This tells the receiver that the head is complete.
                    if let Some(encoder) = this.encoder {
                        encoder.flush(this.ready);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(this.ready.split().freeze()))));
                }
                Poll::Ready(Some(Err(error))) => Some(WriteError::Body(error)),
                Poll::Ready(Some(Ok(frame))) => this.encode(Some(frame)).err().map(Into::into),
                Poll::Ready(None) => this.encode(None).err().map(Into::into),
            };
            if let Some(failure) = failure {
                *this.encoder = None;
                this.ready.clear();
                *this.data = Bytes::new();
                return Poll::Ready(Some(Err(failure)));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.encoder.is_none() && self.ready.is_empty() && self.data.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower((self.ready.len() + self.data.len()) as u64);
        hint
    }
}

/// Why an [`EncodedBody`] broke off. What it has produced by then is not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WriteError<E> {
    /// The inner body failed.
    #[error("the body that the message is made from failed")]
    Body(#[source] E),
    /// The inner body does not match what was announced, or its trailers cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}
