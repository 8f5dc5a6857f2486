//! Targets that are not where their name says.

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
/// The rules decide on the host that the client names, and the target still sees that name in
/// `host`, as with the Go gateway. The URI gets scheme, host and port of the destination: these say
/// where to connect to, and what name the certificate must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    host: Host,
    /// `None` is the scheme's own.
    port: Option<u16>,
    to: Origin,
}

impl Rewrite {
    /// Requests for `from`, a host or `host:port`, go to `to`. Without a port, this applies to
    /// requests for the default port of their scheme.
    ///
    /// # Errors
    /// [`RewriteError`] if `from` is anything else.
    pub fn new(from: &str, to: Origin) -> Result<Self, RewriteError> {
        let invalid = || RewriteError(from.to_owned());
        let (host, port) = match from.rsplit_once(':') {
            // Colons within the brackets of an address do not precede a port.
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

/// The text is not a host whose requests could be sent elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a host: write it as in a URI, with a port if it is not the scheme's own")]
pub struct RewriteError(String);
