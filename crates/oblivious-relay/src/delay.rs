//! Hides which outgoing request is which incoming one by their times.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use oblivious_service::{Sleep, Timer};

use crate::random::Random;

/// Delays each request on its way to the gateway, and each answer on its way to the client, by a
/// random time up to a limit.
///
/// Anyone who watches both sides of a relay can match requests going out with those coming in by
/// their times (RFC 9458 §6.2.3). A delay only helps if it is long compared with the time between
/// requests of different clients: with a hundred requests a second, 100 ms make about ten of them
/// look alike. It does not hide sizes, which the relay cannot change: client and gateway must add
/// padding, inside the encryption.
///
/// Delayed messages are held in memory; a limit on [exchanges under
/// way](crate::Relay::concurrency_limit) bounds how much that can be.
#[derive(Clone)]
pub struct Delay {
    most: Duration,
    timer: Arc<dyn Timer>,
    random: Arc<Random>,
}

impl Delay {
    /// Waits for at most `most`, as measured by `timer`.
    pub fn up_to(most: Duration, timer: impl Timer) -> Self {
        Self { most, timer: Arc::new(timer), random: Arc::default() }
    }

    pub(crate) fn hold(&self) -> Sleep {
        self.timer.sleep(self.draw())
    }

    /// Uniform between zero and the limit.
    fn draw(&self) -> Duration {
        let nanos = u64::try_from(self.most.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.random.below(nanos))
    }
}

impl fmt::Debug for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delay").field("most", &self.most).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use oblivious_service::TokioTimer;

    use super::*;

    #[test]
    fn delays_are_spread_up_to_the_limit() {
        let most = Duration::from_millis(100);
        let delay = Delay::up_to(most, TokioTimer);
        let mut drawn: Vec<_> = (0..10_000).map(|_| delay.draw()).collect();
        drawn.sort();
        assert!(*drawn.last().unwrap() <= most);
        for (index, part) in [(1000, 10), (5000, 50), (9000, 90)] {
            let expected = Duration::from_millis(part);
            assert!(drawn[index].abs_diff(expected) < Duration::from_millis(5), "{part}");
        }
        let none = Delay::up_to(Duration::ZERO, TokioTimer);
        assert_eq!(none.draw(), Duration::ZERO);
    }
}
