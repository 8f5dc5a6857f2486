//! The resolver of --dns.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use anyhow::Context;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

/// A DNS server, by its address.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DnsServer(SocketAddr);

impl FromStr for DnsServer {
    type Err = std::net::AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
        address.or_else(|_| text.parse()).map(Self)
    }
}

/// A resolver that asks these servers, or those of the system if there are none.
pub(crate) fn resolver(servers: &[DnsServer]) -> anyhow::Result<TokioResolver> {
    const UNREADABLE: &str = "cannot use the system's DNS servers: name one with --dns-servers";
    if servers.is_empty() {
        let system = TokioResolver::builder_tokio().context(UNREADABLE)?;
        return system.build().context(UNREADABLE);
    }
    let servers = servers.iter().map(|DnsServer(address)| {
        let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
        connections.iter_mut().for_each(|connection| connection.port = address.port());
        NameServerConfig::new(address.ip(), true, connections)
    });
    let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.build().context("cannot use the DNS servers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_be_left_out() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1:53"),
            ("192.0.2.1:5353", "192.0.2.1:5353"),
            ("2001:db8::1", "[2001:db8::1]:53"),
            ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
        ] {
            assert_eq!(text.parse(), Ok(DnsServer(expected.parse().unwrap())), "{text}");
        }
        assert!("dns.example".parse::<DnsServer>().is_err());
    }
}
