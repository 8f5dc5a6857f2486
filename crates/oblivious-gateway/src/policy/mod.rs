//! Which targets a gateway asks (RFC 9458 §6.3).

mod host;
mod origin;
mod path;
mod rewrite;
mod rule;
mod uri_path;

use std::net::IpAddr;

use http::{
    HeaderValue, Method, Uri,
    uri::{Parts, PathAndQuery},
};
use thiserror::Error;

pub use origin::{Origin, OriginError};
pub use path::{PathPrefix, PathPrefixError};
pub use rewrite::{Rewrite, RewriteError};
pub use rule::{TargetRule, TargetRuleError};

use crate::is_public;
use uri_path::is_path_and_query;

/// The targets that a gateway may ask. Whatever is not allowed is denied.
///
/// The effective authority of a request decides (RFC 9292 §3.4 and §5). It is also the only one
/// that the target sees.
///
/// Host names are one half of the decision; the addresses that they resolve to are the other. Code
/// that connects to the target must ask [`permits_address`](Self::permits_address) about the very
/// address that it connects to: by default it must be [public](is_public).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetPolicy {
    rules: Vec<TargetRule>,
    rewrites: Vec<Rewrite>,
}

impl TargetPolicy {
    /// Denies every target.
    pub fn deny_all() -> Self {
        Self::default()
    }

    /// Allows what another rule says, or another [`Origin`] with all its paths.
    #[must_use]
    pub fn allow(mut self, rule: impl Into<TargetRule>) -> Self {
        self.rules.push(rule.into());
        self
    }

    /// Sends allowed requests elsewhere. Only the first rewrite that matches is applied.
    #[must_use]
    pub fn rewrite(mut self, rewrite: Rewrite) -> Self {
        self.rewrites.push(rewrite);
        self
    }

    /// Decides on a request with this method for `uri`, and says where to send it.
    ///
    /// # Errors
    /// A [`PolicyError`] if the request may not be made.
    pub fn admit(&self, method: &Method, uri: &Uri) -> Result<Admitted, PolicyError> {
        if matches!(*method, Method::CONNECT | Method::TRACE) {
            return Err(PolicyError::Method);
        }
        if uri.authority().is_none_or(|authority| authority.as_str().contains('@')) {
            return Err(PolicyError::NotAnOrigin);
        }
        if !uri.path_and_query().is_none_or(is_path_and_query) {
            return Err(PolicyError::InvalidPath);
        }
        let origin = Origin::of(uri).ok_or(PolicyError::NotAllowed)?;
        // The destination of a rewrite may be reached at any address, so a rule that happens to
        // cover it, such as one for all subdomains, does not make it a target.
        let vouched_for = self.leads_to(&origin);
        let allows = |rule: &TargetRule| {
            rule.allows(&origin, method, uri.path()) && (!vouched_for || rule.names(&origin))
        };
        if !self.rules.iter().any(allows) {
            return Err(PolicyError::NotAllowed);
        }
        match self.rewrites.iter().find(|rewrite| rewrite.applies_to(&origin)) {
            Some(rewrite) => Ok(Admitted {
                uri: at_origin(uri, rewrite.to()).ok_or(PolicyError::NotAnOrigin)?,
                host: Some(host_field(uri).ok_or(PolicyError::NotAnOrigin)?),
                addresses: TargetAddresses::Internal,
            }),
            None => Ok(Admitted {
                uri: uri.clone(),
                host: None,
                addresses: if self.rules.iter().any(|rule| rule.is_internal(&origin)) {
                    TargetAddresses::Internal
                } else {
                    TargetAddresses::Public
                },
            }),
        }
    }

    /// Whether a connection for requests to `uri`, as [`Admitted`] has it, may go to `address`.
    ///
    /// It may if the address is [public](is_public), a rule names it as host, or the host is
    /// [internal](TargetRule::internal) or the destination of a [`Rewrite`]. It never may if
    /// nothing in the policy leads to the origin of `uri`.
    pub fn permits_address(&self, uri: &Uri, address: IpAddr) -> bool {
        let Some(origin) = Origin::of(uri) else { return false };
        // If the host is an address, connections go only to that address.
        if origin.host.address().is_some_and(|named| named != address) {
            return false;
        }
        self.leads_to(&origin)
            || self.rules.iter().any(|rule| {
                rule.permits(&origin, address) || (rule.is_for(&origin) && is_public(address))
            })
    }

    /// Whether a [`Rewrite`] sends requests to the origin of `uri`. Some of them then have a `host`
    /// that differs from the URI's, which HTTP/2 cannot express: its `:authority` must not
    /// contradict it (RFC 9113 §8.3.1). So they go over HTTP/1.1.
    pub fn is_destination(&self, uri: &Uri) -> bool {
        Origin::of(uri).is_some_and(|origin| self.leads_to(&origin))
    }

