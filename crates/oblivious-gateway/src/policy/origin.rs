//! Scheme, host and port.

use std::{fmt, str::FromStr};

use http::{
    Uri,
    uri::{Authority, Scheme},
};
use thiserror::Error;

use super::host::Host;

/// A scheme, host and port, such as `https://example.com` or `http://localhost:8080`.
///
/// Scheme and host ignore case, and a missing port is the scheme's default (RFC 9110 §4.2.3).
/// `http` is a separate origin: allowing `https` does not allow it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    pub(super) scheme: Scheme,
    pub(super) host: Host,
    pub(super) port: u16,
}

impl Origin {
    /// The origin of an absolute URI with the scheme `http` or `https`.
    ///
    /// `None` if it has userinfo, a host that is not a plain name or address, or no usable port.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme()?.clone();
        let default_port = default_port(&scheme)?;
        let authority = uri.authority()?;
        // Userinfo could make one host look like another (RFC 9110 §4.2.4).
        if authority.as_str().contains('@') {
            return None;
        }
        // `http` takes `example.com:` and ports that do not fit for no port at all.
        let port = match after_host(authority.as_str(), authority.host()) {
            "" => default_port,
            port => parse_port(port.strip_prefix(':')?)?,
        };
        Some(Self { scheme, host: Host::parse(authority.host())?, port })
    }
}

impl Origin {
    /// Host and port, without a port that is the scheme's own.
    pub(super) fn authority(&self) -> Option<Authority> {
        let host = self.host.to_string();
        let text = match default_port(&self.scheme) == Some(self.port) {
            true => host,
            false => format!("{host}:{}", self.port),
        };
        Authority::from_maybe_shared(bytes::Bytes::from(text)).ok()
    }
}

/// The port of a scheme whose URI names none (RFC 9110 §4.2).
pub(super) fn default_port(scheme: &Scheme) -> Option<u16> {
    match scheme.as_str() {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    }
}

/// A port that can be connected to, in plain digits.
pub(super) fn parse_port(text: &str) -> Option<u16> {
    // `u16` would take a sign, too.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port| digits && port != 0)
}

/// What follows the host in an authority: nothing, or a colon and a port.
fn after_host<'a>(authority: &'a str, host: &str) -> &'a str {
    authority.strip_prefix(host).unwrap_or(authority)
}

/// The origin of an absolute URI, whatever its path and query.
impl TryFrom<&Uri> for Origin {
    type Error = OriginError;

    fn try_from(uri: &Uri) -> Result<Self, OriginError> {
        // The URI may be a request's, which must not appear in an error.
        Self::of(uri).ok_or_else(|| OriginError("what this URI begins with".to_owned()))
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    /// Reads `scheme://host` or `scheme://host:port`.
    fn from_str(text: &str) -> Result<Self, OriginError> {
        let invalid = || OriginError(format!("{text:?}"));
        let uri: Uri = text.parse().map_err(|_| invalid())?;
        // Anything beyond an origin would suggest a rule that is not enforced.
        let bare =
            uri.path_and_query().is_none_or(|path| path == "/") && !text.contains(['@', '#']);
        Self::of(&uri).filter(|_| bare).ok_or_else(invalid)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// A text or the start of a URI is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0} is not an origin: write a scheme (https or http), a host and, if it is not the \
     scheme's own, a port, as in https://example.com or http://localhost:8080"
)]
pub struct OriginError(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_origin_is_an_origin() {
        for text in [
            "example.com",
            "//example.com",
            "https://",
            "https://example.com/path",
            "https://example.com?query",
            "https://user@example.com",
            "https://example.com:99999",
            "https://example.com:",
            "https://example.com:0",
            "https://example.com:+443",
            "https://*.example.com",
            "http://127.1",
            "http://0x7f000001",
            "ftp://example.com",
            "",
        ] {
            let error = text.parse::<Origin>().expect_err(text);
            assert!(error.to_string().contains("https://example.com"), "{text}");
        }
    }

    #[test]
    fn an_origin_is_shown_as_it_is_compared() {
        let origin: Origin = "HTTPS://Example.COM".parse().unwrap();
        assert_eq!(origin.to_string(), "https://example.com:443");
    }
}
