//! Variable-length integers (RFC 9000 §16).

use core::fmt;

use bytes::BufMut;
use thiserror::Error;

/// An integer of at most 62 bits, as QUIC writes it on the wire (RFC 9000 §16).
///
/// The two high bits of the first byte give the length: 1, 2, 4 or 8 bytes. Encoding always uses
/// the shortest form; decoding accepts longer ones, as the RFC allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VarInt(u64);

impl VarInt {
    /// The largest value, 2^62 − 1.
    pub const MAX: Self = Self((1 << 62) - 1);

    /// The length in bytes of the longest encoding.
    pub const MAX_LEN: usize = 8;

    /// The integer with this value.
    ///
    /// # Errors
    /// [`VarIntError`] if the value does not fit in 62 bits.
    #[inline]
    pub const fn new(value: u64) -> Result<Self, VarIntError> {
        if value > Self::MAX.0 {
            return Err(VarIntError(value));
        }
        Ok(Self(value))
    }

    /// The value.
    #[inline]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of bytes that [`encode`](Self::encode) writes: 1, 2, 4 or 8.
    #[inline]
    pub const fn encoded_len(self) -> usize {
        match self.0 {
            0..=0x3f => 1,
            0x40..=0x3fff => 2,
            0x4000..=0x3fff_ffff => 4,
            _ => 8,
        }
    }

    /// Writes the shortest encoding to `out`.
    ///
    /// # Panics
    /// If `out` has no room left; growing buffers such as `Vec` and `BytesMut` always have.
    #[inline]
    pub fn encode(self, out: &mut impl BufMut) {
        // The length class goes into the two bits that a value of that class leaves clear.
        match self.encoded_len() {
            1 => out.put_slice(&self.low_bytes::<1>()),
            2 => out.put_u16(u16::from_be_bytes(self.low_bytes()) | 0x4000),
            4 => out.put_u32(u32::from_be_bytes(self.low_bytes()) | 0x8000_0000),
            _ => out.put_u64(self.0 | 0xc000_0000_0000_0000),
        }
    }

    /// Reads an encoding, of any length, from the start of `input`.
    ///
    /// Returns the value and the number of bytes it took, or `None` if `input` ends before the
    /// encoding does; with more input the same call succeeds.
    #[inline]
    pub fn decode(input: &[u8]) -> Option<(Self, usize)> {
        let first = *input.first()?;
        if first < 0x40 {
            return Some((Self(u64::from(first)), 1));
        }
        let length = Self::len_from_first_byte(first);
        let encoded = input.get(..length)?;
        let value = encoded[1..]
            .iter()
            .fold(u64::from(first & 0x3f), |value, &byte| value << 8 | u64::from(byte));
        Some((Self(value), length))
    }

    /// The length of an encoding whose first byte is `first`: 1, 2, 4 or 8 bytes.
    #[inline]
    pub const fn len_from_first_byte(first: u8) -> usize {
        1 << (first >> 6)
    }

    #[inline]
    fn low_bytes<const N: usize>(self) -> [u8; N] {
        let mut low = [0; N];
        low.copy_from_slice(&self.0.to_be_bytes()[8 - N..]);
        low
    }
}

impl fmt::Display for VarInt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u8> for VarInt {
    fn from(value: u8) -> Self {
        Self(u64::from(value))
    }
}

impl From<u16> for VarInt {
    fn from(value: u16) -> Self {
        Self(u64::from(value))
    }
}

impl From<u32> for VarInt {
    fn from(value: u32) -> Self {
        Self(u64::from(value))
    }
}

impl TryFrom<u64> for VarInt {
    type Error = VarIntError;

    fn try_from(value: u64) -> Result<Self, VarIntError> {
        Self::new(value)
    }
}

impl TryFrom<usize> for VarInt {
    type Error = VarIntError;

    fn try_from(value: usize) -> Result<Self, VarIntError> {
        // No target of Rust has a usize wider than 64 bits.
        Self::new(value as u64)
    }
}

impl From<VarInt> for u64 {
    fn from(value: VarInt) -> Self {
        value.0
    }
}

/// The value does not fit in the 62 bits of a [`VarInt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("{0} does not fit in a variable-length integer: the largest value is 2^62 - 1")]
pub struct VarIntError(u64);

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn encoded(value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        VarInt::new(value).unwrap().encode(&mut out);
        out
    }

    /// RFC 9000 §A.1: the four sample encodings, and the one that is longer than needed.
    #[test]
    fn samples_of_the_document() {
        let samples: [(&[u8], u64); 5] = [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x40, 0x25], 37),
            (&[0x25], 37),
        ];
        for (bytes, value) in samples {
            assert_eq!(VarInt::decode(bytes), Some((VarInt(value), bytes.len())));
        }
    }

    /// RFC 9000 §16: the largest value of each length, and the smallest of the next.
    #[test]
    fn lengths_change_where_the_document_says() {
        let borders =
            [(63, 1), (64, 2), (16_383, 2), (16_384, 4), ((1 << 30) - 1, 4), (1 << 30, 8)];
        for (value, length) in borders {
            assert_eq!(encoded(value).len(), length, "{value}");
            assert_eq!(VarInt::new(value).unwrap().encoded_len(), length, "{value}");
        }
        assert_eq!(encoded(VarInt::MAX.get()), [0xff; 8]);
    }

    #[test]
    fn sixty_two_bits_are_the_limit() {
        assert_eq!(VarInt::new(VarInt::MAX.get()), Ok(VarInt::MAX));
        assert_eq!(VarInt::new(1 << 62), Err(VarIntError(1 << 62)));
        assert!(VarInt::try_from(u64::MAX).is_err());
    }

    #[test]
    fn every_truncation_asks_for_more() {
        for value in [0, 64, 16_384, 1 << 30] {
            let bytes = encoded(value);
            for cut in 0..bytes.len() {
                assert_eq!(VarInt::decode(&bytes[..cut]), None);
            }
        }
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(value in 0..=VarInt::MAX.get(), tail: Vec<u8>) {
            let mut bytes = encoded(value);
            let length = bytes.len();
            bytes.extend(tail);
            prop_assert_eq!(VarInt::decode(&bytes), Some((VarInt(value), length)));
        }
    }
}
