//! The bytes that were pushed into a decoder and have not been taken out yet.

use alloc::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use oblivious_wire::VarInt;

/// Pushed pieces, whose front can be viewed as one slice.
///
/// Whatever lies within one piece comes out as a slice of it. Only what spans pieces is copied, and
/// only as many bytes as the caller says belong together.
///
/// `Debug` shows only the length.
#[derive(Default)]
pub(crate) struct Input {
    front: Bytes,
    queue: VecDeque<Bytes>,
    /// The start of something that spans pieces; comes before `front`.
    carry: BytesMut,
    ended: bool,
}

impl core::fmt::Debug for Input {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let queued = self.queue.iter().map(Bytes::len).sum::<usize>();
        f.debug_struct("Input")
            .field("len", &(self.carry.len() + self.front.len() + queued))
            .field("ended", &self.ended)
            .finish()
    }
}

impl Input {
    /// Adds a piece at the end.
    #[inline]
    pub(crate) fn push(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        if self.front.is_empty() {
            self.front = piece;
        } else {
            self.queue.push_back(piece);
        }
    }

    /// Says that no more pieces will come.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the end has come and everything before it was taken.
    #[inline]
    pub(crate) fn is_at_end(&self) -> bool {
        self.ended && self.view().is_empty()
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        *self = Self { ended: self.ended, ..Self::default() };
    }

    /// The front, without a gap.
    #[inline]
    pub(crate) fn view(&self) -> &[u8] {
        if self.carry.is_empty() { &self.front } else { &self.carry }
    }

    /// Makes sure that [`view`](Self::view) has `need` bytes at least; `false` if there are fewer.
    #[inline]
    pub(crate) fn fill(&mut self, need: usize) -> bool {
        self.view().len() >= need || self.join(need)
    }

    fn join(&mut self, need: usize) -> bool {
        // Nothing is reserved for bytes that are not there: `need` comes from the peer.
        while self.carry.len() < need {
            if self.front.is_empty() {
                return false;
            }
            if self.carry.is_empty() && self.queue.is_empty() {
                // There is nothing to join it with: leave it in place, so that it may come out
                // uncopied.
                return self.front.len() >= need;
            }
            let count = self.front.len().min(need - self.carry.len());
            self.carry.extend_from_slice(&self.front[..count]);
            self.skip_front(count);
        }
        true
    }

    /// Takes the first `count` bytes of [`view`](Self::view).
    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Bytes {
        if !self.carry.is_empty() {
            // What is joined is what is taken, all of it, but for a terminator.
            let mut taken = core::mem::take(&mut self.carry);
            if count < taken.len() {
                self.carry = taken.split_off(count);
            }
            return taken.freeze();
        }
        if count < self.front.len() {
            return self.front.split_to(count);
        }
        let taken = core::mem::take(&mut self.front);
        if let Some(next) = self.queue.pop_front() {
            self.front = next;
        }
        taken
    }

    /// Takes what there is of `count` bytes, within one piece; `None` if nothing is there.
    #[inline]
    pub(crate) fn take_up_to(&mut self, count: u64) -> Option<Bytes> {
        let there = self.view().len();
        if there == 0 {
            return None;
        }
        Some(self.take(usize::try_from(count).map_or(there, |count| count.min(there))))
    }

    /// Steps over the first `count` bytes of [`view`](Self::view).
    #[inline]
    pub(crate) fn skip(&mut self, count: usize) {
        if self.carry.is_empty() {
            self.skip_front(count);
        } else if count >= self.carry.len() {
            self.carry = BytesMut::new();
        } else {
            bytes::Buf::advance(&mut self.carry, count);
        }
    }

    /// Takes an integer from the front; `None` if not all of it is there.
    #[inline]
    pub(crate) fn varint(&mut self) -> Option<VarInt> {
        if !self.fill(1) || !self.fill(VarInt::len_from_first_byte(self.view()[0])) {
            return None;
        }
        let (value, width) = VarInt::decode(self.view())?;
        self.skip(width);
        Some(value)
    }

    #[inline]
    fn skip_front(&mut self, count: usize) {
        bytes::Buf::advance(&mut self.front, count);
        self.refill();
    }

    /// Keeps `front` from being empty while there is more, and lets go of a piece that is used up.
    #[inline]
    fn refill(&mut self) {
        if self.front.is_empty() {
            self.front = self.queue.pop_front().unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_shows_the_bytes() {
        let mut input = Input::default();
        for piece in [&b"ab"[..], b"cd", b"ef"] {
            input.push(Bytes::from_static(piece));
        }
        assert!(input.fill(3));
        assert_eq!(alloc::format!("{input:?}"), "Input { len: 6, ended: false }");
    }

    #[test]
    fn what_lies_within_a_piece_is_not_copied() {
        let piece = Bytes::from_static(b"abcdef");
        let mut input = Input::default();
        input.push(piece.clone());
        assert!(input.fill(3));
        assert_eq!(input.take(3).as_ptr(), piece.as_ptr());
        assert!(!input.fill(4));
        assert_eq!(input.take_up_to(10).unwrap().as_ptr(), piece[3..].as_ptr());
        assert_eq!(input.take_up_to(10), None);
    }

    #[test]
    fn only_what_spans_pieces_is_joined() {
        let second = Bytes::from_static(b"cdef");
        let mut input = Input::default();
        input.push(Bytes::from_static(b"ab"));
        assert!(!input.fill(3));
        input.push(second.clone());
        assert!(input.fill(3));
        assert_eq!(input.take(3), "abc");
        assert_eq!(input.take(3).as_ptr(), second[1..].as_ptr());
        assert!(input.view().is_empty());
    }

    #[test]
    fn integers_may_span_pieces() {
        let mut input = Input::default();
        assert_eq!(input.varint(), None);
        for byte in [0x80, 0, 1] {
            input.push(Bytes::copy_from_slice(&[byte]));
            assert_eq!(input.varint(), None);
        }
        input.push(Bytes::from_static(&[2, 7]));
        assert_eq!(input.varint(), Some(VarInt::from(0x102_u16)));
        input.end();
        assert!(!input.is_at_end());
        assert_eq!(input.varint(), Some(VarInt::from(7_u8)));
        assert!(input.is_at_end());
    }
}
