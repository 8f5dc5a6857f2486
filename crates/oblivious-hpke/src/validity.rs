//! When a key may be used.

/// The time during which a key may be used, in seconds since the Unix epoch; it includes both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: u64,
    /// The last second.
    pub not_after: u64,
}

impl Validity {
    /// No bounds: such a key is also used where there is no clock.
    pub const ALWAYS: Self = Self { not_before: 0, not_after: u64::MAX };

    /// Whether a key may be used at a time, or without knowing the time.
    pub(crate) fn includes(&self, now: Option<u64>) -> bool {
        match now {
            Some(now) => (self.not_before..=self.not_after).contains(&now),
            None => *self == Self::ALWAYS,
        }
    }

    pub(crate) fn is_over(&self, now: u64) -> bool {
        now > self.not_after
    }
}
