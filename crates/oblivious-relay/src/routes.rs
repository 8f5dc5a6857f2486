//! The fixed mapping from the resources of a relay to gateways (RFC 9458 §8.2).

use std::sync::Arc;

use http::Request;

use crate::route::{Route, host_of};
use crate::route_error::RouteError;

/// All routes of a relay. To replace them while it runs, hold them in a
/// [`Live`](oblivious_service::Live).
///
/// Of the routes that match a request, one with both its path and host goes first, then one with
/// only its path, then one with only its host.
///
/// What a route has learned, such as the keys of its gateway, is lost with it, unless the one that
/// replaces it [takes that over](Self::add_keeping).
#[derive(Clone, Debug, Default)]
pub struct Routes {
    /// In the order of their paths; for the same path, those with a host before the one without.
    by_path: Vec<Arc<Route>>,
    by_host: Vec<Arc<Route>>,
}

impl Routes {
    /// No routes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route.
    ///
    /// # Errors
    ///
    /// [`RouteError`] if there is already a route for the same path and host, or if the URI of the
    /// gateway or of its keys is not an absolute `https` URI.
    pub fn add(&mut self, route: Route) -> Result<(), RouteError> {
        route.check()?;
        if self.iter().any(|other| other.is_for_the_same(&route)) {
            let host = route.host.as_deref().unwrap_or_default();
            let path = route.path.as_deref().unwrap_or_default();
            return Err(RouteError::Duplicate { path: format!("{host}{path}") });
        }
        match &route.path {
            Some(path) => {
                let key = (path.as_str(), route.host.is_none());
                let at = self
                    .by_path
                    .partition_point(|other| (path_of(other), other.host.is_none()) <= key);
                self.by_path.insert(at, Arc::new(route));
            }
            None => self.by_host.push(Arc::new(route)),
        }
        Ok(())
    }

    /// Adds a route like [`add`](Self::add). If there is one among `before` for the same requests,
    /// with the same gateway and keys, what that one has learned is kept: the keys that clients get,
    /// whether the gateway [answers](crate::Breaker), and where it has moved.
    ///
    /// Use it for routes whose connections are as before too, above all in which authorities they
    /// trust: the keys came over those.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn add_keeping(&mut self, mut route: Route, before: &Self) -> Result<(), RouteError> {
        if let Some(same) = before.iter().find(|other| other.leads_like(&route)) {
            route.learned = Arc::clone(&same.learned);
        }
        self.add(route)
    }

    /// How many routes there are.
    pub fn len(&self) -> usize {
        self.by_path.len() + self.by_host.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.by_path.iter().chain(&self.by_host)
    }

    pub(crate) fn find<B>(&self, request: &Request<B>) -> Option<&Arc<Route>> {
        let path = request.uri().path();
        let from = self.by_path.partition_point(|route| path_of(route) < path);
        let mut with_path = self.by_path[from..].iter().take_while(|route| path_of(route) == path);
        // Most routes have no host, and then that of the request need not be found.
        let takes =
            |route: &&Arc<Route>| route.host.is_none() || route.takes_host(host_of(request));
        with_path.find(takes).or_else(|| self.by_host.iter().find(takes))
    }
}

