//! Targets that are elsewhere than their name says.

use thiserror::Error;

use super::{
    Origin,
    host::Host,
    origin::{default_port, parse_port},
};

/// Sends the requests for one host to another origin, which the operator vouches for: it may have
/// addresses that are not public. That origin itself is a target only for a rule that names it, or
/// one that is [internal](crate::TargetRule::internal).
///
/// The rules decide on the host that the client names, and the target is told that one in `host`,
/// as by the Go gateway. The URI gets scheme, host and port of the destination: whom to connect to,
/// and in what name its certificate must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    host: Host,
    /// `None` is the scheme's own.
    port: Option<u16>,
    to: Origin,
}

impl Rewrite {
    /// Requests for `from`, a host or `host:port`, go to `to`. Without a port, those for the
    /// port of their scheme are meant.
    ///
    /// # Errors
    /// [`RewriteError`] if `from` is anything else.
    pub fn new(from: &str, to: Origin) -> Result<Self, RewriteError> {
        let invalid = || RewriteError(from.to_owned());
        let (host, port) = match from.rsplit_once(':') {
            // The colons within the brackets of an address are no port's.
            Some((host, port)) if !port.ends_with(']') => {
                (host, Some(parse_port(port).ok_or_else(invalid)?))
            }
            _ => (from, None),
        };
        Ok(Self { host: Host::parse(host).ok_or_else(invalid)?, port, to })
    }

    /// Where the requests go.
    pub fn to(&self) -> &Origin {
        &self.to
    }

    pub(super) fn applies_to(&self, origin: &Origin) -> bool {
        let port = self.port.or_else(|| default_port(&origin.scheme));
        self.host == origin.host && port == Some(origin.port)
    }
}

/// The text is no host whose requests could be sent elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a host: write it as in a URI, with a port if it is not the scheme's own")]
pub struct RewriteError(String);
