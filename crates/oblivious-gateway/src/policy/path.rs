//! Path prefixes.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// The beginning of a path, such as `/api` or `/api/`, that ends on the border of a segment.
///
/// `/api` covers `/api` itself and all below it, but not `/apis`; `/api/` covers only what is
/// below. Compared byte for byte, as paths are (RFC 3986 §6.2.2.1).
///
/// A path that servers could take for another one is below no prefix but `/`. Such paths have dot
/// segments, even if percent-encoded (once or twice) or followed by parameters (`..;`), encoded
/// slashes, or backslashes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathPrefix(String);

impl PathPrefix {
    /// Whether `path`, a path without a query, is covered.
    pub(crate) fn covers(&self, path: &str) -> bool {
        if self.0 == "/" {
            return true;
        }
        let Some(rest) = path.strip_prefix(&self.0) else { return false };
        let at_border = self.0.ends_with('/') || rest.is_empty() || rest.starts_with('/');
        at_border && is_plain(path)
    }
}

impl FromStr for PathPrefix {
    type Err = PathPrefixError;

    /// Reads a path that starts with a slash.
    fn from_str(text: &str) -> Result<Self, PathPrefixError> {
        let path = text.starts_with('/') && !text.contains(['?', '#']) && is_plain(text);
        let valid = path && text.parse::<http::uri::PathAndQuery>().is_ok();
        valid.then(|| Self(text.to_owned())).ok_or_else(|| PathPrefixError(text.to_owned()))
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is not a path prefix.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not a path prefix: write a path such as /api, without dot segments, query or fragment"
)]
pub struct PathPrefixError(String);

/// Whether every server understands the path in the same way.
fn is_plain(path: &str) -> bool {
    let once = decode(path.as_bytes());
    let twice = decode(&once);
    let slashes = |path: &[u8]| path.iter().filter(|&&byte| byte == b'/').count();
    let dots = |segment: &[u8]| {
        let name = segment.split(|&byte| byte == b';').next().unwrap_or_default();
        matches!(name, b"." | b"..")
    };
    slashes(&twice) == slashes(path.as_bytes())
        && !twice.contains(&b'\\')
        && !twice.split(|&byte| byte == b'/').any(dots)
}

/// Replaces percent-encoded bytes by what they stand for.
fn decode(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        let pair = match after {
            [high, low, ..] if byte == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match pair {
            Some((high, low)) => {
                decoded.push(high << 4 | low);
                rest = &after[2..];
            }
            None => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    decoded
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(prefix: &str, path: &str) -> bool {
        prefix.parse::<PathPrefix>().unwrap().covers(path)
    }

    #[test]
    fn a_prefix_ends_on_the_border_of_a_segment() {
        for path in
            ["/api", "/api/", "/api/x", "/api//x", "/api/..x", "/api/%41", "/api/%", "/api/x;y"]
        {
            assert!(covers("/api", path), "{path}");
        }
        for path in ["/", "/apis", "/API", "//api", "/x/api", "/ap%69", "/api%2fx"] {
            assert!(!covers("/api", path), "{path}");
        }
        assert!(covers("/api/", "/api/x"));
        assert!(!covers("/api/", "/api"));
        assert!(covers("/", "/../x"));
    }

    /// RFC 3986 §5.2.4, and what servers make of it.
    #[test]
    fn no_way_leads_up_and_out() {
        for path in [
            "/api/../admin",
            "/api/..",
            "/api/./x",
            "/api/%2e%2E/admin",
            "/api/.%2e/admin",
            "/api/%252e%252e/admin",
            "/api/..%2fadmin",
            "/api/x%2Fy",
            "/api/..%5cadmin",
            "/api/..\\admin",
            "/api/..;/admin",
            "/api/..;x=y/admin",
            "/api/%2e%2e%3b/admin",
        ] {
            assert!(!covers("/api", path), "{path}");
        }
    }

    #[test]
    fn a_prefix_is_a_plain_path() {
        for text in ["", "api", "/a?b", "/a#b", "/a/../b", "/%2e%2e", "/a b", "*"] {
            let error = text.parse::<PathPrefix>().expect_err(text);
            assert!(error.to_string().contains("/api"), "{text}");
        }
    }
}
