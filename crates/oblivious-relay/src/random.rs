//! Random numbers, without a generator of cryptographic quality among the dependencies.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// A keyed hash of a counter: nobody outside can predict the next value.
#[derive(Debug, Default)]
pub(crate) struct Random {
    key: RandomState,
    drawn: AtomicU64,
}

impl Random {
    /// Uniform between zero and `end`, which it is less than, unless that is zero.
    pub(crate) fn below(&self, end: u64) -> u64 {
        let random = self.key.hash_one(self.drawn.fetch_add(1, Ordering::Relaxed));
        // The upper half of a product of two 64-bit numbers is less than either.
        let scaled = (u128::from(random) * u128::from(end)) >> 64;
        u64::try_from(scaled).unwrap_or_default()
    }

    /// Puts them into an order that is as likely as any other.
    pub(crate) fn shuffle<T>(&self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            // Both are a usize, or less than one.
            #[expect(clippy::cast_possible_truncation, reason = "it is not more than `last`")]
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread() {
        let random = Random::default();
        let mut drawn: Vec<_> = (0..10_000).map(|_| random.below(1000)).collect();
        drawn.sort_unstable();
        assert!(*drawn.last().unwrap() < 1000);
        for (index, expected) in [(1000, 100), (5000, 500), (9000, 900)] {
            assert!(drawn[index].abs_diff(expected) < 50, "{index}: {}", drawn[index]);
        }
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn every_order_is_as_likely() {
        let random = Random::default();
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..6000 {
            let mut items = [1, 2, 3];
            random.shuffle(&mut items);
            *counts.entry(items).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|&count| (800..1200).contains(&count)), "{counts:?}");
        random.shuffle::<u8>(&mut []);
    }
}
