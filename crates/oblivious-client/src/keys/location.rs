//! The URLs that keys are fetched from.

use http::{Uri, uri::Scheme};
use thiserror::Error;

/// Keys cannot be fetched from such a URL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyUrlError {
    /// It names no scheme and host.
    #[error("{uri} is not an absolute URL: write https://HOST/PATH")]
    NotAbsolute {
        /// The URL as given.
        uri: Uri,
    },
    /// Its scheme is not `https`, so anyone on the path could replace the keys.
    #[error(
        "{uri} is not https, so anyone on the path could replace the keys (RFC 9458 §6.1); for a \
         test there is a constructor that allows it"
    )]
    Scheme {
        /// The URL as given.
        uri: Uri,
    },
    /// It contains a user name or password.
    #[error(
        "the URL of the keys contains a user name or password, which would tell who asks; remove it"
    )]
    UserInfo,
    /// It has an address where the DNS is to be asked for a name.
    #[error("the DNS has no records for {uri}, whose host is an address: write its name")]
    NoDomainName {
        /// The URL as given.
        uri: Uri,
    },
}

/// Checks the URL of keys or of a relay.
pub(crate) fn check(uri: &Uri, allow_http: bool) -> Result<(), KeyUrlError> {
    let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
        return Err(KeyUrlError::NotAbsolute { uri: uri.clone() });
    };
    if authority.as_str().contains('@') {
        return Err(KeyUrlError::UserInfo);
    }
    if authority.host().is_empty() {
        return Err(KeyUrlError::NotAbsolute { uri: uri.clone() });
    }
    if *scheme != Scheme::HTTPS && !(allow_http && *scheme == Scheme::HTTP) {
        return Err(KeyUrlError::Scheme { uri: uri.clone() });
    }
    Ok(())
}

/// Whether two URLs are served by the same server: scheme, host and port.
pub(crate) fn same_origin(one: &Uri, other: &Uri) -> bool {
    let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
    let default = |uri: &Uri| if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
    let port = |uri: &Uri| uri.port_u16().unwrap_or_else(|| default(uri));
    host(one) == host(other) && port(one) == port(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9458 §6.1
    #[test]
    fn keys_come_over_https_unless_http_is_allowed() {
        let check = |uri: &str, allow_http| super::check(&uri.parse().unwrap(), allow_http);
        assert_eq!(check("https://g.example/ohttp-keys", false), Ok(()));
        assert_eq!(check("http://g.example/ohttp-keys", true), Ok(()));
        for allow_http in [false, true] {
            let scheme = check("ftp://g.example/ohttp-keys", allow_http);
            assert!(matches!(scheme, Err(KeyUrlError::Scheme { .. })));
            let relative = check("/ohttp-keys", allow_http);
            assert!(matches!(relative, Err(KeyUrlError::NotAbsolute { .. })));
            let user = check("https://user:secret@g.example/", allow_http);
            assert_eq!(user, Err(KeyUrlError::UserInfo));
        }
        let refused = check("http://g.example/ohttp-keys", false);
        assert!(matches!(refused, Err(KeyUrlError::Scheme { .. })));
    }

    #[test]
    fn servers_are_compared_with_their_ports() {
        let same = |one, other| same_origin(&Uri::from_static(one), &Uri::from_static(other));
        assert!(same("https://r.example/a", "https://R.example:443/b"));
        assert!(!same("https://r.example/a", "https://r.example:8443/a"));
        assert!(!same("https://r.example/a", "https://g.example/a"));
    }
}
