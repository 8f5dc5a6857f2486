//! A limit on time.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use thiserror::Error;

use crate::{Sleep, Timer};

/// How long something may take, together with the timer that measures it.
///
/// They come together so that no limit goes unmeasured.
///
/// ```
/// use std::time::Duration;
/// # use oblivious_service::{Sleep, Timer};
/// use oblivious_service::Timeout;
/// # struct TokioTimer; // The real one stands behind a feature.
/// # impl Timer for TokioTimer {
/// #     fn sleep(&self, duration: Duration) -> Sleep { Box::pin(tokio::time::sleep(duration)) }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let timeout = Timeout::new(Duration::from_millis(1), TokioTimer);
/// assert_eq!(timeout.run(async { 42 }).await, Ok(42));
/// assert!(timeout.run(std::future::pending::<()>()).await.is_err());
/// # }
/// ```
#[derive(Clone)]
pub struct Timeout {
    limit: Duration,
    timer: Arc<dyn Timer>,
}

/// A time limit passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the time limit has passed")]
pub struct TimeoutError;

impl Timeout {
    /// A limit of `limit`, measured by `timer`.
    pub fn new(limit: Duration, timer: impl Timer) -> Self {
        Self { limit, timer: Arc::new(timer) }
    }

    /// The limit.
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// A future that is ready once the limit has passed since this call, for loops that poll by
    /// hand.
    pub fn start(&self) -> Sleep {
        self.timer.sleep(self.limit)
    }

    /// The same for what began before this call: `passed` counts as over.
    pub fn start_after(&self, passed: Duration) -> Sleep {
        self.timer.sleep(self.limit.saturating_sub(passed))
    }

    /// Runs `future` and drops it when the limit, counted from the first poll, has passed.
    ///
    /// If the future is ready when the limit passes, its result counts.
    ///
    /// # Errors
    ///
    /// [`TimeoutError`] when the limit passed first.
    pub async fn run<F: Future>(&self, future: F) -> Result<F::Output, TimeoutError> {
        let mut future = pin!(future);
        let mut sleep = self.start();
        poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            sleep.as_mut().poll(cx).map(|()| Err(TimeoutError))
        })
        .await
    }
}

impl fmt::Debug for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout").field("limit", &self.limit).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    struct Paused;

    impl Timer for Paused {
        fn sleep(&self, duration: Duration) -> Sleep {
            Box::pin(sleep(duration))
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn what_is_ready_in_time_is_returned() {
        let timeout = Timeout::new(10 * SECOND, Paused);
        assert_eq!(timeout.run(async { sleep(9 * SECOND).await }).await, Ok(()));
        assert_eq!(Timeout::new(Duration::ZERO, Paused).run(async { 1 }).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_late_is_dropped_at_the_limit() {
        let timeout = Timeout::new(10 * SECOND, Arc::new(Paused) as Arc<dyn Timer>);
        let start = Instant::now();
        let witness = Arc::new(());
        let held = witness.clone();
        let late = async move {
            let _held = held;
            sleep(11 * SECOND).await;
        };
        assert_eq!(timeout.run(late).await, Err(TimeoutError));
        assert_eq!(start.elapsed().as_secs(), 10);
        assert_eq!(Arc::strong_count(&witness), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_passed_counts() {
        let timeout = Timeout::new(10 * SECOND, Paused);
        let start = Instant::now();
        timeout.start_after(7 * SECOND).await;
        assert_eq!(start.elapsed().as_secs(), 3);
        timeout.start_after(11 * SECOND).await;
        assert_eq!(start.elapsed().as_secs(), 3);
    }

    #[cfg(feature = "tokio")]
    #[tokio::test(start_paused = true)]
    async fn the_timer_of_tokio_sleeps() {
        let start = Instant::now();
        crate::TokioTimer.sleep(3 * SECOND).await;
        assert_eq!(start.elapsed().as_secs(), 3);
    }
}
