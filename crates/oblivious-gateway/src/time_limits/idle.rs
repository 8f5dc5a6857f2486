//! How long nothing has arrived.

use std::{
    fmt,
    task::{Context, Poll},
};

use oblivious_service::{Sleep, Timeout};

/// Measures how long something has been waited for.
pub(crate) struct Idle {
    timeout: Option<Timeout>,
    sleep: Option<Sleep>,
}

impl Idle {
    pub(crate) fn new(timeout: Option<Timeout>) -> Self {
        Self { timeout, sleep: None }
    }

    /// Something came.
    pub(crate) fn reset(&mut self) {
        self.sleep = None;
    }

    /// Is ready when nothing has arrived for the time limit, counted from the first call after the
    /// last reset. Without a limit it never is.
    pub(crate) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(timeout) = &self.timeout else { return Poll::Pending };
        self.sleep.get_or_insert_with(|| timeout.start()).as_mut().poll(cx)
    }
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
