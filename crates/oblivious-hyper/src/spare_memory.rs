//! Memory that the connections of a thread use in turn.
//!
//! A connection needs some only while it has something to do. What it gives back serves the next
//! one, sooner than the allocator would find something of that size.

use std::cell::RefCell;

#[cfg(feature = "server")]
use bytes::BytesMut;
use http::HeaderMap;

/// How many pieces a thread keeps.
const MOST: usize = 64;

/// For how many fields a header that is kept may have room.
const MOST_FIELDS: usize = 32;

thread_local! {
    #[cfg(feature = "server")]
    pub(crate) static BYTES: Spares<BytesMut> = const { Spares(RefCell::new(Vec::new())) };
    #[cfg(feature = "server")]
    pub(crate) static VECS: Spares<Vec<u8>> = const { Spares(RefCell::new(Vec::new())) };
    static HEADERS: Spares<HeaderMap> = const { Spares(RefCell::new(Vec::new())) };
}

/// An empty header.
pub(crate) fn take_headers() -> HeaderMap {
    HEADERS.with(Spares::take)
}

/// Gives back a header that nobody needs any more.
pub(crate) fn keep_headers(mut headers: HeaderMap) {
    headers.clear();
    if (1..=MOST_FIELDS).contains(&headers.capacity()) {
        HEADERS.with(|spares| spares.keep(headers));
    }
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

    #[test]
    fn a_header_is_given_back_empty_and_if_it_is_not_large() {
        let with_fields = |count| -> HeaderMap {
            let name = |number| format!("x-{number}").parse().unwrap();
            (0..count).map(|number| (name(number), http::HeaderValue::from_static("y"))).collect()
        };
        keep_headers(with_fields(3));
        let again = take_headers();
        assert!(again.is_empty() && again.capacity() >= 3);
        keep_headers(with_fields(MOST_FIELDS + 1));
        assert_eq!(take_headers().capacity(), 0);
    }
}
