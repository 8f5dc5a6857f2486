//! A request in chunks, on its way out.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use oblivious_bhttp::{EncodedBody, WriteError};
use oblivious_hpke::{SealingBody, SealingError};
use oblivious_service::BoxError;
use thiserror::Error;

use crate::{ClientError, erased::Erased, progress::Progress};

/// A sealed request, as the transport reads it.
pub(crate) struct Upload<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// `None` once it has failed or been given up.
    sealed: Option<SealingBody<EncodedBody<Erased<B>>>>,
    progress: Progress,
}

/// What the transport is told; the caller learns what really happened.
#[derive(Clone, Copy, Debug, Error)]
#[error("the body of the encapsulated request failed")]
struct UploadError;

impl<B> Upload<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    pub(crate) fn new(sealed: SealingBody<EncodedBody<Erased<B>>>, progress: Progress) -> Self {
        Self { sealed: Some(sealed), progress }
    }
}

impl<B> Body for Upload<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some(sealed) = &mut this.sealed else { return Poll::Ready(None) };
        // Without its end the request is incomplete, which is how the gateway learns of it.
        if this.progress.poll_given_up(cx).is_ready() {
            this.sealed = None;
            return Poll::Ready(Some(Err(UploadError.into())));
        }
        let Poll::Ready(frame) = Pin::new(sealed).poll_frame(cx) else { return Poll::Pending };
        this.progress.note();
        Poll::Ready(frame.map(|frame| {
            frame.map_err(|error| {
                this.sealed = None;
                this.progress.fail(match error {
                    SealingError::Body(WriteError::Body(error)) => ClientError::RequestBody(error),
                    SealingError::Body(WriteError::Encode(error)) => error.into(),
                    SealingError::Seal(error) => error.into(),
                    // Neither enum has more variants today.
                    _ => ClientError::RequestBody("the body failed".into()),
                });
                UploadError.into()
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.sealed.as_ref().is_none_or(Body::is_end_stream)
    }
}
