//! How long the target may take, not counting the client's time.

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, PoisonError, Weak},
    task::{Poll, ready},
};

use oblivious_service::{Sleep, Timeout};

/// A limit on the target's time that starts again with each part of the request that the target
/// takes: many targets answer only after reading the whole request, and its end depends on the
/// client.
pub(crate) struct TargetTime {
    shared: Arc<Shared>,
}

/// Starts the target's time again, while it is counted.
#[derive(Default)]
pub(crate) struct Renewal {
    shared: Weak<Shared>,
}

struct Shared {
    timeout: Timeout,
    /// The limit that has replaced the one being awaited. It passes later, so it need not be looked
    /// at yet.
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
