//! How long the target may take, not counting how long the client does.

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Poll, ready},
};

use oblivious_service::{Sleep, Timeout};

/// A limit on the time of a target that begins anew with each part of the request that the target
/// takes: many a target answers only what it has read to the end, and that end is the client's to
/// send.
pub(crate) struct TargetTime {
    shared: Arc<Shared>,
}

/// Begins the time of the target anew, as long as it is counted.
#[derive(Default)]
pub(crate) struct Renewal {
    shared: Weak<Shared>,
}

struct Shared {
    timeout: Timeout,
    /// The limit that has taken the place of the one that is waited for. It passes later, so there
    /// is no hurry to look at it.
    renewed: Mutex<Option<Sleep>>,
}

impl TargetTime {
    pub(crate) fn new(timeout: Timeout) -> Self {
        Self { shared: Arc::new(Shared { timeout, renewed: Mutex::default() }) }
    }

    pub(crate) fn renewal(&self) -> Renewal {
        Renewal { shared: Arc::downgrade(&self.shared) }
    }

    /// What the future returns; `None` if the limit passes first.
    pub(crate) async fn run<F: Future>(self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut sleep = self.shared.timeout.start();
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
            loop {
                ready!(sleep.as_mut().poll(cx));
                let Some(renewed) = self.shared.replace(None) else { return Poll::Ready(None) };
                sleep = renewed;
            }
        })
        .await
    }
}

impl Renewal {
    pub(crate) fn renew(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.replace(Some(shared.timeout.start()));
        }
    }
}

impl Shared {
    fn replace(&self, renewed: Option<Sleep>) -> Option<Sleep> {
        // Nothing panics under the lock.
        let mut lock = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut lock, renewed)
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewal").finish_non_exhaustive()
    }
}
