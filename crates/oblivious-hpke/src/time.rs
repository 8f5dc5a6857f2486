//! Times, and when a key may be used.

use core::{
    fmt,
    ops::{Add, Sub},
};
#[cfg(feature = "std")]
use std::time::SystemTime;

/// A time in whole seconds since the Unix epoch, not counting leap seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(pub u64);

impl UnixSeconds {
    /// The epoch itself. Without a clock it can serve as the time, for keys that are [always
    /// valid](Validity::ALWAYS).
    pub const EPOCH: Self = Self(0);

    /// A time that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// The time of the system's clock.
    #[cfg(feature = "std")]
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// The seconds that have passed since `earlier`, 0 if it is still to come.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A time before the epoch becomes the epoch.
#[cfg(feature = "std")]
impl From<SystemTime> for UnixSeconds {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |passed| passed.as_secs()))
    }
}

/// This many seconds later; [`NEVER`](UnixSeconds::NEVER) if that is out of range.
impl Add<u64> for UnixSeconds {
    type Output = Self;

    fn add(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

/// This many seconds earlier, but not before the [epoch](UnixSeconds::EPOCH).
impl Sub<u64> for UnixSeconds {
    type Output = Self;

    fn sub(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The time during which a key may be used. It includes both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: UnixSeconds,
    /// The last second.
    pub not_after: UnixSeconds,
}

impl Validity {
    /// No bounds.
    pub const ALWAYS: Self = Self { not_before: UnixSeconds::EPOCH, not_after: UnixSeconds::NEVER };

    /// Whether a key may be used at this time.
    pub fn includes(&self, now: UnixSeconds) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    pub(crate) fn is_over(&self, now: UnixSeconds) -> bool {
        now > self.not_after
    }
}
