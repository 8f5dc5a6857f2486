//! Which targets a gateway may be asked for.

use std::{fmt, str::FromStr};

use http::{
    Uri,
    uri::{Authority, Scheme},
};
use thiserror::Error;

/// Targets that may go through a gateway: an origin, all subdomains of a host, or every target.
///
/// A gateway can read the requests that it serves, so a client must say which gateway may read
/// which of them (RFC 9458 §6.1). Usually it is one that the target's operator has chosen.
///
/// ```
/// use oblivious_client::TargetPattern;
///
/// let one: TargetPattern = "https://example.com".parse()?;
/// let all_below: TargetPattern = "https://*.example.com".parse()?;
/// # let _ = (one, all_below);
/// # Ok::<(), oblivious_client::TargetPatternError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetPattern {
    scheme: Scheme,
    hosts: Hosts,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    Any,
    One {
        host: String,
        port: u16,
    },
    /// All below this one, but not the host itself.
    Subdomains {
        host: String,
        port: u16,
    },
}

impl TargetPattern {
    /// Every `https` target: for a gateway that may read whatever this client asks.
    pub fn any_https() -> Self {
        Self { scheme: Scheme::HTTPS, hosts: Hosts::Any }
    }

    /// Every `http` target, which the gateway asks in clear.
    pub fn any_http() -> Self {
        Self { scheme: Scheme::HTTP, hosts: Hosts::Any }
    }

    /// Whether it covers the target with this URI.
    pub fn matches(&self, target: &Uri) -> bool {
        let (Some(scheme), Some(authority)) = (target.scheme(), target.authority()) else {
            return false;
        };
        let (Some((host, port)), true) = (host_and_port(scheme, authority), *scheme == self.scheme)
        else {
            return false;
        };
        match &self.hosts {
            Hosts::Any => true,
            Hosts::One { host: one, port: at } => (one, *at) == (&host, port),
            Hosts::Subdomains { host: parent, port: at } => {
                let below = host.strip_suffix(parent.as_str());
                *at == port && below.is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
            }
        }
    }
}

/// Host, in lower case, and port; `None` if there is userinfo, which makes one host look like
/// another, or no port that could be meant.
fn host_and_port(scheme: &Scheme, authority: &Authority) -> Option<(String, u16)> {
    let text = authority.as_str();
    let host = authority.host();
    if host.is_empty() || text.contains('@') {
        return None;
    }
    let port = match text.strip_prefix(host)? {
        "" if *scheme == Scheme::HTTP => 80,
        "" => 443,
        _ => authority.port_u16()?,
    };
    Some((host.to_ascii_lowercase(), port))
}

impl FromStr for TargetPattern {
    type Err = TargetPatternError;

    /// Reads `https://HOST`, with a port if it is not the scheme's own, and `*.` before the host
    /// for all subdomains; or the same with `http`, which has to be named to be allowed.
    fn from_str(text: &str) -> Result<Self, TargetPatternError> {
        let invalid = || TargetPatternError(text.to_owned());
        let subdomains = text.split_once("://").is_some_and(|(_, rest)| rest.starts_with("*."));
        let one_host = if subdomains { text.replacen("*.", "", 1) } else { text.to_owned() };
        let uri: Uri = one_host.parse().map_err(|_| invalid())?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(invalid());
        };
        let known = *scheme == Scheme::HTTPS || *scheme == Scheme::HTTP;
        // Anything beyond an origin would suggest a rule that is not enforced.
        let bare = uri.path_and_query().is_none_or(|path| path == "/") && !text.contains('#');
        let (host, port) = host_and_port(scheme, authority).ok_or_else(invalid)?;
        if !known || !bare || host.contains('*') {
            return Err(invalid());
        }
        let hosts = match subdomains {
            true => Hosts::Subdomains { host, port },
            false => Hosts::One { host, port },
        };
        Ok(Self { scheme: scheme.clone(), hosts })
    }
}

impl fmt::Display for TargetPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.hosts {
            Hosts::Any => write!(f, "{}://*", self.scheme),
            Hosts::One { host, port } => write!(f, "{}://{host}:{port}", self.scheme),
            Hosts::Subdomains { host, port } => write!(f, "{}://*.{host}:{port}", self.scheme),
        }
    }
}

/// The text is not a pattern for targets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not a pattern for targets: write a scheme (https or http), a host, with *. before it \
     for all its subdomains, and optionally a port, as in https://example.com or https://*.example.com"
)]
pub struct TargetPatternError(String);

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9458 §6.1
    #[test]
    fn a_pattern_is_for_what_it_names_and_nothing_else() {
        for (pattern, target, expected) in [
            ("https://example.com", "https://EXAMPLE.com/a?b", true),
            ("https://example.com", "https://example.com:443/", true),
            ("https://example.com", "https://example.com:8443/", false),
            ("https://example.com", "http://example.com/", false),
            ("https://example.com", "https://www.example.com/", false),
            ("https://example.com", "https://example.com.evil.example/", false),
            ("https://example.com", "https://example.com@evil.example/", false),
            ("https://example.com:8443", "https://example.com:8443/", true),
            ("https://*.example.com", "https://a.b.example.com/", true),
            ("https://*.example.com", "https://example.com/", false),
            ("https://*.example.com", "https://.example.com/", false),
            ("https://*.example.com", "https://badexample.com/", false),
            ("http://localhost:8080", "http://localhost:8080/", true),
            ("http://localhost:8080", "https://localhost:8080/", false),
            ("https://[::1]", "https://[::1]/", true),
        ] {
            let matches = pattern.parse::<TargetPattern>().unwrap();
            assert_eq!(matches.matches(&target.parse().unwrap()), expected, "{pattern} {target}");
        }
        let any = TargetPattern::any_https();
        assert!(any.matches(&Uri::from_static("https://anything.example:1/")));
        assert!(!any.matches(&Uri::from_static("http://anything.example/")));
        assert!(!any.matches(&Uri::from_static("/relative")));
        assert!(TargetPattern::any_http().matches(&Uri::from_static("http://anything.example/")));
    }

    #[test]
    fn what_is_no_origin_is_no_pattern() {
        for text in [
            "",
            "example.com",
            "https://",
            "https://a.example/b",
            "https://a.example?b",
            "https://a@b.example",
            "ftp://a.example",
            "https://*",
            "https://a.*.example",
            "https://*.*.example",
            "https://a.example:99999",
        ] {
            assert!(text.parse::<TargetPattern>().is_err(), "{text}");
        }
    }
}