/// Empty for a route that takes any.
fn path_of(route: &Route) -> &str {
    route.path.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::*;

    fn add(path: &str, gateway: &'static str, allow_http: bool) -> Result<(), RouteError> {
        let route = Route::path(path, Uri::from_static(gateway))?;
        Routes::new().add(if allow_http { route.allow_http() } else { route })
    }

    #[test]
    fn a_path_is_a_path() {
        assert_eq!(add("/", "https://g.example", false), Ok(()));
        assert_eq!(add("/a/b%20c", "https://g.example/x?y=z", false), Ok(()));
        for path in ["", "a", "*", "/a?b", "/a#b", "/a b", "https://r.example/a"] {
            assert_eq!(
                add(path, "https://g.example", false),
                Err(RouteError::Path { path: path.to_owned() })
            );
        }
    }

    #[test]
    fn a_host_has_no_port() {
        let host = |host: &str| Route::host(host, Uri::from_static("https://g.example/"));
        for fine in ["relay.example", "192.0.2.1", "[2001:db8::1]"] {
            assert!(host(fine).is_ok(), "{fine}");
        }
        for wrong in ["", "relay.example:443", "user@relay.example", "a/b", "a b"] {
            assert!(matches!(host(wrong), Err(RouteError::Host { .. })), "{wrong}");
        }
    }

    #[test]
    fn the_most_specific_route_takes_a_request() {
        let gateway = |name: &str| format!("https://{name}.example/").parse::<Uri>().unwrap();
        let mut routes = Routes::new();
        for route in [
            Route::path("/b", gateway("path")),
            Route::path("/a", gateway("a")),
            Route::path("/b", gateway("both")).and_then(|route| route.only_host("r.example")),
            Route::host("r.example", gateway("host")),
            Route::path("/c", gateway("c")).and_then(|route| route.only_host("s.example")),
        ] {
            routes.add(route.unwrap()).unwrap();
        }
        assert_eq!(routes.len(), 5);
        for (uri, expected) in [
            ("https://r.example/b", Some("both.example")),
            ("https://R.EXAMPLE:8443/b", Some("both.example")),
            ("https://other.example/b", Some("path.example")),
            ("/b", Some("path.example")),
            ("/a", Some("a.example")),
            ("https://r.example/a", Some("a.example")),
            ("https://r.example/anything", Some("host.example")),
            ("https://r.example/c", Some("host.example")),
            ("https://s.example/c", Some("c.example")),
            ("https://other.example/c", None),
            ("/c", None),
            ("/", None),
        ] {
            let mut request = Request::new(());
            *request.uri_mut() = uri.parse().unwrap();
            let found = routes.find(&request).map(|route| route.gateway.host().unwrap());
            assert_eq!(found, expected, "{uri}");
        }
        let again = Route::path("/b", gateway("x")).unwrap().only_host("R.example").unwrap();
        assert_eq!(
            routes.add(again),
            Err(RouteError::Duplicate { path: "R.example/b".to_owned() })
        );
    }

    #[test]
    fn two_gateways_cannot_share_a_path() {
        let mut routes = Routes::new();
        let route = |uri| Route::path("/a", Uri::from_static(uri)).unwrap();
        assert_eq!(routes.add(route("https://g.example/1")), Ok(()));
        assert_eq!(
            routes.add(route("https://g.example/2")),
            Err(RouteError::Duplicate { path: "/a".to_owned() })
        );
        let mut request = Request::new(());
        *request.uri_mut() = Uri::from_static("/a");
        assert_eq!(routes.find(&request).unwrap().gateway, "https://g.example/1");
    }

    #[test]
    fn a_gateway_is_an_absolute_uri_without_user() {
        for gateway in ["/gateway", "g.example", "g.example:443", "*"] {
            assert!(
                matches!(add("/", gateway, true), Err(RouteError::NotAbsolute { .. })),
                "{gateway}"
            );
        }
        let error = add("/a", "https://user:secret@g.example/", true).unwrap_err();
        assert!(matches!(error, RouteError::UserInfo { .. }));
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    /// RFC 9458 §6: HTTPS on both sides of a relay.
    #[test]
    fn http_takes_permission() {
        assert!(matches!(add("/", "http://g.example/", false), Err(RouteError::Scheme { .. })));
        assert_eq!(add("/", "http://g.example/", true), Ok(()));
        assert_eq!(add("/", "HTTPS://g.example/", false), Ok(()));
        assert!(matches!(add("/", "ftp://g.example/", true), Err(RouteError::Scheme { .. })));
        let keys = |uri| {
            let route = Route::path("/", Uri::from_static("https://g.example/")).unwrap();
            Routes::new().add(route.keys(Uri::from_static(uri)))
        };
        assert_eq!(keys("https://g.example/keys"), Ok(()));
        assert!(matches!(keys("http://g.example/keys"), Err(RouteError::Scheme { .. })));
    }
}
