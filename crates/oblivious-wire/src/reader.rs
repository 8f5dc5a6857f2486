//! A reader that takes from the front of a slice and cannot run past its end.

use thiserror::Error;

use crate::VarInt;

/// Takes typed values from the front of a byte slice.
///
/// Every method checks the length before it takes, so a length that a peer claims is never
/// trusted. A method that fails takes nothing. Call [`finish`](Self::finish) at the end: what is
/// left over is an error too.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `input`.
    #[inline]
    pub const fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// What has not been read yet.
    #[inline]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether all has been read.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, ReadError> {
        Ok(self.array::<1>()?[0])
    }

    /// The next two bytes, big endian.
    #[inline]
    pub fn u16(&mut self) -> Result<u16, ReadError> {
        self.array().map(u16::from_be_bytes)
    }

    /// A variable-length integer (RFC 9000 §16).
    #[inline]
    pub fn varint(&mut self) -> Result<VarInt, ReadError> {
        let (value, length) = VarInt::decode(self.rest).ok_or(ReadError::Truncated)?;
        self.rest = &self.rest[length..];
        Ok(value)
    }

    /// The next `length` bytes.
    #[inline]
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8], ReadError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(ReadError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes, as an array.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(ReadError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Bytes behind a two-byte big-endian length.
    pub fn u16_prefixed(&mut self) -> Result<&'a [u8], ReadError> {
        let mut ahead = self.clone();
        let length = ahead.u16()?;
        let taken = ahead.bytes(usize::from(length))?;
        *self = ahead;
        Ok(taken)
    }

    /// Bytes behind a variable-length integer that tells their length.
    pub fn varint_prefixed(&mut self) -> Result<&'a [u8], ReadError> {
        let mut ahead = self.clone();
        let length = ahead.varint()?;
        // A length beyond usize is beyond the input as well.
        let length = usize::try_from(length.get()).map_err(|_| ReadError::Truncated)?;
        let taken = ahead.bytes(length)?;
        *self = ahead;
        Ok(taken)
    }

    /// Ends the reading: an error if anything is left.
    pub const fn finish(self) -> Result<(), ReadError> {
        if self.rest.is_empty() { Ok(()) } else { Err(ReadError::TrailingBytes) }
    }
}

/// Why a [`Reader`] could not read what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The input ends before the value does.
    #[error("the input ends in the middle of a value")]
    Truncated,
    /// Bytes are left where the input should have ended.
    #[error("there are bytes left after the last value")]
    TrailingBytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_in_order_and_finishes() {
        let mut reader = Reader::new(&[1, 0, 2, 0x40, 0xc8, 0, 1, 9, 2, 7, 8, 5]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(2));
        assert_eq!(reader.varint().map(VarInt::get), Ok(200));
        assert_eq!(reader.u16_prefixed(), Ok(&[9][..]));
        assert_eq!(reader.varint_prefixed(), Ok(&[7, 8][..]));
        assert!(!reader.is_empty());
        assert_eq!(reader.bytes(1), Ok(&[5][..]));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn a_claimed_length_is_checked_before_anything_is_taken() {
        let huge = [0xff; 8];
        let mut reader = Reader::new(&huge);
        assert_eq!(reader.varint_prefixed(), Err(ReadError::Truncated));
        assert_eq!(reader.u16_prefixed(), Err(ReadError::Truncated));
        assert_eq!(reader.bytes(9), Err(ReadError::Truncated));
        assert_eq!(reader.array::<9>(), Err(ReadError::Truncated));
        assert_eq!(reader.rest(), huge);
    }

    #[test]
    fn what_is_left_over_is_an_error() {
        assert_eq!(Reader::new(&[0]).finish(), Err(ReadError::TrailingBytes));
    }
}
