//! A set of hashes that expire, with a size that never changes.
//!
//! Open addressing with linear probing, where a removal closes the gap that it leaves. A general
//! hash table will not do: under many removals it grows or rehashes at unpredictable times, and
//! neither its memory nor its pauses are bounded.

/// How many calls there are from one sweep for expired entries to the next. Sweeping every time
/// would touch uncached memory every time.
const SWEEP_EVERY: u32 = 16;
/// How many slots a sweep looks at: 2.5 KiB in a row.
const SWEEP: usize = 128;

/// The deadline of an entry that never expires.
pub(super) const NEVER: u32 = u32::MAX;

/// Whether an entry was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Insert {
    Fresh,
    Seen,
    Full,
}

/// A keyed hash, in four words. The first chooses the slot, the last the shard.
pub(super) type Tag = [u32; 4];

#[derive(Clone, Copy)]
struct Slot {
    tag: Tag,
    /// The last moment at which the entry is needed; 0 in an empty slot.
    deadline: u32,
}

impl Slot {
    const EMPTY: Self = Self { tag: [0; 4], deadline: 0 };

    fn is_empty(&self) -> bool {
        self.deadline == 0
    }

    fn is_expired(&self, now: u32) -> bool {
        !self.is_empty() && self.deadline < now
    }
}

/// Holds up to a fixed number of entries. Times are at least 1 and count in any unit.
pub(super) struct Shard {
    slots: Vec<Slot>,
    limit: usize,
    len: usize,
    /// Where the sweep goes on.
    hand: usize,
    /// How many calls there were since the last sweep.
    calls: u32,
    /// No entry expires before this moment has passed.
    earliest: u32,
}

impl Shard {
    /// How many bytes a shard for `limit` entries allocates. `None` if that overflows.
    pub(super) fn bytes(limit: usize) -> Option<usize> {
        Self::slots(limit)?.checked_mul(size_of::<Slot>())
    }

    /// A third more slots than entries keeps the probes short, and one slot always stays empty to
    /// end them.
    fn slots(limit: usize) -> Option<usize> {
        let slots = limit.checked_add(limit / 3)?.checked_add(1)?;
        u32::try_from(slots).is_ok().then_some(slots)
    }