    fn leads_to(&self, origin: &Origin) -> bool {
        self.rewrites.iter().any(|rewrite| rewrite.to() == origin)
    }
}

impl From<Origin> for TargetPolicy {
    fn from(origin: Origin) -> Self {
        TargetRule::from(origin).into()
    }
}

impl From<TargetRule> for TargetPolicy {
    fn from(rule: TargetRule) -> Self {
        Self::deny_all().allow(rule)
    }
}

impl FromIterator<Origin> for TargetPolicy {
    fn from_iter<I: IntoIterator<Item = Origin>>(origins: I) -> Self {
        origins.into_iter().map(TargetRule::new).collect()
    }
}

impl FromIterator<TargetRule> for TargetPolicy {
    fn from_iter<I: IntoIterator<Item = TargetRule>>(rules: I) -> Self {
        Self { rules: rules.into_iter().collect(), rewrites: Vec::new() }
    }
}

/// A request that may be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admitted {
    /// The URI to ask: that of the request, with scheme and authority as a [`Rewrite`] has them.
    pub uri: Uri,
    /// The value of `host`, if a [`Rewrite`] makes it differ from `uri`.
    pub host: Option<HeaderValue>,
    /// The addresses at which the target may be reached.
    pub addresses: TargetAddresses,
}

/// The addresses at which a target may be reached: an extension of the request that the target
/// service gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetAddresses {
    /// Only [public](is_public) ones.
    Public,
    /// All of the host's addresses: the host is itself an address, or is the operator's own.
    Internal,
}

impl TargetAddresses {
    /// Whether a connection may go to `address`, one of the target's addresses.
    pub fn permits(self, address: IpAddr) -> bool {
        self == Self::Internal || is_public(address)
    }
}

/// Why a request may not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// CONNECT or TRACE.
    #[error("CONNECT and TRACE are not forwarded")]
    Method,
    /// The request is not for a host and port, or has userinfo.
    #[error("the authority must be a host with an optional port")]
    NotAnOrigin,
    /// The path or the query has characters that must be percent-encoded (RFC 3986 §3.3, §3.4).
    #[error("the path or the query has characters that a URI must not have: percent-encode them")]
    InvalidPath,
    /// No rule allows it.
    #[error("no rule allows this request: add one for its origin, method and path")]
    NotAllowed,
}

fn host_field(uri: &Uri) -> Option<HeaderValue> {
    HeaderValue::from_str(uri.authority()?.as_str()).ok()
}

/// The same path and query at another origin.
fn at_origin(uri: &Uri, origin: &Origin) -> Option<Uri> {
    let mut parts = Parts::default();
    parts.scheme = Some(origin.scheme.clone());
    parts.authority = Some(origin.authority()?);
    let root = || PathAndQuery::from_static("/");
    parts.path_and_query = Some(uri.path_and_query().cloned().unwrap_or_else(root));
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(policy: &TargetPolicy, uri: &str) -> bool {
        policy.admit(&Method::GET, &uri.parse().unwrap()).is_ok()
    }

    fn policy(origins: &[&str]) -> TargetPolicy {
        origins.iter().map(|origin| origin.parse::<Origin>().unwrap()).collect()
    }

    /// RFC 9458 §6.3
    #[test]
    fn nothing_is_allowed_by_default() {
        assert!(!allows(&TargetPolicy::default(), "https://example.com/"));
        assert!(!allows(&TargetPolicy::deny_all(), "https://example.com/"));
    }

    /// RFC 9110 §4.2.3
    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let policy = policy(&["https://Example.com", "http://localhost:8080/"]);
        for allowed in [
            "https://example.com/",
            "https://EXAMPLE.com:443/any/path?query",
            "HTTPS://example.com",
            "http://localhost:8080/",
        ] {
            assert!(allows(&policy, allowed), "{allowed}");
        }
        for denied in [
            "http://example.com/",
            "https://example.com:444/",
            "https://example.com./",
            "https://www.example.com/",
            "https://example.com.evil.test/",
            "http://localhost/",
            "https://localhost:8080/",
            "ftp://example.com/",
            "/relative",
            "*",
            "example.com:443",
        ] {
            assert!(!allows(&policy, denied), "{denied}");
        }
    }

    /// Userinfo must not make one host look like another.
    #[test]
    fn userinfo_does_not_hide_the_host() {
        let policy = policy(&["https://example.com"]);
        assert!(!allows(&policy, "https://example.com@evil.test/"));
        assert!(!allows(&policy, "https://example.com:443@evil.test/"));
    }

    #[test]
    fn addresses_are_hosts_too() {
        let policy = policy(&["http://127.0.0.1:81", "http://[::1]:82"]);
        assert!(allows(&policy, "http://127.0.0.1:81/"));
        assert!(allows(&policy, "http://[::1]:82/x"));
        assert!(!allows(&policy, "http://[::1]:81/"));
        assert!(!allows(&policy, "http://127.0.0.1/"));
    }
}
