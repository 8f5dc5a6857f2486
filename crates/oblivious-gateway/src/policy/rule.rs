//! What is allowed.

use std::{fmt, net::IpAddr, str::FromStr};

use http::{Method, Uri};
use thiserror::Error;

use super::{Origin, PathPrefix, host::Host};

/// One kind of request that a gateway may make: an origin, or all subdomains of a host, and
/// optionally only some methods and paths.
///
/// ```
/// use http::Method;
/// use oblivious_gateway::TargetRule;
///
/// // As a whole, with a path prefix ...
/// let rule: TargetRule = "https://*.example.com/api".parse()?;
/// // ... or step by step.
/// let rule = rule.method(Method::GET).method(Method::POST).path_prefix("/status".parse()?);
/// # let _ = rule;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRule {
    origin: Origin,
    hosts: Hosts,
    methods: Vec<Method>,
    path_prefixes: Vec<PathPrefix>,
    internal: bool,
}

/// The hosts that a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hosts {
    /// That of the origin.
    One,
    /// All names below it.
    Subdomains,
    /// All, at any port.
    Any,
}

impl TargetRule {
    /// Allows every `https` target whose addresses are [public](crate::is_public).
    pub fn any_https() -> Self {
        let host = Host::Name("invalid".to_owned());
        let origin = Origin { scheme: http::uri::Scheme::HTTPS, host, port: 443 };
        Self { hosts: Hosts::Any, ..Self::new(origin) }
    }

    /// Allows every request to one origin.
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            hosts: Hosts::One,
            methods: Vec::new(),
            path_prefixes: Vec::new(),
            internal: false,
        }
    }

    /// Allows a method. By default all are allowed, except CONNECT and TRACE, which never are.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.methods.push(method);
        self
    }

    /// Allows paths below a prefix. By default all are allowed.
    #[must_use]
    pub fn path_prefix(mut self, prefix: PathPrefix) -> Self {
        self.path_prefixes.push(prefix);
        self
    }

    /// Sets whether the host is the operator's own, and may have addresses that are not
    /// [public](crate::is_public). A rule that names an address always allows that very address.
    ///
    /// Connections are shared by all requests to an origin, so this holds for the origin, not
    /// only for the methods and paths of this rule.
    #[must_use]
    pub fn internal(mut self, internal: bool) -> Self {
        self.internal = internal;
        self
    }

    pub(super) fn allows(&self, origin: &Origin, method: &Method, path: &str) -> bool {
        self.is_for(origin)
            && (self.methods.is_empty() || self.methods.contains(method))
            && (self.path_prefixes.is_empty()
                || self.path_prefixes.iter().any(|prefix| prefix.covers(path)))
    }

    /// Whether the rule lets `origin` be reached at this address.
    pub(super) fn permits(&self, origin: &Origin, address: IpAddr) -> bool {
        self.is_for(origin) && (self.internal || self.origin.host.address() == Some(address))
    }

    /// Whether the rule lets `origin` be reached at addresses that are not public.
    pub(super) fn is_internal(&self, origin: &Origin) -> bool {
        self.is_for(origin) && (self.internal || self.origin.host.address().is_some())
    }

    /// Whether the rule was made with `origin` in mind.
    pub(super) fn names(&self, origin: &Origin) -> bool {
        self.is_internal(origin) || (matches!(self.hosts, Hosts::One) && self.origin == *origin)
    }

    pub(super) fn is_for(&self, origin: &Origin) -> bool {
        match self.hosts {
            Hosts::One => return self.origin == *origin,
            Hosts::Any => return self.origin.scheme == origin.scheme,
            Hosts::Subdomains => {}
        }
        let (Host::Name(parent), Host::Name(name)) = (&self.origin.host, &origin.host) else {
            return false;
        };
        let below = name.strip_suffix(parent.as_str()).is_some_and(|label| label.ends_with('.'));
        below && self.origin.scheme == origin.scheme && self.origin.port == origin.port
    }
}

impl From<Origin> for TargetRule {
    fn from(origin: Origin) -> Self {
        Self::new(origin)
    }
}

impl FromStr for TargetRule {
    type Err = TargetRuleError;

    /// Reads an origin, `*.` before its host for all subdomains (but not the host itself), and
    /// optionally a path prefix.
    fn from_str(text: &str) -> Result<Self, TargetRuleError> {
        let invalid = || TargetRuleError(text.to_owned());
        let subdomains = text.split_once("://").is_some_and(|(_, rest)| rest.starts_with("*."));
        let one_host = if subdomains { text.replacen("*.", "", 1) } else { text.to_owned() };
        let uri: Uri = one_host.parse().map_err(|_| invalid())?;
        let origin = Origin::of(&uri).ok_or_else(invalid)?;
        let no_subdomains = origin.host.address().is_some();
        if text.contains(['?', '#']) || (subdomains && no_subdomains) {
            return Err(invalid());
        }
        let hosts = if subdomains { Hosts::Subdomains } else { Hosts::One };
        let mut rule = Self { hosts, ..Self::new(origin) };
        if uri.path() != "/" {
            rule = rule.path_prefix(uri.path().parse().map_err(|_| invalid())?);
        }
        Ok(rule)
    }
}

/// In the form that [`FromStr`] reads, as far as it goes: methods and whether a host is internal
/// are not shown, only the first of several path prefixes is, and `https://*` stands for any host.
impl fmt::Display for TargetRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origin { scheme, host, port } = &self.origin;
        match self.hosts {
            Hosts::One => write!(f, "{scheme}://{host}:{port}")?,
            Hosts::Subdomains => write!(f, "{scheme}://*.{host}:{port}")?,
            Hosts::Any => write!(f, "{scheme}://*")?,
        }
        self.path_prefixes.first().map_or(Ok(()), |prefix| prefix.fmt(f))
    }
}

/// The text is not a rule for targets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not a rule for targets: write an origin, with *. before the host for all its \
     subdomains, and a path prefix or none, as in https://example.com or https://*.example.com/api"
)]
pub struct TargetRuleError(String);
