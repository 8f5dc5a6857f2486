//! Keeps the times at which requests come from telling which is which when they go.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oblivious_service::{Sleep, Timer};

/// Lets each request wait before it goes to the gateway, and each answer before it goes to the
/// client: for a random time, up to a limit.
///
/// Who watches both sides of a relay can tell from the times which request that goes out is the one
/// that came in (RFC 9458 §6.2.3). A delay helps only if it is long beside the time between the
/// requests of different clients: with a hundred requests a second, 100 ms make about ten of them
/// look alike. It helps nothing against sizes, which the relay cannot change: padding is for the
/// client and the gateway to add, within the encryption.
///
/// What waits is held: a limit on
/// [exchanges under way](crate::Relay::max_exchanges) bounds how much that can be.
#[derive(Clone)]
pub struct Delay {
    most: Duration,
    timer: Arc<dyn Timer>,
    /// A keyed hash of a number that goes up: nobody outside can tell what comes next.
    random: Arc<(RandomState, AtomicU64)>,
}

impl Delay {
    /// Waits for `most` at the longest, as measured by `timer`.
    pub fn up_to(most: Duration, timer: impl Timer) -> Self {
        Self { most, timer: Arc::new(timer), random: Arc::default() }
    }

    pub(crate) fn hold(&self) -> Sleep {
        self.timer.sleep(self.draw())
    }

    /// Uniform, from nothing to the limit.
    fn draw(&self) -> Duration {
        let (key, number) = &*self.random;
        let random = key.hash_one(number.fetch_add(1, Ordering::Relaxed));
        // The upper half of a product of two 64-bit numbers is less than either.
        let nanos = u64::try_from(self.most.as_nanos()).unwrap_or(u64::MAX);
        let scaled = (u128::from(random) * u128::from(nanos)) >> 64;
        Duration::from_nanos(u64::try_from(scaled).unwrap_or(nanos))
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