    /// A shard for `limit` entries, with all the memory that it will ever have. `None` if there is
    /// not enough.
    pub(super) fn new(limit: usize) -> Option<Self> {
        let count = Self::slots(limit)?;
        let mut slots = Vec::new();
        slots.try_reserve_exact(count).ok()?;
        slots.resize(count, Slot::EMPTY);
        Some(Self { slots, limit, len: 0, hand: 0, calls: 0, earliest: NEVER })
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds an entry that is needed up to and with `deadline`, unless it is there.
    pub(super) fn insert(&mut self, tag: Tag, deadline: u32, now: u32) -> Insert {
        self.calls = self.calls.saturating_add(1);
        if self.calls >= SWEEP_EVERY && self.earliest < now {
            self.calls = 0;
            self.sweep(now);
        }
        let mut place = match self.find(tag, now) {
            Found::Live => return Insert::Seen,
            Found::Reusable(at) => return self.put(at, tag, deadline),
            Found::Absent(at) => at,
        };
        if self.len >= self.limit {
            if now <= self.earliest {
                return Insert::Full;
            }
            self.sweep_all(now);
            if self.len >= self.limit {
                return Insert::Full;
            }
            // Gaps have been closed, so the place has changed.
            if let Found::Absent(at) = self.find(tag, now) {
                place = at;
            }
        }
        self.len += 1;
        self.put(place, tag, deadline)
    }

    fn put(&mut self, at: usize, tag: Tag, deadline: u32) -> Insert {
        self.slots[at] = Slot { tag, deadline };
        self.earliest = self.earliest.min(deadline);
        Insert::Fresh
    }

    fn find(&self, tag: Tag, now: u32) -> Found {
        let mut reusable = None;
        let mut at = self.home(tag);
        loop {
            let slot = &self.slots[at];
            if slot.is_empty() {
                return reusable.map_or(Found::Absent(at), Found::Reusable);
            }
            if slot.is_expired(now) {
                reusable = reusable.or(Some(at));
            } else if slot.tag == tag {
                return Found::Live;
            }
            at = self.after(at);
        }
    }

    /// Looks for expired entries, from where the last sweep ended.
    fn sweep(&mut self, now: u32) {
        for _ in 0..SWEEP {
            if self.slots[self.hand].is_expired(now) {
                // Another entry may have moved here: look again.
                self.remove(self.hand);
            } else {
                self.hand = self.after(self.hand);
            }
        }
    }

    /// Removes all expired entries, and learns when the next one expires. Until then there is
    /// nothing to find, so that a full shard does this at most twice in any unit of time.
    fn sweep_all(&mut self, now: u32) {
        self.earliest = NEVER;
        let mut at = 0;
        while at < self.slots.len() {
            let slot = self.slots[at];
            if slot.is_expired(now) {
                self.remove(at);
                continue;
            }
            if !slot.is_empty() {
                self.earliest = self.earliest.min(slot.deadline);
            }
            at += 1;
        }
    }

    /// Empties a slot and moves what probed past it, so that no probe ends too early.
    fn remove(&mut self, at: usize) {
        let mut gap = at;
        let mut next = self.after(gap);
        while !self.slots[next].is_empty() {
            let home = self.home(self.slots[next].tag);
            if self.distance(home, next) >= self.distance(gap, next) {
                self.slots[gap] = self.slots[next];
                gap = next;
            }
            next = self.after(next);
        }
        self.slots[gap] = Slot::EMPTY;
        self.len -= 1;
    }

    /// Where the probe for a tag begins.
    fn home(&self, tag: Tag) -> usize {
        scale(tag[0], self.slots.len())
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    /// How many steps a probe takes between two slots.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from { to - from } else { to + self.slots.len() - from }
    }
}

/// Where an entry is or could go.
enum Found {
    Live,
    /// The slot of an expired entry.
    Reusable(usize),
    /// An empty slot.
    Absent(usize),
}

/// Spreads a uniform word over `0..count`, for counts below 2^32.
#[allow(clippy::cast_possible_truncation, reason = "the result is less than count")]
pub(super) fn scale(word: u32, count: usize) -> usize {
    ((u64::from(word) * count as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Every entry is reached by a probe from its home, and the count is right.
    fn check(shard: &Shard) {
        let mut entries = 0;
        for slot in shard.slots.iter().filter(|slot| !slot.is_empty()) {
            entries += 1;
            assert!(matches!(shard.find(slot.tag, 0), Found::Live));
            assert!(slot.deadline >= shard.earliest);
        }
        assert_eq!(entries, shard.len);
        assert!(shard.len <= shard.limit);
    }

    #[test]
    fn a_full_shard_makes_room_as_soon_as_an_entry_expires() {
        let mut shard = Shard::new(3).unwrap();
        for id in 1..=3 {
            assert_eq!(shard.insert([0, 0, 0, id], 10 * id, 1), Insert::Fresh);
        }
        assert_eq!(shard.insert([0, 0, 0, 4], 99, 10), Insert::Full);
        assert_eq!(shard.insert([0, 0, 0, 1], 99, 10), Insert::Seen);
        assert_eq!(shard.insert([0, 0, 0, 4], 99, 11), Insert::Fresh);
        assert_eq!(shard.insert([0, 0, 0, 5], 99, 20), Insert::Full);
        assert_eq!(shard.insert([0, 0, 0, 5], NEVER, 21), Insert::Fresh);
        assert_eq!(shard.insert([0, 0, 0, 6], 99, NEVER - 1), Insert::Fresh);
        assert_eq!(shard.insert([0, 0, 0, 5], NEVER, NEVER - 1), Insert::Seen);
        check(&shard);
    }

    #[test]
    fn a_shard_too_large_is_none() {
        assert!(Shard::new(usize::MAX).is_none());
        assert!(Shard::new(u32::MAX as usize).is_none());
        assert_eq!(Shard::bytes(3), Some(5 * 20));
    }

    proptest! {
        /// Against a map that forgets at once. Homes are few, and next to the end of the table,
        /// so that probes are long and go round it.
        #[test]
        fn it_behaves_like_a_map_that_expires(
            limit in 1_usize..40,
            calls in prop::collection::vec(
                (prop_oneof![Just(0), Just(u32::MAX / 2), Just(u32::MAX), any::<u32>()],
                 0_u32..50, 0_u32..30, 0_u32..4),
                1..600,
            ),
        ) {
            let mut shard = Shard::new(limit).unwrap();
            let mut model: HashMap<Tag, u32> = HashMap::new();
            let mut now = 1;
            for (home, id, lifetime, passed) in calls {
                now += passed;
                let tag = [home, 0, 0, id];
                let deadline = if lifetime == 29 { NEVER } else { now + lifetime };
                model.retain(|_, deadline| *deadline >= now);
                let expected = if model.contains_key(&tag) {
                    Insert::Seen
                } else if model.len() == limit {
                    Insert::Full
                } else {
                    model.insert(tag, deadline);
                    Insert::Fresh
                };
                prop_assert_eq!(shard.insert(tag, deadline, now), expected);
                check(&shard);
            }
        }
    }
}
