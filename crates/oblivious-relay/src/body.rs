//! The bodies that pass through a relay: streamed, with a limit, and without trailers.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use oblivious_service::{BoxError, Content};
use pin_project_lite::pin_project;
use thiserror::Error;

use crate::timing::Elapsed;
use crate::under_way::{Answering, Fault, UnderWay};

/// Why a body broke off on its way through a relay.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RelayBodyError {
    /// The body is longer than the limit.
    #[error("the body is longer than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// Nothing came for longer than the limit, neither of this body nor of the other one.
    #[error("the exchange stood still for too long")]
    Stalled,
    /// The whole exchange took longer than the limit.
    #[error("the exchange took too long")]
    TooLong,
    /// The body as it came in failed, for example because its connection broke.
    #[error("the body failed")]
    Body(#[source] BoxError),
}

impl RelayBodyError {
    const fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::Stalled => "stalled",
            Self::TooLong => "too_long",
            Self::Body(_) => "broken",
        }
    }
}

impl From<Elapsed> for RelayBodyError {
    fn from(elapsed: Elapsed) -> Self {
        match elapsed {
            Elapsed::Stalled => Self::Stalled,
            Elapsed::TooLong => Self::TooLong,
        }
    }
}

pin_project! {
    /// The body of a request to a gateway: the data of the client's body, passed on as it comes.
    ///
    /// It fails with [`RelayBodyError::TooLarge`] when it exceeds the limit, so that the gateway
    /// never mistakes what it got for the whole. Trailers are left out. The relay's own requests,
    /// for keys, have an empty body.
    ///
    /// An answer may end before the request does. Then the limits on time are kept here, and it
    /// fails when one passes.
    pub struct RelayRequestBody<B> {
        #[pin]
        body: Option<B>,
        left: Left,
        // Until the end of this body.
        under_way: Option<UnderWay>,
    }
}

impl<B: Body> RelayRequestBody<B> {
    pub(crate) fn new(body: B, limit: u64, under_way: UnderWay) -> Self {
        Self { body: Some(body), left: Left::new(limit), under_way: Some(under_way) }
    }
}

impl<B> RelayRequestBody<B> {
    pub(crate) fn empty() -> Self {
        Self { body: None, left: Left::new(0), under_way: None }
    }
}

impl<B: Body> Body for RelayRequestBody<B>
where
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = RelayBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, RelayBodyError>>> {
        let this = self.project();
        let (Some(body), Some(under_way)) = (this.body.as_pin_mut(), &*this.under_way) else {
            return Poll::Ready(None);
        };
        let passed = if let Some(elapsed) = under_way.over() {
            Some(Err(elapsed.into()))
        } else if let Poll::Ready(frame) = body.poll_frame(cx) {
            pass(frame, this.left)
        } else {
            Some(Err(ready!(under_way.poll_client(cx)).into()))
        };
        match &passed {
            Some(Err(RelayBodyError::TooLarge { .. })) => under_way.failed(Fault::TooLarge),
            Some(Err(_)) => under_way.failed(Fault::Broken),
            // A frame without data is not progress: a client could send them forever at no cost.
            Some(Ok(data)) if !data.has_remaining() => {}
            Some(Ok(_)) | None => under_way.moved(),
        }
        if !matches!(passed, Some(Ok(_))) {
            *this.under_way = None;
        }
        Poll::Ready(passed.map(|result| result.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B> fmt::Debug for RelayRequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayRequestBody").finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of a relay's response: the gateway's, passed on as it comes, or a text of the
    /// relay's own.
    ///
    /// When it exceeds a limit, on bytes or on time, it fails: the client sees a response that
    /// breaks off. Layers around a relay make the bodies of their own answers from a [`Content`].
    pub struct RelayResponseBody<B> {
        #[pin]
        body: Option<B>,
        text: Content,
        left: Left,
        // Until the end of the gateway's body.
        answering: Option<Answering>,
        failed: Option<RelayBodyError>,
    }
}

impl<B> RelayResponseBody<B> {
    /// The gateway's body.
    pub(crate) fn streamed(body: B, limit: u64, answering: Answering) -> Self {
        Self {
            body: Some(body),
            text: Content::default(),
            left: Left::new(limit),
            answering: Some(answering),
            failed: None,
        }
    }
}

impl<B> From<Content> for RelayResponseBody<B> {
    fn from(text: Content) -> Self {
        Self { body: None, text, left: Left::new(0), answering: None, failed: None }
    }
}

impl<B: Body> Body for RelayResponseBody<B>
where
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = RelayBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RelayBodyError>>> {
        if let Some(error) = self.as_mut().project().failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match ready!(self.as_mut().poll_next(cx)) {
            Some(Ok(frame)) => Poll::Ready(Some(Ok(frame))),
            None => {
                // Nothing more will come. If the request is over too, so is the exchange.
                *self.project().answering = None;
                Poll::Ready(None)
            }
            Some(Err(error)) => {
                let this = self.project();
                if let Some(answering) = this.answering.take() {
                    answering.cut_off(error.reason());
                }
                // After an error a server closes the connection at once, with all that it has not
                // sent yet. So it first gets the time to send that: a client should see the answer
                // begin and then break off.
                *this.failed = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            // A body that failed must not look complete.
            _ if self.failed.is_some() => false,
            Some(body) => body.is_end_stream(),
            None => self.text.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) => body.size_hint(),
            None => self.text.size_hint(),
        }
    }
}

impl<B: Body> RelayResponseBody<B>
where
    B::Error: Into<BoxError>,
{
    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RelayBodyError>>> {
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else {
            return Pin::new(this.text).poll_frame(cx).map_err(|never| match never {});
        };
        let Some(answering) = this.answering else { return Poll::Ready(None) };
        // Checked before the data: a stream that never pauses must end at its limit too.
        if let Some(elapsed) = answering.over() {
            return Poll::Ready(Some(Err(elapsed.into())));
        }
        let Poll::Ready(frame) = body.poll_frame(cx) else {
            let elapsed = ready!(answering.poll_elapsed(cx));
            return Poll::Ready(Some(Err(elapsed.into())));
        };
        let passed = pass(frame, this.left).map(|result| {
            result.map(|mut data| {
                if data.has_remaining() {
                    answering.moved();
                }
                Frame::data(data.copy_to_bytes(data.remaining()))
            })
        });
        Poll::Ready(passed)
    }
}

impl<B> fmt::Debug for RelayResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayResponseBody").finish_non_exhaustive()
    }
}

/// What is left of a limit in bytes.
struct Left {
    limit: u64,
    left: u64,
}

impl Left {
    const fn new(limit: u64) -> Self {
        Self { limit, left: limit }
    }
}

/// The data of a frame as it came in, counted. Anything but data is the end.
fn pass<D: Buf, E: Into<BoxError>>(
    frame: Option<Result<Frame<D>, E>>,
    left: &mut Left,
) -> Option<Result<D, RelayBodyError>> {
    let data = match frame? {
        // Trailers could identify the client like any other field.
        Ok(frame) => frame.into_data().ok()?,
        Err(error) => return Some(Err(RelayBodyError::Body(error.into()))),
    };
    // A usize fits in a u64 on every platform that Rust supports.
    match left.left.checked_sub(data.remaining() as u64) {
        Some(rest) => left.left = rest,
        None => return Some(Err(RelayBodyError::TooLarge { limit: left.limit })),
    }
    Some(Ok(data))
}
