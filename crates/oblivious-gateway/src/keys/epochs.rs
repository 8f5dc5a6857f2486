//! The arithmetic of epochs and key ids.

use oblivious_hpke::UnixSeconds;

use super::ScheduleSettings;

/// How time is divided. All lengths are in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epochs {
    /// Not zero.
    interval: u64,
    /// Less than the interval.
    skew: u64,
    max_age: u64,
    grace: u64,
}

impl Epochs {
    /// The settings have been checked.
    pub(crate) fn new(settings: &ScheduleSettings) -> Self {
        Self {
            interval: settings.interval.as_secs().max(1),
            skew: settings.skew.as_secs(),
            max_age: settings.max_age.as_secs(),
            grace: settings.grace.as_secs(),
        }
    }

    pub(crate) fn interval(&self) -> u64 {
        self.interval
    }

    /// The epoch whose keys are published at `now`.
    pub(crate) fn current(&self, now: UnixSeconds) -> u64 {
        now.0 / self.interval
    }

    /// The oldest epoch whose keys are accepted at `now`.
    pub(crate) fn oldest(&self, now: UnixSeconds) -> u64 {
        // The smallest epoch with accepted_until(epoch) >= now.
        let next_published = now - self.max_age.saturating_add(self.grace);
        next_published.0.div_ceil(self.interval).saturating_sub(1)
    }

    /// When the keys of an epoch begin to be published, until those of the next epoch are.
    pub(crate) fn published_from(&self, epoch: u64) -> UnixSeconds {
        UnixSeconds(epoch.saturating_mul(self.interval))
    }

    pub(crate) fn accepted_from(&self, epoch: u64) -> UnixSeconds {
        self.published_from(epoch) - self.skew
    }

    /// The last second for which clients keep the configurations of an epoch.
    pub(crate) fn cached_until(&self, epoch: u64) -> UnixSeconds {
        self.published_from(epoch.saturating_add(1)) + self.max_age
    }

    /// The last second at which the keys of an epoch are accepted.
    pub(crate) fn accepted_until(&self, epoch: u64) -> UnixSeconds {
        self.cached_until(epoch) + self.grace
    }

    /// The first second after `now` at which there is a key to add or to destroy.
    pub(crate) fn next_change(&self, now: UnixSeconds) -> UnixSeconds {
        let publication = self.published_from(self.current(now).saturating_add(1));
        let expiry = self.accepted_until(self.oldest(now)) + 1;
        publication.min(expiry)
    }

    /// How many epochs can have keys at the same time, including the next one.
    pub(crate) fn most_at_once(&self) -> u64 {
        let retired = self.max_age.saturating_add(self.grace) / self.interval;
        retired.saturating_add(3)
    }
}

/// The ids that are free for the keys of epochs.
#[derive(Clone, Debug)]
pub(crate) struct FreeIds(Vec<u8>);

impl FreeIds {
    pub(crate) fn without(taken: impl Fn(u8) -> bool) -> Self {
        Self((0..=u8::MAX).filter(|&id| !taken(id)).collect())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The id of the key of `epoch` that is the `index`th of `per_epoch`. As long as no more keys
    /// than there are ids are in use, no two of them have the same.
    pub(crate) fn id(&self, epoch: u64, index: usize, per_epoch: usize) -> u8 {
        let count = u128::from(epoch) * per_epoch as u128 + index as u128;
        let place = count % self.0.len() as u128;
        self.0[usize::try_from(place).expect("less than the number of ids")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Over many settings, second by second, against the definitions.
    #[test]
    fn the_arithmetic_agrees_with_the_definitions() {
        for interval in 1..7 {
            for retirement in 0..20 {
                let epochs = Epochs { interval, skew: 0, max_age: retirement, grace: 1 };
                let mut most = 0;
                for now in (0..200).map(UnixSeconds) {
                    let current = epochs.current(now);
                    assert!(epochs.published_from(current) <= now);
                    assert!(epochs.published_from(current + 1) > now);
                    let accepted = (0..=current).filter(|&e| epochs.accepted_until(e) >= now);
                    let accepted: Vec<_> = accepted.collect();
                    assert_eq!(epochs.oldest(now), accepted[0]);
                    most = most.max(accepted.len() as u64 + 1);

                    let what = |now| (epochs.oldest(now), epochs.current(now));
                    let change = epochs.next_change(now);
                    assert!(change > now);
                    assert!((now.0..change.0).all(|second| what(UnixSeconds(second)) == what(now)));
                    assert_ne!(what(change), what(now));
                }
                assert_eq!(most, epochs.most_at_once());
            }
        }
    }

    #[test]
    fn with_one_key_an_id_is_the_epoch_modulo_256() {
        let ids = FreeIds::without(|_| false);
        assert_eq!(ids.id(0, 0, 1), 0);
        assert_eq!(ids.id(255, 0, 1), 255);
        assert_eq!(ids.id(256, 0, 1), 0);
        assert_eq!(ids.id(20_482, 0, 1), 2);
        assert_eq!(ids.id(u64::MAX, 0, 1), 255);
    }

    #[test]
    fn neighbours_never_share_an_id_and_the_taken_ones_stay_free() {
        let ids = FreeIds::without(|id| [0, 7, 128].contains(&id));
        assert_eq!(ids.len(), 253);
        for start in [0, 84, 126, 20_000, u64::MAX - 200] {
            let mut seen = Vec::new();
            // 126 epochs of two keys: 252 keys, of at most 253.
            for epoch in start..start + 126 {
                seen.extend((0..2).map(|index| ids.id(epoch, index, 2)));
            }
            assert!(!seen.contains(&0) && !seen.contains(&7) && !seen.contains(&128));
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), 252, "from epoch {start}");
        }
    }

    /// No clock reading makes it overflow.
    #[test]
    fn the_end_of_time_is_no_panic() {
        let epochs = Epochs { interval: 1, skew: 0, max_age: u64::MAX, grace: u64::MAX };
        for now in [0, 1, u64::MAX - 1, u64::MAX].map(UnixSeconds) {
            assert!(epochs.oldest(now) <= epochs.current(now));
            assert!(epochs.accepted_until(epochs.current(now)) >= now);
            epochs.next_change(now);
            epochs.most_at_once();
        }
    }
}
