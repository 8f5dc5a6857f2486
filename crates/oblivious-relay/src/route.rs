//! The fixed mapping from the paths of a relay to gateways (RFC 9458 §8.2).

use http::Uri;
use http::uri::{PathAndQuery, Scheme};
use thiserror::Error;

/// Why a route cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RouteError {
    /// The path is not one that a request can have: it must begin with `/` and have no query.
    #[error("{path:?} is no path: it must begin with '/' and have no query")]
    Path {
        /// The path as given.
        path: String,
    },
    /// Two routes have the same path.
    #[error("there already is a route for {path:?}")]
    Duplicate {
        /// The path of both.
        path: String,
    },
    /// The gateway's URI names no scheme and host, so that nobody knows where to connect to.
    #[error("{gateway} is no absolute URI: write https://HOST/PATH")]
    NotAbsolute {
        /// The URI as given.
        gateway: Uri,
    },
    /// The gateway's URI holds a user name or password, which would not be sent.
    #[error("the URI of the gateway of {path:?} holds a user name or password")]
    UserInfo {
        /// The path of the route; the URI stays out of messages.
        path: String,
    },
    /// The gateway's URI has a scheme other than `https` (RFC 9458 §6 asks for HTTPS), and other
    /// than `http` where that is allowed.
    #[error("{gateway} is not https (http gateways must be allowed before their routes are added)")]
    Scheme {
        /// The URI as given.
        gateway: Uri,
    },
}

/// A path of the relay, and where its requests go.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) path: String,
    pub(crate) gateway: Uri,
}

/// All routes; few, so that a search is as good as a map.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes {
    routes: Vec<Route>,
}

impl Routes {
    pub(crate) fn add(
        &mut self,
        path: &str,
        gateway: Uri,
        allow_http: bool,
    ) -> Result<(), RouteError> {
        let path = path.to_owned();
        let parsed = path.parse::<PathAndQuery>();
        if !path.starts_with('/') || parsed.map_or(true, |parsed| parsed.path() != path) {
            return Err(RouteError::Path { path });
        }
        if self.find(&path).is_some() {
            return Err(RouteError::Duplicate { path });
        }
        let (Some(scheme), Some(authority)) = (gateway.scheme(), gateway.authority()) else {
            return Err(RouteError::NotAbsolute { gateway });
        };
        if authority.as_str().contains('@') {
            return Err(RouteError::UserInfo { path });
        }
        if authority.host().is_empty() {
            return Err(RouteError::NotAbsolute { gateway });
        }
        if *scheme != Scheme::HTTPS && !(allow_http && *scheme == Scheme::HTTP) {
            return Err(RouteError::Scheme { gateway });
        }
        self.routes.push(Route { path, gateway });
        Ok(())
    }

    /// The route with exactly this path.
    pub(crate) fn find(&self, path: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.path == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(path: &str, gateway: &'static str, allow_http: bool) -> Result<(), RouteError> {
        Routes::default().add(path, Uri::from_static(gateway), allow_http)
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
    fn two_gateways_cannot_share_a_path() {
        let mut routes = Routes::default();
        assert_eq!(routes.add("/a", Uri::from_static("https://g.example/1"), false), Ok(()));
        assert_eq!(
            routes.add("/a", Uri::from_static("https://g.example/2"), false),
            Err(RouteError::Duplicate { path: "/a".to_owned() })
        );
        assert_eq!(routes.find("/a").unwrap().gateway, "https://g.example/1");
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
    }
}
