//! One fetch of keys, shared by all who wait for it.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use futures_util::future::{FutureExt, Shared};
use oblivious_hpke::Recipient;

use super::KeySourceError;

/// What a request is sealed to.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) recipient: Arc<Recipient>,
    /// Counts the lists that there have been, since a sign of stale keys is about one of them.
    pub(crate) generation: u64,
}

/// [`Current`], and the fetch of what will replace it.
#[derive(Clone, Debug)]
pub(crate) struct InUse {
    pub(crate) current: Current,
    pub(crate) refresh: Option<Refresh>,
}

/// A fetch under way. It goes on while any of its clones is polled.
#[derive(Clone)]
pub(crate) struct Refresh {
    outcome: Shared<Outcome>,
}

type Outcome = Pin<Box<dyn Future<Output = Result<Current, Arc<KeySourceError>>> + Send>>;

impl Refresh {
    pub(crate) fn new(
        fetch: impl Future<Output = Result<Current, Arc<KeySourceError>>> + Send + 'static,
    ) -> Self {
        let fetch: Outcome = Box::pin(fetch);
        Self { outcome: fetch.shared() }
    }

    pub(crate) async fn wait(self) -> Result<Current, Arc<KeySourceError>> {
        self.outcome.await
    }

    /// Runs `future`, and the fetch beside it for as long as that takes.
    pub(crate) async fn beside<F: Future>(refresh: Option<Self>, future: F) -> F::Output {
        let Some(Self { mut outcome }) = refresh else { return future.await };
        let mut future = pin!(future);
        let mut is_over = false;
        poll_fn(|cx| {
            if !is_over {
                is_over = outcome.poll_unpin(cx).is_ready();
            }
            match future.as_mut().poll(cx) {
                Poll::Ready(output) => Poll::Ready(output),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }
}

impl std::fmt::Debug for Refresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refresh").finish_non_exhaustive()
    }
}
