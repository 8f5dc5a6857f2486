//! A request in chunks, on its way out.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use oblivious_bhttp::{EncodedBody, WriteError};
use oblivious_hpke::{SealingBody, SealingError};
use oblivious_service::{BoxError, Timeout};
use thiserror::Error;

use crate::{ClientError, erased::Erased};

/// A sealed request, as the transport reads it.
pub(crate) struct Upload<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    sealed: SealingBody<EncodedBody<Erased<B>>>,
    progress: Progress,
}

/// How far an upload has come, for whoever waits for the answer.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<Shared>);

#[derive(Default)]
struct Shared {
    frames: AtomicU64,
    failure: Mutex<Option<ClientError>>,
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
        Self { sealed, progress }
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
        let frame = ready!(Pin::new(&mut self.sealed).poll_frame(cx));
        self.progress.0.frames.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(frame.map(|frame| {
            frame.map_err(|error| {
                self.progress.fail(match error {
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
        self.sealed.is_end_stream()
    }
}

impl Progress {
    fn fail(&self, error: ClientError) {
        *self.0.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// Why the upload failed, if it did: an exchange that fails after it has failed because of it.
    pub(crate) fn failure(&self) -> Option<ClientError> {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Runs `future`, for as long as frames go out or the limit has not passed since the last one.
    pub(crate) async fn watch<T>(
        &self,
        limit: Option<&Timeout>,
        future: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let Some(limit) = limit else { return future.await };
        let frames = || self.0.frames.load(Ordering::Relaxed);
        let mut future = pin!(future);
        let (mut sleep, mut seen) = (limit.start(), frames());
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            loop {
                ready!(sleep.as_mut().poll(cx));
                if std::mem::replace(&mut seen, frames()) == frames() {
                    return Poll::Ready(Err(ClientError::TimedOut));
                }
                sleep = limit.start();
            }
        })
        .await
    }
}
