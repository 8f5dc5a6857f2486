//! Memory that the connections of a thread use in turn.
//!
//! A connection needs some only while it has something to do. What it gives back serves the next
//! one, sooner than the allocator would find something of that size.

use std::cell::RefCell;

use bytes::BytesMut;

/// How many pieces a thread keeps.
const MOST: usize = 64;

thread_local! {
    pub(crate) static BYTES: Spares<BytesMut> = const { Spares(RefCell::new(Vec::new())) };
    pub(crate) static VECS: Spares<Vec<u8>> = const { Spares(RefCell::new(Vec::new())) };
}

pub(crate) struct Spares<T>(RefCell<Vec<T>>);

impl<T: Default> Spares<T> {
    /// Some memory, or none if there is none to spare.
    pub(crate) fn take(&self) -> T {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// Gives some back, which is not too large.
    pub(crate) fn keep(&self, memory: T) {
        let mut spares = self.0.borrow_mut();
        if spares.len() < MOST {
            spares.push(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_used_again_up_to_a_limit() {
        let spares = Spares(RefCell::new(Vec::new()));
        assert_eq!(spares.take(), "");
        for _ in 0..MOST + 1 {
            spares.keep("x".to_owned());
        }
        let kept = (0..=MOST).filter(|_| spares.take() == "x").count();
        assert_eq!(kept, MOST);
    }
}
