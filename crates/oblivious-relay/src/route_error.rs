//! Why a route cannot be served.

use http::Uri;
use thiserror::Error;

/// Why a route cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RouteError {
    /// A request cannot have this path: it must begin with `/` and have no query.
    #[error("{path:?} is not a path: it must begin with '/' and have no query")]
    Path {
        /// The path as given.
        path: String,
    },
    /// The host is not valid, or has a port: the port that a client connects to makes no
    /// difference.
    #[error("{host:?} is not a host: write a name or an address, without a port")]
    Host {
        /// The host as given.
        host: String,
    },
    /// Two routes take the same requests.
    #[error("there is already a route for {path:?}; remove one of them")]
    Duplicate {
        /// The path of both, after the host if they have one.
        path: String,
    },
    /// The gateway's URI has no scheme and host, so it does not say where to connect to.
    #[error("{gateway} is not an absolute URI: write https://HOST/PATH")]
    NotAbsolute {
        /// The URI as given.
        gateway: Uri,
    },
    /// The gateway's URI contains a user name or password, which would not be sent.
    #[error("the URI of the gateway of {path:?} contains a user name or password; remove it")]
    UserInfo {
        /// The name of the route; the URI stays out of messages.
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
