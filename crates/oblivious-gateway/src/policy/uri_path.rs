//! What the path and the query of a URI may contain.

use http::uri::PathAndQuery;

/// Whether a target may be asked for this path and query. Servers interpret invalid characters in
/// different ways: as a request for something else, or as the end of the request line.
///
/// The path must follow RFC 3986 §3.3. The query may also have what browsers leave there unencoded,
/// above all brackets, and a `%` that does not begin an encoded byte.
pub(super) fn is_path_and_query(target: &PathAndQuery) -> bool {
    is_path(target.path().as_bytes()) && target.query().unwrap_or_default().bytes().all(is_query)
}

fn is_path(path: &[u8]) -> bool {
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            _ if byte == b'/' || is_pchar(byte) => after,
            _ => return false,
        };
    }
    true
}

/// `pchar` of RFC 3986 §3.3, without what is percent-encoded.
const fn is_pchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~')
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
        )
        || matches!(byte, b':' | b'@')
}

fn is_query(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(text: &str) -> bool {
        // The parser already refuses some of what a URI must not have.
        text.parse().is_ok_and(|target| is_path_and_query(&target))
    }

    /// RFC 3986 §3.3
    #[test]
    fn a_path_is_what_a_uri_may_have_there() {
        for path in ["/", "/a/b;c=d/..", "/%C3%A9", "/%ff", "//", "/a:b@c", "/!$&'()*+,;=-._~", "*"]
        {
            assert!(fits(path), "{path}");
        }
        for path in
            ["/\u{e9}", "/%zz", "/%f", "/%", "/a[b]", "/a|b", "/a\"b", "/{a}", "/a^b", "/a`b"]
        {
            assert!(!fits(path), "{path}");
        }
    }

    /// RFC 3986 §3.4, and what browsers send.
    #[test]
    fn a_query_may_have_what_browsers_leave_there() {
        for query in ["/?", "/?a=b&c[]=d", "/?a=%C3%A9", "/?a|b{c}", "/?100%", "/?a?b/c:@"] {
            assert!(fits(query), "{query}");
        }
        for query in ["/?\u{e9}", "/?a\"b", "/?a<b", "/?a>b"] {
            assert!(!fits(query), "{query}");
        }
    }
}
