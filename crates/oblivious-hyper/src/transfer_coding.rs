//! Transfer codings (RFC 9112 §6.1), of which only `chunked` is supported.

use http::HeaderMap;
use http::header::TRANSFER_ENCODING;

use crate::http1_message::members;

/// The transfer codings of a message that has some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransferCoding {
    Chunked,
    /// Others as well. `gzip, chunked` must not be treated like `chunked`: behind an intermediary,
    /// which drops the field, nobody could tell any more that the content is compressed.
    Unsupported,
    /// Others, and the end of the content cannot be found (RFC 9112 §6.3).
    Unframed,
}

impl TransferCoding {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let (mut count, mut ends_chunked) = (0, false);
        for coding in members(headers, TRANSFER_ENCODING) {
            count += 1;
            ends_chunked = coding.eq_ignore_ascii_case(b"chunked");
        }
        match (ends_chunked, count) {
            (true, 1) => Self::Chunked,
            (true, _) => Self::Unsupported,
            (false, _) => Self::Unframed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9112 §6.1, §6.3
    #[test]
    fn chunked_is_the_only_one_and_there_once() {
        for (values, expected) in [
            (&["Chunked"][..], TransferCoding::Chunked),
            (&[", chunked ,"], TransferCoding::Chunked),
            (&["gzip, chunked"], TransferCoding::Unsupported),
            (&["gzip", "chunked"], TransferCoding::Unsupported),
            (&["identity, chunked"], TransferCoding::Unsupported),
            (&["gzip"], TransferCoding::Unframed),
            (&["chunked, gzip"], TransferCoding::Unframed),
            (&["chunked, chunked"], TransferCoding::Unsupported),
            (&["chunkedx"], TransferCoding::Unframed),
            (&[""], TransferCoding::Unframed),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TRANSFER_ENCODING, value.parse().unwrap());
            }
            assert_eq!(TransferCoding::of(&headers), expected, "{values:?}");
        }
    }
}
