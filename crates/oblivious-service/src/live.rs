//! A value in use by many, which can be replaced while they use it.

use std::sync::{Arc, PoisonError, RwLock};

/// A handle to a value that services share and that can be replaced while they run, such as the
/// keys in use.
///
/// Clones share the value: after [`replace`](Self::replace) every holder gets the new one, and who
/// is in the middle of something finishes with the one it took.
#[derive(Debug)]
pub struct Live<T> {
    current: Arc<RwLock<Arc<T>>>,
}

impl<T> Live<T> {
    /// Starts with `value`.
    pub fn new(value: T) -> Self {
        Self { current: Arc::new(RwLock::new(Arc::new(value))) }
    }

    /// The value in use now.
    pub fn current(&self) -> Arc<T> {
        // A panic elsewhere cannot leave an `Arc` half replaced.
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Uses `value` from now on.
    pub fn replace(&self, value: T) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
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

    #[test]
    fn a_holder_that_panicked_stops_nobody() {
        let shared = Live::new(1);
        let other = shared.clone();
        let panicked = std::thread::spawn(move || {
            let _guard = other.current.write().unwrap();
            panic!("while holding the lock");
        });
        assert!(panicked.join().is_err());
        shared.replace(2);
        assert_eq!(*shared.current(), 2);
    }
}
