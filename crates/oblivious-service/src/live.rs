//! A value in use by many, which can be replaced while they use it.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// A handle to a value that services share and that can be replaced while they run, such as the
/// keys in use.
///
/// Clones share the value: after [`replace`](Self::replace) every holder gets the new one, and work
/// that is under way finishes with the one it took. Nothing ever waits.
#[derive(Debug)]
pub struct Live<T> {
    current: Arc<ArcSwap<T>>,
}

impl<T> Live<T> {
    /// Starts with `value`.
    pub fn new(value: T) -> Self {
        Self { current: Arc::new(ArcSwap::from_pointee(value)) }
    }

    /// The value in use now.
    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Uses `value` from now on.
    pub fn replace(&self, value: T) {
        self.current.store(Arc::new(value));
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self { current: Arc::clone(&self.current) }
    }
}

impl<T> From<T> for Live<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_holder_gets_the_new_value_and_keeps_the_one_it_took() {
        let shared = Live::new(1);
        let other = shared.clone();
        let taken = other.current();
        shared.replace(2);
        assert_eq!(*taken, 1);
        assert_eq!(*other.current(), 2);
    }

    /// Keys that were replaced must be gone once nobody uses them.
    #[test]
    fn a_replaced_value_is_dropped_with_its_last_holder() {
        let value = Arc::new(());
        let shared = Live::new(value.clone());
        let taken = shared.current();
        shared.replace(Arc::new(()));
        assert_eq!(Arc::strong_count(&value), 2);
        drop(taken);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
