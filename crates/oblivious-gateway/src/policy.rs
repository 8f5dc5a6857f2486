//! Which targets a gateway asks (RFC 9458 §6.3).

use std::{fmt, str::FromStr};

use http::{Uri, uri::Scheme};
use thiserror::Error;

/// The targets that a gateway may ask. Whatever is not allowed is denied.
///
/// Decided on the effective authority of a request (RFC 9292 §3.4 and §5), which is also the only
/// one that the target is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetPolicy {
    origins: Vec<Origin>,
}

impl TargetPolicy {
    /// Denies every target.
    pub fn deny_all() -> Self {
        Self::default()
    }

    /// Allows one more origin.
    #[must_use]
    pub fn allow(mut self, origin: Origin) -> Self {
        self.origins.push(origin);
        self
    }

    /// Whether a request for `uri` may be made. A URI that is not absolute is never allowed.
    pub fn allows(&self, uri: &Uri) -> bool {
        Origin::of(uri).is_some_and(|origin| self.origins.contains(&origin))
    }
}

impl From<Origin> for TargetPolicy {
    fn from(origin: Origin) -> Self {
        Self::deny_all().allow(origin)
    }
}

impl FromIterator<Origin> for TargetPolicy {
    fn from_iter<I: IntoIterator<Item = Origin>>(origins: I) -> Self {
        Self { origins: origins.into_iter().collect() }
    }
}

/// A scheme, host and port, such as `https://example.com` or `http://localhost:8080`.
///
/// Scheme and host are compared without regard to case, and a port left out is the scheme's own
/// (RFC 9110 §4.2.3). `http` is an origin of its own: allowing `https` does not allow it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of an absolute URI with the scheme `http` or `https`.
    fn of(uri: &Uri) -> Option<Self> {
        let scheme = uri.scheme()?.clone();
        let default_port = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        let authority = uri.authority()?;
        let host = authority.host().to_ascii_lowercase();
        // `http` takes `example.com:` and ports that do not fit for no port at all.
        let port = match after_host(authority.as_str(), authority.host()) {
            "" => default_port,
            port => port.strip_prefix(':')?.parse().ok()?,
        };
        (!host.is_empty()).then_some(Self { scheme, host, port })
    }
}

/// What follows the host in an authority: nothing, or a colon and a port.
fn after_host<'a>(authority: &'a str, host: &str) -> &'a str {
    let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, rest)| rest);
    host_and_port.strip_prefix(host).unwrap_or(host_and_port)
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    /// Reads `scheme://host` or `scheme://host:port`.
    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let invalid = || InvalidOrigin(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| invalid())?;
        // More than an origin would promise a rule that is not enforced.
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

/// The text is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not an origin: write a scheme (https or http), a host and, if it is not the \
     scheme's own, a port, as in https://example.com or http://localhost:8080"
)]
pub struct InvalidOrigin(String);

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(origins: &[&str]) -> TargetPolicy {
        origins.iter().map(|origin| origin.parse().unwrap()).collect()
    }

    fn allows(policy: &TargetPolicy, uri: &str) -> bool {
        policy.allows(&uri.parse().unwrap())
    }

    /// RFC 9458 §6.3
    #[test]
    fn nothing_is_allowed_by_default() {
        assert!(!allows(&TargetPolicy::default(), "https://example.com/"));
        assert!(!allows(&TargetPolicy::deny_all(), "https://example.com/"));
    }

    /// RFC 9110 §4.2.3
    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let policy = policy(&["https://Example.com", "http://localhost:8080/"]);
        for allowed in [
            "https://example.com/",
            "https://EXAMPLE.com:443/any/path?query",
            "HTTPS://example.com",
            "http://localhost:8080/",
        ] {
            assert!(allows(&policy, allowed), "{allowed}");
        }
        for denied in [
            "http://example.com/",
            "https://example.com:444/",
            "https://example.com./",
            "https://www.example.com/",
            "https://example.com.evil.test/",
            "http://localhost/",
            "https://localhost:8080/",
            "ftp://example.com/",
            "/relative",
            "*",
            "example.com:443",
        ] {
            assert!(!allows(&policy, denied), "{denied}");
        }
    }

    /// Userinfo is no way to make one host look like another.
    #[test]
    fn userinfo_does_not_hide_the_host() {
        let policy = policy(&["https://example.com"]);
        assert!(!allows(&policy, "https://example.com@evil.test/"));
        assert!(!allows(&policy, "https://example.com:443@evil.test/"));
    }

    #[test]
    fn addresses_are_hosts_too() {
        let policy = policy(&["http://127.0.0.1:81", "http://[::1]:82"]);
        assert!(allows(&policy, "http://127.0.0.1:81/"));
        assert!(allows(&policy, "http://[::1]:82/x"));
        assert!(!allows(&policy, "http://[::1]:81/"));
        assert!(!allows(&policy, "http://127.0.0.1/"));
    }

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
