//! Content that comes in pieces, joined into one.

use bytes::{Bytes, BytesMut};

/// All content of a message that is complete in memory: a single piece as it is, several joined.
pub(crate) struct Joined {
    only: Option<Bytes>,
    joined: BytesMut,
    /// The length of the message, which exceeds that of its content.
    most: usize,
}

impl Joined {
    pub(crate) fn of(message: &Bytes) -> Self {
        Self { only: None, joined: BytesMut::new(), most: message.len() }
    }

    #[inline]
    pub(crate) fn push(&mut self, piece: Bytes) {
        if self.only.is_none() && self.joined.is_empty() {
            self.only = Some(piece);
            return;
        }
        if let Some(first) = self.only.take() {
            // The message is in memory, so its length is not just a claim; and this is the only
            // allocation.
            self.joined.reserve(self.most);
            self.joined.extend_from_slice(&first);
        }
        self.joined.extend_from_slice(&piece);
    }

    #[inline]
    pub(crate) fn into_bytes(self) -> Bytes {
        self.only.unwrap_or_else(|| self.joined.freeze())
    }
}
