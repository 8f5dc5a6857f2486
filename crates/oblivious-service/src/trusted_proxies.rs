//! Who the client is, according to a proxy in front.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderName};
use ipnet::IpNet;
use rfc7239::{NodeIdentifier, NodeName};
use thiserror::Error;

use crate::ClientAddress;

/// Proxies that are believed when they say for whom they forward a request, and the header field in
/// which they say so.
///
/// In that field, the last address that is not one of the proxies counts: anything before it was
/// there when the request arrived, so the client may have made it up.
///
/// ```
/// use http::HeaderMap;
/// use oblivious_service::TrustedProxies;
///
/// let proxies = TrustedProxies::new(["10.0.0.0/8", "2001:db8::/32"], "x-forwarded-for")?;
/// let mut headers = HeaderMap::new();
/// headers.insert("x-forwarded-for", "198.51.100.1, 192.0.2.7".parse().unwrap());
///
/// let through_a_proxy = proxies.client([10, 1, 2, 3].into(), &headers).unwrap();
/// assert_eq!(through_a_proxy.ip().to_string(), "192.0.2.7");
/// // Whoever is no proxy speaks for itself.
/// let direct = proxies.client([203, 0, 113, 9].into(), &headers).unwrap();
/// assert_eq!(direct.ip().to_string(), "203.0.113.9");
/// # Ok::<(), oblivious_service::TrustedProxiesError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    field: HeaderName,
}

/// The trusted proxies cannot be set like this.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TrustedProxiesError {
    /// One of the networks is not valid.
    #[error("{0:?} is not a network: write 10.0.0.0/8, 2001:db8::/32, or an address")]
    Network(String),
    /// The name is not that of a header field.
    #[error("{0:?} is not the name of a header field: write x-forwarded-for, for instance")]
    Field(String),
    /// There is no network, so nothing would be trusted.
    #[error("no proxy is trusted: name at least one network")]
    NoNetwork,
}

impl TrustedProxies {
    /// Trusts the proxies in `networks`, which are written as `10.0.0.0/8` or as single addresses.
    ///
    /// `field` is the one that the proxies set or append to: `Forwarded` (RFC 7239), or one that
    /// only has addresses separated by commas, such as `X-Forwarded-For`.
    ///
    /// # Errors
    /// If a network or the name of the field is not valid, or there is no network.
    pub fn new<N: AsRef<str>>(
        networks: impl IntoIterator<Item = N>,
        field: &str,
    ) -> Result<Self, TrustedProxiesError> {
        let network = |text: N| {
            let text = text.as_ref();
            let parsed = text.parse().or_else(|_| text.parse().map(|ip: IpAddr| ip.into()));
            parsed.map_err(|_| TrustedProxiesError::Network(text.to_owned()))
        };
        let networks = networks.into_iter().map(network).collect::<Result<Vec<_>, _>>()?;
        if networks.is_empty() {
            return Err(TrustedProxiesError::NoNetwork);
        }
        let field = field.parse().map_err(|_| TrustedProxiesError::Field(field.to_owned()))?;
        Ok(Self { networks, field })
    }

