//! How much padding a message gets.

use alloc::borrow::Cow;

use crate::error::EncodeError;

/// How much padding is written behind a message: always zeros (RFC 9292 §3.8).
///
/// Encryption hides what a message says, but not how long it is; padding hides most of that too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Padding {
    /// None. Empty parts at the end of a message of known length are left out as well.
    #[default]
    None,
    /// Up to the next multiple of this length; 0 and 1 mean no padding.
    ToMultiple(usize),
    /// Up to the smallest of these lengths that the message fits in, in whatever order they are.
    /// A message longer than all of them is padded to a multiple of the longest.
    Buckets(Cow<'static, [usize]>),
    /// To exactly this length; a longer message is an error.
    ToExact(usize),
}

impl Padding {
    /// The length that a message of `length` bytes is padded to.
    ///
    /// # Errors
    /// [`EncodeError::PaddingTooShort`] if the message is longer than [`ToExact`](Self::ToExact)
    /// says, [`EncodeError::TooLong`] if the multiple does not fit in a `usize`.
    pub fn padded_len(&self, length: usize) -> Result<usize, EncodeError> {
        match self {
            Self::None => Ok(length),
            Self::ToMultiple(multiple) => to_multiple(length, *multiple),
            Self::Buckets(buckets) => {
                let fitting = buckets.iter().copied().filter(|&bucket| bucket >= length).min();
                let longest = || buckets.iter().copied().max().unwrap_or(0);
                fitting.map_or_else(|| to_multiple(length, longest()), Ok)
            }
            Self::ToExact(exact) if *exact < length => Err(EncodeError::PaddingTooShort),
            Self::ToExact(exact) => Ok(*exact),
        }
    }
}

fn to_multiple(length: usize, multiple: usize) -> Result<usize, EncodeError> {
    length.checked_next_multiple_of(multiple.max(1)).ok_or(EncodeError::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_to_where_it_says() {
        let buckets = Padding::Buckets(Cow::Borrowed(&[256, 64, 1024]));
        for (padding, length, padded) in [
            (&Padding::None, 5, Ok(5)),
            (&Padding::ToMultiple(0), 5, Ok(5)),
            (&Padding::ToMultiple(4), 5, Ok(8)),
            (&Padding::ToMultiple(4), 8, Ok(8)),
            (&Padding::ToMultiple(4), usize::MAX, Err(EncodeError::TooLong)),
            (&buckets, 1, Ok(64)),
            (&buckets, 64, Ok(64)),
            (&buckets, 65, Ok(256)),
            (&buckets, 1025, Ok(2048)),
            (&Padding::Buckets(Cow::Borrowed(&[])), 7, Ok(7)),
            (&Padding::ToExact(10), 10, Ok(10)),
            (&Padding::ToExact(10), 9, Ok(10)),
            (&Padding::ToExact(10), 11, Err(EncodeError::PaddingTooShort)),
        ] {
            assert_eq!(padding.padded_len(length), padded, "{padding:?} of {length}");
        }
    }
}
