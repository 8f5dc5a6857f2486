//! Why a route cannot be served.

use http::Uri;
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
    /// The host is none, or has a port: which port a client connects to makes no difference.
    #[error("{host:?} is no host: write a name or an address, without a port")]
    Host {
        /// The host as given.
        host: String,
    },
    /// Two routes take the same requests.
    #[error("there already is a route for {path:?}")]
    Duplicate {
        /// The path of both, behind the host if they have one.
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
