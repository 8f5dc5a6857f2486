//! Who the client is, according to a proxy in front.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderName};
use ipnet::IpNet;
use thiserror::Error;

use crate::ClientAddress;
use crate::forwarded::forwarded_for;

/// Proxies that are believed when they say for whom they forward a request, and the header field in
/// which they say so.
///
/// In that field, the last address that is not one of the proxies counts: anything before it was
/// there when the request arrived, so the client may have made it up.
///
/// A proxy must not write anything into that field that the client could use to end its part of it:
/// in `Forwarded`, a `host` that the client chose must be in quotes, as RFC 7239 §4 requires, or
/// left out. A line that is not as RFC 7239 has it is not believed.
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
            for address in self.addresses(value.to_str().ok()?)?.into_iter().rev() {
                let address = address?;
                if !self.trusts(address) {
                    return Some(address.into());
                }
                first = Some(address);
            }
        }
        // One of the proxies asks on its own behalf.
        first.map(ClientAddress::from)
    }

    /// What a line of the field names, in order; `None` for what is no address.
    fn addresses(&self, line: &str) -> Option<Vec<Option<IpAddr>>> {
        if self.field == FORWARDED {
            let nodes = forwarded_for(line)?;
            return Some(nodes.into_iter().map(|node| address(&node?)).collect());
        }
        Some(line.split(',').map(|text| address(text.trim())).collect())
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
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

    /// RFC 7239 §4: whatever a client sends as its host, and whatever it already has in the field,
    /// the address that the proxy saw is the one that counts, or none does.
    #[test]
    fn nobody_gives_himself_an_address() {
        let proxy = "for=192.0.2.7";
        let hosts = [
            "a;for=203.0.113.9",
            "a;FOR=203.0.113.9",
            "a; for=203.0.113.9",
            "a;for=\"203.0.113.9\"",
            "a;x=\";for=203.0.113.9",
            "a\\",
            "a\\\";for=203.0.113.9",
            "\";for=203.0.113.9;x=\"",
            "\", for=203.0.113.9;x=\"",
            "",
            " ",
            "=",
            ";",
            "for=203.0.113.9",
        ];
        let before = [
            "",
            "for=203.0.113.9, ",
            "for=203.0.113.9;x=\", ",
            "for=203.0.113.9;x=\"\\, ",
            "for=203.0.113.9;x=\\\", ",
            "\", ",
            "junk, ",
            ", ",
            "for=203.0.113.9;",
        ];
        for host in hosts {
            let quoted = host.replace('\\', "\\\\").replace('"', "\\\"");
            for before in before {
                for (line, is_right) in [
                    // As RFC 7239 has it.
                    (format!("{before}{proxy};host=\"{quoted}\""), true),
                    (format!("{before}host=\"{quoted}\";{proxy}"), true),
                    (format!("{before}for=\"192.0.2.7:80\";host=\"{quoted}\";proto=http"), true),
                    // By proxies that quote nothing, or without care.
                    (format!("{before}{proxy};host={host}"), false),
                    (format!("{before}{proxy};host=\"{host}\""), false),
                    (format!("{before}host={host};{proxy}"), false),
                    (format!("{before}host=\"{host}\";{proxy}"), false),
                ] {
                    // A comma that nothing protects ends the proxy's own part: no reader can tell.
                    if !is_right && host.contains(',') {
                        continue;
                    }
                    let found = client("forwarded", &[&line]);
                    assert!(
                        matches!(found.as_deref(), None | Some("192.0.2.7")),
                        "{line}: {found:?}"
                    );
                    if is_right && before.is_empty() {
                        assert_eq!(found.as_deref(), Some("192.0.2.7"), "{line}");
                    }
                }
            }
        }
        // What is on lines of its own is nobody else's.
        let lines = ["for=203.0.113.9;x=\"", "for=192.0.2.7;host=\"a\"", "for=10.0.0.5"];
        assert_eq!(client("forwarded", &lines).as_deref(), Some("192.0.2.7"));
        assert_eq!(client("forwarded", &["for=203.0.113.9", "for=\""]), None);
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
