//! The guard of a single process.

use std::{
    fmt,
    hash::Hasher,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use oblivious_hpke::UnixSeconds;
use siphasher::sip128::{Hasher128, SipHasher24};
use thiserror::Error;
use tracing::warn;

use super::{
    ReplayCheck, ReplayEntry, ReplayError, ReplayGuard, ReplayLoad, ReplayVerdict,
    shard::{Insert, NEVER, Shard, Tag, scale},
};

/// How many entries a shard is made for: the most that are searched at once, which takes about ten
/// microseconds.
const PER_SHARD: usize = 16 * 1024;

/// Remembers requests in the memory of this process, for [`GatewayLayer`](crate::GatewayLayer)s
/// whose keys no other process has.
///
/// For each request it keeps 128 bits of a keyed hash (SipHash-2-4, with a random key for each
/// guard) and the time until which it is needed. It never forgets what is still needed: when it is
/// full, requests are refused with [`ReplayError::Full`] until others expire. At 80 % it logs a
/// warning.
///
/// # How to size it
///
/// The capacity it needs is [`required_capacity`]: the highest rate of requests that open, times
/// how long each is remembered. All memory is allocated when the guard is made, about 28 bytes for
/// each request it has room for.
///
/// - Where a `Date` is required
///   ([`DatePolicy::with_required_date`](crate::DatePolicy::with_required_date)), requests are
///   remembered for at most [`DatePolicy::longest_memory`](crate::DatePolicy::longest_memory). At
///   5,000 requests/s and the default window that is 3.3 million, or 92 MB.
/// - A request without `Date` is remembered until its key retires. Where such requests are
///   accepted, use the longest time for which a key opens requests, plus the skew: with a
///   [`KeySchedule`](crate::KeySchedule) that is `interval + max_age + grace`, plus twice `skew`.
///   At 100 requests/s and the default schedule that is 9.4 million, or 262 MB.
/// - The same goes for requests dated far ahead, which are refused but remembered. Any client can
///   send them, so limit the rate in front of the gateway, or divide the capacity by the lifetime
///   of a key to find the rate that it can always withstand.
/// - If there is a key that never retires, a [`FixedKey`](crate::FixedKey) or one of a ring without
///   [`Validity`](oblivious_hpke::Validity), both are remembered forever. Then no capacity is
///   enough: in the end the guard is full, and every request is refused until the process is
///   restarted. Requiring a date leaves only requests dated ahead, which no honest client sends;
///   `RedisReplayGuard` forgets those without `Date` after its `endless_ttl`.
///
/// # Restarts
///
/// A new guard knows nothing of earlier requests. Dates before its start are therefore refused
/// ([`remembers_since`](ReplayGuard::remembers_since)), including those of clients whose clocks are
/// a little slow: they get the gateway's date and try again. If the keys survive a restart, so do
/// two kinds of copies: those of requests without `Date`, and those of requests dated after the
/// start. To stop the first, require a date; to stop both, use fresh keys or a shared guard.
///
/// ```
/// use oblivious_gateway::{DatePolicy, MemoryReplayGuard, ReplayEntry, ReplayGuard};
/// use oblivious_gateway::{ReplayCheck, ReplayVerdict, UnixSeconds};
///
/// let dates = DatePolicy::default().with_required_date(true);
/// let now = UnixSeconds::now();
/// let guard = MemoryReplayGuard::sized_for(1_000, dates.longest_memory(), now)?;
///
/// let entry = ReplayEntry {
///     enc: &[7; 32],
///     key_id: 1,
///     now,
///     remember_until: Some(now + 300),
/// };
/// let ReplayCheck::Ready(first) = guard.check_and_insert(entry) else { unreachable!() };
/// let ReplayCheck::Ready(second) = guard.check_and_insert(entry) else { unreachable!() };
/// assert_eq!(first, Ok(ReplayVerdict::Fresh));
/// assert_eq!(second, Ok(ReplayVerdict::Seen));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MemoryReplayGuard {
    shards: Vec<Padded>,
    hasher: SipHasher24,
    capacity: usize,
    started: UnixSeconds,
    entries: AtomicUsize,
    /// Whether the warning has been logged since the limit was crossed.
    warned: AtomicBool,
}

