//! The buckets of clients, in a table that never grows.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;

use super::client_prefix::ClientPrefix;

/// How many slots a client may be in. It is in one of them, or nowhere.
const WAYS: usize = 8;

/// A client's bucket is stored as the time when it will be full again. A client whose bucket is
/// full need not be remembered; if no slot is free, the fullest bucket is overwritten.
pub(super) struct Table {
    /// Which slots a client may use. It is keyed, so addresses cannot be chosen to share them.
    hasher: RandomState,
    sets: Box<[Mutex<Set>]>,
}

type Set = [Option<(ClientPrefix, Nanos)>; WAYS];

impl Table {
    pub(super) fn new(clients: NonZeroUsize) -> Self {
        let sets = (0..clients.get().div_ceil(WAYS)).map(|_| Mutex::default()).collect();
        Self { hasher: RandomState::new(), sets }
    }
}

impl StateStore for Table {
    type Key = ClientPrefix;

    fn measure_and_replace<T, F, E>(&self, client: &ClientPrefix, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        // Both are a usize that fits in a u64, or less than one that is.
        #[expect(clippy::cast_possible_truncation, reason = "it is less than the number of sets")]
        let index = (self.hasher.hash_one(client) % self.sets.len() as u64) as usize;
        // Nothing panics under the lock, so no entry is ever half written.
        let mut set = self.sets[index].lock().unwrap_or_else(PoisonError::into_inner);
        let own = set.iter().position(|entry| entry.is_some_and(|(other, _)| other == *client));
        let known = own.and_then(|own| set[own]).map(|(_, full)| full);
        let (outcome, full) = decide(known)?;
        let fullest = || {
            let key = |&place: &usize| set[place].map(|(_, full)| full);
            (0..WAYS).min_by_key(key).unwrap_or_default()
        };
        let place = own.unwrap_or_else(fullest);
        set[place] = Some((*client, full));
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::client_prefix::ClientPrefixes;
    use super::*;

    fn client(number: u32) -> ClientPrefix {
        ClientPrefixes::default().of(Ipv4Addr::from_bits(number).into())
    }

    /// Sets what is known of a client, and returns what was known before.
    fn put(table: &Table, number: u32, full: u64) -> Option<u64> {
        let outcome: Result<_, ()> =
            table.measure_and_replace(&client(number), |known| Ok((known, Nanos::new(full))));
        outcome.unwrap().map(|known| known.as_u64())
    }

    #[test]
    fn a_million_clients_take_no_more_room_than_a_few() {
        let table = Table::new(NonZeroUsize::new(1000).unwrap());
        for number in 0..1_000_000 {
            put(&table, number, 1);
        }
        let held: usize =
            table.sets.iter().map(|set| set.lock().unwrap().iter().flatten().count()).sum();
        assert_eq!((held, table.sets.len() * WAYS), (1000, 1000));
        assert!(size_of::<Set>() <= 40 * WAYS);
    }

    #[test]
    fn the_fullest_bucket_is_given_away() {
        let table = Table::new(NonZeroUsize::MIN);
        for number in 0..8 {
            assert_eq!(put(&table, number, 100 + u64::from(number)), None);
        }
        assert_eq!(put(&table, 7, 107), Some(107));
        assert_eq!(put(&table, 8, 200), None);
        assert_eq!(put(&table, 0, 300), None, "it was the fullest");
        assert_eq!(put(&table, 7, 107), Some(107));
    }

    #[test]
    fn who_is_refused_takes_no_place() {
        let table = Table::new(NonZeroUsize::MIN);
        let refused: Result<(), ()> = table.measure_and_replace(&client(1), |_| Err(()));
        assert_eq!(refused, Err(()));
        assert_eq!(put(&table, 1, 1), None);
    }
}
