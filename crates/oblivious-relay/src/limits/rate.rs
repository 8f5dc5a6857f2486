//! How often a client may ask.

use std::fmt;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::{Quota, RateLimiter};
use oblivious_service::Clock;

use super::client_prefix::ClientPrefix;
use super::table::Table;

/// How many clients are remembered unless [`RateLimit::remember`] says otherwise.
const DEFAULT_REMEMBERED: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// How many requests a client may send: a token bucket for each.
///
/// A client that exceeds it gets a 429 with `Retry-After`; the others are not affected.
///
/// ```
/// use std::num::NonZeroU32;
/// use oblivious_relay::RateLimit;
///
/// // 10 a second, and up to 50 at once after a pause.
/// let ten = NonZeroU32::new(10).unwrap();
/// let limit = RateLimit::per_second(ten).burst(NonZeroU32::new(50).unwrap());
/// # let _ = limit;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    quota: Quota,
    remembered: NonZeroUsize,
}

impl RateLimit {
    /// This many requests a second, and as many at once.
    pub const fn per_second(requests: NonZeroU32) -> Self {
        Self { quota: Quota::per_second(requests), remembered: DEFAULT_REMEMBERED }
    }

    /// This many requests a minute, and as many at once.
    pub const fn per_minute(requests: NonZeroU32) -> Self {
        Self { quota: Quota::per_minute(requests), remembered: DEFAULT_REMEMBERED }
    }

    /// Lets a client that has been quiet send this many requests at once.
    #[must_use]
    pub const fn burst(mut self, requests: NonZeroU32) -> Self {
        self.quota = self.quota.allow_burst(requests);
        self
    }

    /// Remembers this many clients, rounded up to a multiple of 8; 65,536 by default. Each takes 40
    /// bytes, allocated at the start.
    ///
    /// If there are more, those closest to a full bucket are forgotten first: a client with too
    /// many requests stays remembered, and no client is refused because of others.
    #[must_use]
    pub const fn remember(mut self, clients: NonZeroUsize) -> Self {
        self.remembered = clients;
        self
    }
}

/// Applies a [`RateLimit`]. The arithmetic is that of governor: the generic cell rate algorithm.
pub(super) struct Limiter {
    limiter: RateLimiter<ClientPrefix, Table, Uptime, NoOpMiddleware<Duration>>,
}

impl Limiter {
    pub(super) fn new(limit: RateLimit, clock: Arc<dyn Clock>) -> Self {
        let table = Table::new(limit.remembered);
        Self { limiter: RateLimiter::new(limit.quota, table, Uptime(clock)) }
    }

    /// Takes a token of this client, or returns how long it takes until there is one.
    pub(super) fn check(&self, client: &ClientPrefix) -> Result<(), Duration> {
        self.limiter
            .check_key(client)
            .map_err(|not_yet| not_yet.wait_time_from(self.limiter.clock().now()))
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").finish_non_exhaustive()
    }
}

/// The time as governor reads it.
#[derive(Clone)]
struct Uptime(Arc<dyn Clock>);

impl GovernorClock for Uptime {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.uptime()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::SystemTime;

    use super::super::client_prefix::ClientPrefixes;
    use super::*;

    /// Milliseconds.
    #[derive(Default)]
    struct Manual(AtomicU64);

    impl Clock for Manual {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }

        fn uptime(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    fn client(number: u32) -> ClientPrefix {
        ClientPrefixes::default().of(Ipv4Addr::from_bits(number).into())
    }

    fn limiter(clock: &Arc<Manual>) -> Limiter {
        let limit = RateLimit::per_second(NonZeroU32::new(10).unwrap());
        Limiter::new(limit.burst(NonZeroU32::new(3).unwrap()), clock.clone())
    }

    #[test]
    fn each_client_has_a_bucket() {
        let clock = Arc::default();
        let limiter = limiter(&clock);
        for _ in 0..3 {
            assert_eq!(limiter.check(&client(1)), Ok(()));
        }
        assert_eq!(limiter.check(&client(1)), Err(Duration::from_millis(100)));
        assert_eq!(limiter.check(&client(2)), Ok(()));
        clock.0.store(100, Ordering::Relaxed);
        assert_eq!(limiter.check(&client(1)), Ok(()));
        assert!(limiter.check(&client(1)).is_err());
        clock.0.store(10_000, Ordering::Relaxed);
        for _ in 0..3 {
            assert_eq!(limiter.check(&client(1)), Ok(()));
        }
        assert!(limiter.check(&client(1)).is_err());
    }

    /// A client over the limit does not escape among very many others.
    #[test]
    fn a_crowd_does_not_wash_away_who_is_over_the_limit() {
        let clock = Arc::default();
        let limiter = limiter(&clock);
        let excessive = client(u32::MAX);
        while limiter.check(&excessive).is_ok() {}
        for number in 0..1_000_000 {
            assert_eq!(limiter.check(&client(number)), Ok(()));
        }
        assert!(limiter.check(&excessive).is_err());
    }
}