    /// Who sent a request with these fields that came from `peer`.
    ///
    /// `None` when `peer` is a proxy that does not say, or that says something other than
    /// addresses.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Option<ClientAddress> {
        if !self.trusts(peer) {
            return Some(peer.into());
        }
        let mut first = None;
        for value in headers.get_all(&self.field).iter().rev() {
            let value = value.to_str().ok()?;
            if self.field == FORWARDED {
                if has_quoted_separator(value) {
                    return None;
                }
                for node in rfc7239::parse(value).rev() {
                    let address = node_address(&node.ok()?.forwarded_for?)?;
                    if !self.trusts(address) {
                        return Some(address.into());
                    }
                    first = Some(address);
                }
            } else {
                for text in value.rsplit(',') {
                    let address = address(text.trim())?;
                    if !self.trusts(address) {
                        return Some(address.into());
                    }
                    first = Some(address);
                }
            }
        }
        // One of the proxies asks on its own behalf.
        first.map(ClientAddress::from)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// Whether a quoted string of `Forwarded` holds what separates elements and pairs outside of one.
///
/// RFC 7239 §4 allows it, in a `host` that the client chose for instance; the parser takes it for
/// a separator, so that a client could give itself an address.
fn has_quoted_separator(value: &str) -> bool {
    let (mut is_quoted, mut is_escaped) = (false, false);
    value.chars().any(|character| {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        is_quoted && matches!(character, ',' | ';')
    })
}

fn node_address(node: &NodeIdentifier<'_>) -> Option<IpAddr> {
    match node.name {
        NodeName::Ip(address) => Some(address),
        _ => None,
    }
}

/// An address, with a port or without; one of IPv6 with brackets or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(field: &str, lines: &[&str]) -> Option<String> {
        let proxies = TrustedProxies::new(["10.0.0.0/8", "::1"], field).unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            let name = HeaderName::try_from(field).unwrap();
            headers.append(name, line.parse().unwrap());
        }
        let found = proxies.client("::ffff:10.0.0.1".parse().unwrap(), &headers);
        found.map(|client| client.ip().to_string())
    }

    #[test]
    fn the_last_address_that_is_no_proxy_counts() {
        for (lines, expected) in [
            (&["192.0.2.7"][..], Some("192.0.2.7")),
            (&["192.0.2.7:4711"], Some("192.0.2.7")),
            (&["1.1.1.1, 192.0.2.7 ,10.9.9.9"], Some("192.0.2.7")),
            (&["1.1.1.1", "192.0.2.7", "10.9.9.9, ::1"], Some("192.0.2.7")),
            (&["2001:db8::7"], Some("2001:db8::7")),
            (&["[2001:db8::7]:4711"], Some("2001:db8::7")),
            (&["[2001:db8::7]"], Some("2001:db8::7")),
            (&["::ffff:192.0.2.7"], Some("192.0.2.7")),
            (&["10.0.0.9, 10.0.0.8"], Some("10.0.0.9")),
            // Whatever is before it is the client's business.
            (&["junk, 192.0.2.7"], Some("192.0.2.7")),
            (&["192.0.2.7, junk"], None),
            (&["192.0.2.7, "], None),
            (&["unknown"], None),
            (&[""], None),
            (&[], None),
        ] {
            let expected = expected.map(str::to_owned);
            assert_eq!(client("x-forwarded-for", lines), expected, "{lines:?}");
        }
    }

    /// RFC 7239 §4: a client can have its proxy quote what it likes.
    #[test]
    fn nobody_gives_himself_an_address_in_quotes() {
        for host in ["a;for=203.0.113.9", "a, for=203.0.113.9", "a\\\";for=203.0.113.9"] {
            let line = format!("for=192.0.2.7;host=\"{host}\"");
            assert_eq!(client("forwarded", &[&line]), None, "{line}");
        }
        let quoted = "for=\"[2001:db8::7]:4711\";host=\"a\"";
        assert_eq!(client("forwarded", &[quoted]).as_deref(), Some("2001:db8::7"));
    }

    /// RFC 7239 §4 to §6
    #[test]
    fn forwarded_is_understood() {
        for (lines, expected) in [
            (&["for=192.0.2.7;proto=https;by=10.0.0.1"][..], Some("192.0.2.7")),
            (&["For=\"[2001:db8:cafe::17]:4711\""], Some("2001:db8:cafe::17")),
            (&["for=1.1.1.1, for=192.0.2.7", "for=10.0.0.5"], Some("192.0.2.7")),
            (&["for=unknown"], None),
            (&["for=_hidden"], None),
            (&["for=192.0.2.7, proto=http"], None),
        ] {
            let expected = expected.map(str::to_owned);
            assert_eq!(client("forwarded", lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn what_is_no_setting_says_so() {
        let none: [&str; 0] = [];
        for (networks, field, error) in [
            (&["10.0.0.0/33"][..], "a", TrustedProxiesError::Network("10.0.0.0/33".into())),
            (&["example.com"], "a", TrustedProxiesError::Network("example.com".into())),
            (&["10.0.0.1"], "a b", TrustedProxiesError::Field("a b".into())),
            (&none, "a", TrustedProxiesError::NoNetwork),
        ] {
            assert_eq!(TrustedProxies::new(networks, field).unwrap_err(), error);
        }
    }
}
