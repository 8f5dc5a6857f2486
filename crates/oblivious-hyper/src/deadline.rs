//! How long the client of a connection may take.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep};

/// The limits on a head and on an exchange, of which a connection has one after the other. Both
/// have the same timer, which is set anew only when it has gone off: most heads and exchanges are
/// over long before.
pub(crate) struct Deadline {
    head: Duration,
    exchange: Duration,
    is_exchange: bool,
    /// When it began.
    since: Instant,
    timer: Pin<Box<Sleep>>,
    /// The timer wakes the task.
    is_set: bool,
}

impl Deadline {
    /// Begins with a head.
    pub(crate) fn new(head: Duration, exchange: Duration) -> Self {
        let timer = Box::pin(sleep(head.min(exchange)));
        Self { head, exchange, is_exchange: false, since: Instant::now(), timer, is_set: false }
    }

    /// The connection waits for a head from now on.
    pub(crate) fn begin_head(&mut self) {
        (self.is_exchange, self.since) = (false, Instant::now());
    }

    /// The head of a request has arrived.
    pub(crate) fn begin_exchange(&mut self) {
        (self.is_exchange, self.since) = (true, Instant::now());
    }

    /// Is ready when the time is over. To be polled in one task only, at each of its steps.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.is_set || self.timer.is_elapsed() {
            let limit = if self.is_exchange { self.exchange } else { self.head };
            let left = limit.saturating_sub(self.since.elapsed());
            if left.is_zero() {
                return Poll::Ready(());
            }
            // What begins after this moment has until after the next.
            self.timer.as_mut().reset(Instant::now() + left.min(self.head).min(self.exchange));
            // A task that has done enough for now would find the timer pending, but not be woken by
            // it later.
            let timer = pin!(unconstrained(self.timer.as_mut()));
            self.is_set = timer.poll(cx).is_pending();
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::task::coop;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_kept_by_a_task_that_was_busy_when_it_began() {
        let second = Duration::from_secs(1);
        let mut deadline = Deadline::new(second, second);
        let mut is_busy = true;
        let over = poll_fn(|cx| {
            while is_busy && let Poll::Ready(proceeds) = coop::poll_proceed(cx) {
                proceeds.made_progress();
            }
            is_busy = false;
            deadline.poll(cx)
        });
        let begin = Instant::now();
        // Wakes the task in any case.
        _ = tokio::time::timeout(9 * second, over).await;
        assert_eq!(begin.elapsed().as_secs(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_has_its_own_time() {
        let second = Duration::from_secs(1);
        let mut deadline = Deadline::new(3 * second, 10 * second);
        let waited = async |deadline: &mut Deadline| {
            let begin = Instant::now();
            poll_fn(|cx| deadline.poll(cx)).await;
            begin.elapsed().as_secs_f64().round()
        };
        assert_eq!(waited(&mut deadline).await, 3.0);
        deadline.begin_head();
        assert!(tokio::time::timeout(2 * second, waited(&mut deadline)).await.is_err());
        deadline.begin_exchange();
        assert_eq!(waited(&mut deadline).await, 10.0);
        deadline.begin_head();
        assert_eq!(waited(&mut deadline).await, 3.0);
    }
}
