//! How an exchange in chunks gets on, for all who have a part in it.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::{Body, Frame};
use oblivious_hpke::{OpeningBody, OpeningError};
use oblivious_service::{BoxError, Sleep, Timeout};

use crate::{ClientError, erased::AnyBody};

/// What upload, download and whoever waits for the answer know of each other.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// How many frames have gone out, and chunks come in.
    frames: AtomicU64,
    failure: Mutex<Option<ClientError>>,
    is_given_up: AtomicBool,
    /// Wakes the upload when the exchange is given up.
    uploading: AtomicWaker,
}

impl Progress {
    /// A frame has gone out, or a chunk come in.
    pub(crate) fn note(&self) {
        self.0.frames.fetch_add(1, Ordering::Relaxed);
    }

    fn frames(&self) -> u64 {
        self.0.frames.load(Ordering::Relaxed)
    }

    /// The upload has failed.
    pub(crate) fn fail(&self, error: ClientError) {
        *self.0.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// Why the upload failed, if it did: an exchange that fails after it has failed because of it.
    pub(crate) fn failure(&self) -> Option<ClientError> {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Ready once nobody wants the exchange any more.
    pub(crate) fn poll_given_up(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.uploading.register(cx.waker());
        match self.0.is_given_up.load(Ordering::Acquire) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Runs `future`, for as long as frames pass or the limit is not over since the last one.
    pub(crate) async fn watch<T>(
        &self,
        limit: Option<&Timeout>,
        future: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let Some(limit) = limit else { return future.await };
        let mut idle = Idle::new(limit.clone(), self.clone());
        let mut future = pin!(future);
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(output);
            }
            idle.poll_elapsed(cx).map(|()| Err(ClientError::TimedOut))
        })
        .await
    }
}

/// How long nothing may pass while something is waited for.
pub(crate) struct Idle {
    timeout: Timeout,
    progress: Progress,
    /// Runs while there is something to wait for, with the frames that had passed at its start.
    waiting: Option<(Sleep, u64)>,
}

impl Idle {
    pub(crate) fn new(timeout: Timeout, progress: Progress) -> Self {
        Self { timeout, progress, waiting: None }
    }

    /// What was waited for is there.
    pub(crate) fn reset(&mut self) {
        self.waiting = None;
    }

    /// Ready once nothing has passed for too long.
    pub(crate) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let frames = self.progress.frames();
            let (sleep, before) =
                self.waiting.get_or_insert_with(|| (self.timeout.start(), frames));
            ready!(sleep.as_mut().poll(cx));
            if *before == frames {
                return Poll::Ready(());
            }
            self.waiting = None;
        }
    }
}

/// A part of the exchange that ends with whoever holds this, wherever the transport has it.
///
/// Over HTTP/2 the transport may go on to send a request of which nobody reads the answer.
pub(crate) struct Hold(Option<Progress>);

impl Hold {
    pub(crate) fn new(progress: &Progress) -> Self {
        Self(Some(progress.clone()))
    }

    /// Lets the upload go on by itself: the answer is complete.
    pub(crate) fn release(&mut self) {
        self.0 = None;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(Progress(shared)) = &self.0 {
            shared.is_given_up.store(true, Ordering::Release);
            shared.uploading.wake();
        }
    }
}

/// A response, as it is opened. Chunks count, not bytes: one byte now and then is no progress.
pub(crate) struct Download {
    pub(crate) opening: OpeningBody<AnyBody>,
    pub(crate) progress: Progress,
}

impl Body for Download {
    type Data = Bytes;
    type Error = OpeningError<BoxError>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.opening).poll_frame(cx));
        self.progress.note();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.opening.is_end_stream()
    }
}
