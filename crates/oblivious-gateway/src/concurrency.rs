//! How many exchanges are under way.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;

/// Counts exchanges, and refuses those beyond a limit.
#[derive(Clone, Debug)]
pub(crate) struct Concurrency {
    limit: usize,
    under_way: Arc<AtomicUsize>,
}

/// An exchange that is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    under_way: Arc<AtomicUsize>,
}

impl Concurrency {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, under_way: Arc::default() }
    }

    /// Counts one more exchange; `None` if the limit is reached.
    pub(crate) fn enter(&self) -> Option<Permit> {
        let before = self.under_way.fetch_add(1, Ordering::Relaxed);
        // Made before the check, so that dropping it undoes the addition.
        let permit = Permit { under_way: Arc::clone(&self.under_way) };
        metrics::gauge!(IN_FLIGHT).increment(1.0);
        (before < self.limit).then_some(permit)
    }
}

impl Permit {
    /// The same bytes, and an exchange that is counted until they are dropped.
    ///
    /// A server drops a body as soon as it has taken the last bytes from it, but the bytes only
    /// once they are sent, so the bytes must hold the permit.
    pub(crate) fn held_by(self, data: Bytes) -> Bytes {
        Bytes::from_owner(Counted { data, _permit: self })
    }
}

/// Bytes that stand for an exchange under way.
struct Counted {
    data: Bytes,
    _permit: Permit,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

const IN_FLIGHT: &str = crate::observe::IN_FLIGHT;

impl Drop for Permit {
    fn drop(&mut self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        metrics::gauge!(IN_FLIGHT).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_permit_is_dropped() {
        let concurrency = Concurrency::new(2);
        let first = concurrency.enter().unwrap();
        let _second = concurrency.clone().enter().unwrap();
        assert!(concurrency.enter().is_none());
        assert!(concurrency.enter().is_none(), "what was refused takes no place");
        drop(first);
        assert!(concurrency.enter().is_some());
    }
}
