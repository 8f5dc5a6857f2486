//! How long an exchange may take: in all, and while nothing moves.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use oblivious_service::{Clock, Sleep, Timeout};

/// Which limit has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elapsed {
    /// Nothing moved for too long.
    Stalled,
    /// The whole exchange took too long.
    TooLong,
}

/// The limits of one exchange, while they run. One timer measures both: it is set to whichever
/// passes first, and only when something is waited for.
pub(crate) struct Timing {
    idle: Option<Timeout>,
    deadline: Option<Deadline>,
    sleep: Option<(Sleep, Elapsed)>,
    elapsed: Option<Elapsed>,
}

impl Timing {
    pub(crate) const fn new(idle: Option<Timeout>, deadline: Option<Deadline>) -> Self {
        Self { idle, deadline, sleep: None, elapsed: None }
    }

    /// Something moved.
    pub(crate) fn moved(&mut self) {
        self.sleep = None;
    }

    /// The limit that has passed, if any. This also ends an exchange that never stands still.
    pub(crate) fn over(&self) -> Option<Elapsed> {
        let is_late = |end: &Deadline| end.left().is_zero();
        self.elapsed
            .or_else(|| self.deadline.as_ref().is_some_and(is_late).then_some(Elapsed::TooLong))
    }

    /// Is ready when a limit has passed, and ever after.
    pub(crate) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<Elapsed> {
        if let Some(elapsed) = self.elapsed {
            return Poll::Ready(elapsed);
        }
        if self.sleep.is_none() {
            self.sleep = self.start();
        }
        let Some((sleep, limit)) = &mut self.sleep else { return Poll::Pending };
        ready!(sleep.as_mut().poll(cx));
        self.elapsed = Some(*limit);
        Poll::Ready(*limit)
    }

    /// Until the first of the limits.
    fn start(&self) -> Option<(Sleep, Elapsed)> {
        let left = self.deadline.as_ref().map(Deadline::left);
        match (&self.idle, &self.deadline) {
            (Some(idle), _) if left.is_none_or(|left| idle.limit() < left) => {
                Some((idle.start(), Elapsed::Stalled))
            }
            (_, Some(deadline)) => Some((deadline.start(), Elapsed::TooLong)),
            (_, None) => None,
        }
    }
}

/// When an exchange must be over.
pub(crate) struct Deadline {
    limit: Timeout,
    clock: Arc<dyn Clock>,
    /// On the monotonic clock.
    begun: Duration,
}

impl Deadline {
    /// The end of an exchange that begins now.
    pub(crate) fn new(limit: Timeout, clock: Arc<dyn Clock>) -> Self {
        let begun = clock.uptime();
        Self { limit, clock, begun }
    }

    fn passed(&self) -> Duration {
        self.clock.uptime().saturating_sub(self.begun)
    }

    fn left(&self) -> Duration {
        self.limit.limit().saturating_sub(self.passed())
    }

    fn start(&self) -> Sleep {
        self.limit.start_after(self.passed())
    }
}
