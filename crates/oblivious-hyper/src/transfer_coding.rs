//! Transfer codings (RFC 9112 §6.1), of which only `chunked` is supported.

use http::HeaderMap;
use http::header::TRANSFER_ENCODING;

/// Whether the content of a message has a transfer coding other than a single `chunked`.
///
/// hyper treats `gzip, chunked` like `chunked`, and the compressed data as the content of the
/// message. Behind an intermediary, which drops the field, nobody could tell any more.
pub(crate) fn is_coded(headers: &HeaderMap) -> bool {
    let mut codings = headers
        .get_all(TRANSFER_ENCODING)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|coding| !coding.is_empty());
    match codings.next() {
        None => false,
        Some(only) => !only.eq_ignore_ascii_case(b"chunked") || codings.next().is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9112 §6.1
    #[test]
    fn chunked_is_the_only_one_and_there_once() {
        let coded = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TRANSFER_ENCODING, value.parse().unwrap());
            }
            is_coded(&headers)
        };
        assert!(!coded(&[]));
        assert!(!coded(&["Chunked"]));
        assert!(!coded(&[", chunked ,"]));
        assert!(coded(&["gzip, chunked"]));
        assert!(coded(&["gzip", "chunked"]));
        assert!(coded(&["gzip"]));
        assert!(coded(&["chunked, chunked"]));
        assert!(coded(&["identity, chunked"]));
    }
}