/// A lock in its own cache lines, so that shards do not slow each other down.
#[repr(align(128))]
struct Padded(Mutex<Shard>);

impl MemoryReplayGuard {
    /// A guard for `capacity` requests that remembers since `started`, the time now.
    ///
    /// More than 16,384 requests are spread over several tables. Since they never fill quite
    /// evenly, each has some spare room: the guard then refuses at slightly more than its capacity,
    /// at most 5 %.
    ///
    /// # Errors
    ///
    /// [`CapacityError`] if the capacity is 0, if there is not enough memory, or if the operating
    /// system's random number generator fails.
    pub fn new(capacity: usize, started: UnixSeconds) -> Result<Self, CapacityError> {
        let plan = Plan::new(capacity)?;
        let no_memory = CapacityError::NoMemory { capacity };
        let mut shards = Vec::new();
        shards.try_reserve_exact(plan.shards).map_err(|_| no_memory)?;
        for _ in 0..plan.shards {
            shards.push(Padded(Mutex::new(Shard::new(plan.limit).ok_or(no_memory)?)));
        }
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(|_| CapacityError::NoRandomness)?;
        Ok(Self {
            shards,
            hasher: SipHasher24::new_with_key(&key),
            capacity,
            started,
            entries: AtomicUsize::new(0),
            warned: AtomicBool::new(false),
        })
    }

    /// A guard with the [`required_capacity`] for `rate` requests per second, each remembered for
    /// `kept`. It remembers since `started`, the time now.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn sized_for(
        rate: u64,
        kept: Duration,
        started: UnixSeconds,
    ) -> Result<Self, CapacityError> {
        Self::new(required_capacity(rate, kept), started)
    }

    /// Whether there is room for `rate` requests per second, each remembered for `kept`: a check at
    /// start for a capacity that is configured by hand.
    ///
    /// # Errors
    ///
    /// [`CapacityError::TooSmall`] if there is not.
    pub fn check_capacity(&self, rate: u64, kept: Duration) -> Result<(), CapacityError> {
        let required = required_capacity(rate, kept);
        if self.capacity < required {
            return Err(CapacityError::TooSmall { capacity: self.capacity, required });
        }
        Ok(())
    }

    fn insert(&self, entry: ReplayEntry<'_>) -> Result<ReplayVerdict, ReplayError> {
        let tag = self.tag(&entry);
        let now = self.moment(entry.now);
        // What expired only a moment ago may still be sent twice at the same time.
        let deadline = entry.remember_until.map_or(NEVER, |until| self.moment(until).max(now));
        let Padded(shard) = &self.shards[scale(tag[3], self.shards.len())];
        // A shard is consistent between calls, and no call panics.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let before = shard.len();
        let outcome = shard.insert(tag, deadline, now);
        let after = shard.len();
        drop(shard);
        self.count(before, after);
        match outcome {
            Insert::Fresh => Ok(ReplayVerdict::Fresh),
            Insert::Seen => Ok(ReplayVerdict::Seen),
            Insert::Full => Err(ReplayError::Full),
        }
    }

    #[allow(clippy::cast_possible_truncation, reason = "the words of a hash")]
    fn tag(&self, entry: &ReplayEntry<'_>) -> Tag {
        let mut hasher = self.hasher;
        // In this order, since the hash takes 8 bytes at a time.
        hasher.write(entry.enc);
        hasher.write(&[entry.key_id]);
        let hash = hasher.finish128().as_u128();
        [hash as u32, (hash >> 32) as u32, (hash >> 64) as u32, (hash >> 96) as u32]
    }

    /// Seconds since the start, from 1. After 136 years it stays at its maximum.
    fn moment(&self, time: UnixSeconds) -> u32 {
        let elapsed = u32::try_from(time.since(self.started)).unwrap_or(NEVER);
        elapsed.saturating_add(1).min(NEVER - 1)
    }

    /// Keeps the total, and warns when it crosses 80 % of the capacity; again only after it has
    /// been below 70 %.
    fn count(&self, before: usize, after: usize) {
        let total = if after > before {
            self.entries.fetch_add(after - before, Ordering::Relaxed) + (after - before)
        } else if after < before {
            self.entries.fetch_sub(before - after, Ordering::Relaxed) - (before - after)
        } else {
            return;
        };
        let (total, capacity) = (total as u64, self.capacity as u64);
        if !self.warned.load(Ordering::Relaxed) {
            if total * 10 >= capacity * 8 && !self.warned.swap(true, Ordering::Relaxed) {
                warn!(
                    entries = total,
                    capacity, "the replay guard is nearly full: once it is, requests are refused"
                );
            }
        } else if total * 10 < capacity * 7 {
            self.warned.store(false, Ordering::Relaxed);
        }
    }
}

