//! A reader that takes from the front of a slice and cannot run past its end.

use crate::DecodeError;

/// Takes values from the front of a byte slice.
///
/// Every method checks the length before it takes, so a length that a peer claims is never
/// trusted. A method that fails takes nothing.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte.
    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        let (&taken, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next two bytes, big endian.
    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        let (&taken, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(u16::from_be_bytes(taken))
    }

    /// The next `length` bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Bytes behind a two-byte big-endian length.
    pub(crate) fn u16_prefixed(&mut self) -> Result<&'a [u8], DecodeError> {
        let mut ahead = Self { rest: self.rest };
        let length = ahead.u16()?;
        let taken = ahead.bytes(usize::from(length))?;
        *self = ahead;
        Ok(taken)
    }

    /// A variable-length integer (RFC 9000 §16).
    #[cfg(feature = "extended")]
    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        let (value, length) =
            oblivious_wire::VarInt::decode(self.rest).ok_or(DecodeError::Truncated)?;
        self.bytes(length)?;
        Ok(value.get())
    }

    /// Ends the reading: an error if anything is left.
    pub(crate) const fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_in_order_and_finishes() {
        let mut reader = Reader::new(&[1, 0, 2, 0, 1, 9, 5]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(2));
        assert_eq!(reader.u16_prefixed(), Ok(&[9][..]));
        assert!(!reader.is_empty());
        assert_eq!(reader.bytes(1), Ok(&[5][..]));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn a_claimed_length_is_checked_before_anything_is_taken() {
        let huge = [0xff; 8];
        let mut reader = Reader::new(&huge);
        assert_eq!(reader.u16_prefixed(), Err(DecodeError::Truncated));
        assert_eq!(reader.bytes(9), Err(DecodeError::Truncated));
        assert_eq!(reader.bytes(8), Ok(&huge[..]), "nothing was taken before");
    }

    #[test]
    fn what_is_left_over_is_an_error() {
        assert_eq!(Reader::new(&[0]).finish(), Err(DecodeError::TrailingBytes));
    }
}
