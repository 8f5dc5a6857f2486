//! Where a relay may send requests.

use http::Uri;
use http::uri::{PathAndQuery, Scheme};

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

/// Where a redirect from `base` to `location` leads (RFC 9110 §10.2.2); `None` if no request could
/// go there.
pub(crate) fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    // Fragments are not sent to servers.
    let location = location.split('#').next()?;
    let mut parts = base.clone().into_parts();
    if let Some(rest) = location.strip_prefix("//") {
        let target: Uri = format!("{}://{rest}", base.scheme_str()?).parse().ok()?;
        return Some(target);
    }
    if location.starts_with('/') {
        parts.path_and_query = Some(location.parse::<PathAndQuery>().ok()?);
        return Uri::from_parts(parts).ok();
    }
    let target: Uri = location.parse().ok()?;
    // Relative paths are legal, but no gateway needs them: without a scheme it does not count as a
    // redirect.
    target.scheme().is_some().then_some(target)
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
    fn redirects_are_resolved() {
        let base = Uri::from_static("https://g.example/.well-known/ohttp-gateway");
        for (location, expected) in [
            ("https://h.example/a?b=c", Some("https://h.example/a?b=c")),
            ("https://h.example/a#b", Some("https://h.example/a")),
            ("//h.example/a", Some("https://h.example/a")),
            ("/a?b", Some("https://g.example/a?b")),
            ("a", None),
            ("", None),
            ("https://", None),
            ("/a b", None),
        ] {
            let resolved = resolve(&base, location).map(|uri| uri.to_string());
            assert_eq!(resolved.as_deref(), expected, "{location:?}");
        }
    }

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
