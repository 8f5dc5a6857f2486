//! Where a relay may send requests.

use http::Uri;
use http::uri::Scheme;

use crate::route_error::RouteError;

/// Checks the URI of a gateway, or of its keys, which belongs to the route called `route`.
pub(crate) fn check(uri: &Uri, allow_http: bool, route: &str) -> Result<(), RouteError> {
    let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
        return Err(RouteError::NotAbsolute { gateway: uri.clone() });
    };
    if authority.as_str().contains('@') {
        return Err(RouteError::UserInfo { path: route.to_owned() });
    }
    if authority.host().is_empty() {
        return Err(RouteError::NotAbsolute { gateway: uri.clone() });
    }
    if *scheme != Scheme::HTTPS && !(allow_http && *scheme == Scheme::HTTP) {
        return Err(RouteError::Scheme { gateway: uri.clone() });
    }
    Ok(())
}

/// Whether both are on the same server, so that what is meant for one may be shown to the other.
pub(crate) fn same_origin(one: &Uri, other: &Uri) -> bool {
    let port = |uri: &Uri| {
        uri.port_u16().or_else(|| match uri.scheme_str() {
            Some("https") => Some(443),
            Some("http") => Some(80),
            _ => None,
        })
    };
    let host = |uri: &Uri| uri.host().map(str::to_ascii_lowercase);
    one.scheme() == other.scheme() && host(one) == host(other) && port(one) == port(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |one: &'static str, other: &'static str| {
            same_origin(&Uri::from_static(one), &Uri::from_static(other))
        };
        assert!(same("https://g.example/a", "https://G.example:443/b"));
        assert!(!same("https://g.example/", "http://g.example/"));
        assert!(!same("https://g.example/", "https://g.example:444/"));
        assert!(!same("https://g.example/", "https://h.example/"));
    }
}