impl ReplayGuard for MemoryReplayGuard {
    fn check_and_insert(&self, entry: ReplayEntry<'_>) -> ReplayCheck {
        ReplayCheck::Ready(self.insert(entry))
    }

    fn remembers_since(&self) -> Option<UnixSeconds> {
        Some(self.started)
    }

    fn load(&self) -> Option<ReplayLoad> {
        let entries = self.entries.load(Ordering::Relaxed);
        Some(ReplayLoad { entries, capacity: self.capacity })
    }
}

impl fmt::Debug for MemoryReplayGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReplayGuard")
            .field("entries", &self.entries)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

/// How a capacity is split into shards.
struct Plan {
    shards: usize,
    limit: usize,
}

impl Plan {
    fn new(capacity: usize) -> Result<Self, CapacityError> {
        if capacity == 0 {
            return Err(CapacityError::Zero);
        }
        let shards = capacity.div_ceil(PER_SHARD);
        let mean = capacity.div_ceil(shards);
        // Six standard deviations of how unevenly a uniform hash fills the shards.
        let spare = if shards == 1 { 0 } else { 6 * mean.isqrt() };
        let plan = Self { shards, limit: mean + spare };
        let fits = Shard::bytes(plan.limit).and_then(|bytes| bytes.checked_mul(shards)).is_some();
        if fits { Ok(plan) } else { Err(CapacityError::NoMemory { capacity }) }
    }
}

/// How many requests a guard must have room for: `rate` requests per second, each remembered for
/// `kept`. Rounded up, and at most `usize::MAX`.
///
/// For `kept` see [how to size a guard](MemoryReplayGuard#how-to-size-it).
pub fn required_capacity(rate: u64, kept: Duration) -> usize {
    let nanoseconds = u128::from(rate).saturating_mul(kept.as_nanos());
    usize::try_from(nanoseconds.div_ceil(1_000_000_000)).unwrap_or(usize::MAX)
}

/// A guard of this capacity cannot be made, or is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CapacityError {
    /// A guard without room would refuse every request.
    #[error("a replay guard needs room for at least one request")]
    Zero,
    /// There is not enough memory.
    #[error(
        "there is not enough memory for a replay guard of {capacity} requests, which takes about \
         28 bytes for each: give it less room"
    )]
    NoMemory {
        /// The capacity that was asked for.
        capacity: usize,
    },
    /// The rate fills the guard before requests expire.
    #[error(
        "a replay guard of {capacity} requests is too small: this rate and time to remember need \
         {required}"
    )]
    TooSmall {
        /// The capacity that the guard has.
        capacity: usize,
        /// The capacity that it needs.
        required: usize,
    },
    /// The key of the hash could not be drawn.
    #[error("the operating system's random number generator failed; no replay guard was made")]
    NoRandomness,
}
