//! How long an exchange has stood still.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use oblivious_service::{Sleep, Timeout};

/// What the body of the request tells the code that waits for the response, which may run in
/// another task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Data of the request passed since this was last asked.
    moved: bool,
    /// The client is asked for more of the request, and has not delivered it.
    awaits_client: bool,
    fault: Option<Fault>,
    waiting: Option<Waker>,
}

/// Why the body of a request broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    TooLarge,
    Broken,
}

impl Progress {
    /// Data passed, or the body ended.
    pub(crate) fn moved(&self) {
        let mut shared = self.lock();
        shared.moved = true;
        shared.awaits_client = false;
        wake(shared);
    }

    /// The client is waited for.
    pub(crate) fn awaits_client(&self) {
        self.lock().awaits_client = true;
    }

    /// The body failed.
    pub(crate) fn failed(&self, fault: Fault) {
        let mut shared = self.lock();
        shared.fault = Some(fault);
        shared.awaits_client = false;
        wake(shared);
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        self.lock().fault
    }

    /// Whether it is the client that everyone waits for.
    pub(crate) fn is_awaiting_client(&self) -> bool {
        self.lock().awaits_client
    }

    /// Whether data passed since the last call. The task is woken when some does.
    fn take_moved(&self, cx: &Context<'_>) -> bool {
        let mut shared = self.lock();
        match &mut shared.waiting {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        std::mem::take(&mut shared.moved)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Nothing panics under the lock, and each field is valid by itself.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the waiting task, without holding the lock: a waker may run anything.
fn wake(mut shared: MutexGuard<'_, Shared>) {
    let waiting = shared.waiting.take();
    drop(shared);
    if let Some(waker) = waiting {
        waker.wake();
    }
}

/// Measures how long nothing has passed in either direction.
pub(crate) struct Idle {
    timeout: Option<Timeout>,
    sleep: Option<Sleep>,
    progress: Progress,
}

impl Idle {
    pub(crate) fn new(timeout: Option<Timeout>, progress: Progress) -> Self {
        Self { timeout, sleep: None, progress }
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Something of the response passed.
    pub(crate) fn reset(&mut self) {
        self.sleep = None;
    }

    /// Is ready when nothing has passed for the time limit. Without a limit it never is.
    ///
    /// The task is also woken when the body of the request moves or fails.
    pub(crate) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.progress.take_moved(cx) {
            self.sleep = None;
        }
        let Some(timeout) = &self.timeout else { return Poll::Pending };
        self.sleep.get_or_insert_with(|| timeout.start()).as_mut().poll(cx)
    }
}
