//! How many exchanges are under way: of all clients, and of each.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, RandomState};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::client_prefix::ClientPrefix;

/// Enough tables that threads seldom wait for each other.
const SHARDS: usize = 16;

/// What an exchange has been let in on. It is counted until this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Permits {
    pub(super) of_client: Option<ClientPermit>,
    pub(super) of_all: Option<Permit>,
}

/// Counts the exchanges of all.
#[derive(Clone, Debug)]
pub(super) struct Concurrency {
    most: usize,
    under_way: Arc<AtomicUsize>,
}

#[derive(Debug)]
pub(super) struct Permit {
    under_way: Arc<AtomicUsize>,
}

impl Concurrency {
    pub(super) fn new(most: NonZeroUsize) -> Self {
        Self { most: most.get(), under_way: Arc::default() }
    }

    pub(super) fn enter(&self) -> Option<Permit> {
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        // Made before the check, so that dropping it undoes the addition.
        let permit = Permit { under_way: Arc::clone(&self.under_way) };
        (before < self.most).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts the exchanges of each client. Only clients that have any take room.
#[derive(Clone, Debug)]
pub(super) struct PerClient {
    most: u32,
    tables: Arc<Tables>,
}

#[derive(Debug)]
struct Tables {
    /// Which table a client is in. It is keyed, so addresses cannot be chosen to fall into one.
    hasher: RandomState,
    shards: [Mutex<HashMap<ClientPrefix, u32>>; SHARDS],
}

#[derive(Debug)]
pub(super) struct ClientPermit {
    tables: Arc<Tables>,
    client: ClientPrefix,
}

impl PerClient {
    pub(super) fn new(most: NonZeroU32) -> Self {
        let tables = Tables { hasher: RandomState::new(), shards: Default::default() };
        Self { most: most.get(), tables: Arc::new(tables) }
    }

    pub(super) fn enter(&self, client: ClientPrefix) -> Option<ClientPermit> {
        let mut table = self.tables.of(&client);
        let under_way = table.entry(client).or_default();
        if *under_way >= self.most {
            return None;
        }
        *under_way += 1;
        drop(table);
        Some(ClientPermit { tables: Arc::clone(&self.tables), client })
    }
}

impl Tables {
    fn of(&self, client: &ClientPrefix) -> MutexGuard<'_, HashMap<ClientPrefix, u32>> {
        let shard = self.hasher.hash_one(client) % SHARDS as u64;
        #[expect(clippy::cast_possible_truncation, reason = "it is less than SHARDS")]
        let table = &self.shards[shard as usize];
        // Nothing panics under the lock but an allocation that fails.
        table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ClientPermit {
    fn drop(&mut self) {
        let mut table = self.tables.of(&self.client);
        let Entry::Occupied(mut entry) = table.entry(self.client) else { return };
        *entry.get_mut() -= 1;
        if *entry.get() == 0 {
            entry.remove();
            // Memory is released once many clients have left.
            if table.capacity() > 1024 && table.len() < table.capacity() / 8 {
                table.shrink_to_fit();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::client_prefix::ClientPrefixes;
    use super::*;

    fn client(number: u32) -> ClientPrefix {
        ClientPrefixes::default().of(std::net::Ipv4Addr::from_bits(number).into())
    }

    #[test]
    fn a_place_is_free_again_when_its_permit_is_dropped() {
        let concurrency = Concurrency::new(NonZeroUsize::new(2).unwrap());
        let first = concurrency.enter().unwrap();
        let _second = concurrency.clone().enter().unwrap();
        assert!(concurrency.enter().is_none());
        assert!(concurrency.enter().is_none(), "what was refused takes no place");
        drop(first);
        assert!(concurrency.enter().is_some());
    }

    #[test]
    fn each_client_has_places_of_its_own() {
        let per_client = PerClient::new(NonZeroU32::new(2).unwrap());
        let first = per_client.enter(client(1)).unwrap();
        let _second = per_client.clone().enter(client(1)).unwrap();
        assert!(per_client.enter(client(1)).is_none());
        assert!(per_client.enter(client(2)).is_some());
        drop(first);
        assert!(per_client.enter(client(1)).is_some());
    }

    #[test]
    fn clients_that_are_gone_take_no_room() {
        let per_client = PerClient::new(NonZeroU32::MIN);
        let held: Vec<_> = (0..100_000).map(|n| per_client.enter(client(n)).unwrap()).collect();
        drop(held);
        for shard in &per_client.tables.shards {
            let table = shard.lock().unwrap();
            assert_eq!(table.len(), 0);
            assert!(table.capacity() <= 2048, "{}", table.capacity());
        }
    }
}
