//! Where a server knows the addresses of its clients from.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use oblivious_service::{ClientAddress, TrustedProxies};

/// Where a server knows the addresses of its clients from, which it puts into the extensions of
/// requests as [`ClientAddress`]es.
///
/// Choose what the machines in front really do. An address that anybody can claim is worse than
/// none.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum ClientAddresses {
    /// From their connections: clients connect to the server itself.
    #[default]
    Socket,
    /// From the header of the PROXY protocol, version 1 or 2, that every connection begins with,
    /// before TLS. One without is closed, so that nobody else than the balancer gets through; let
    /// nobody else connect to this port all the same.
    ProxyProtocol,
    /// From a field of the request, if the connection is that of a proxy in these networks.
    Proxies(Arc<TrustedProxies>),
}

impl From<TrustedProxies> for ClientAddresses {
    fn from(proxies: TrustedProxies) -> Self {
        Self::Proxies(Arc::new(proxies))
    }
}

/// What is known of the client once a connection stands.
#[derive(Clone)]
pub(crate) enum ConnectionClient {
    Known(ClientAddress),
    Unknown,
    /// Each request tells.
    Told {
        peer: IpAddr,
        proxies: Arc<TrustedProxies>,
    },
}

impl ConnectionClient {
    pub(crate) fn of_request(&self, headers: &HeaderMap) -> Option<ClientAddress> {
        match self {
            Self::Known(client) => Some(*client),
            Self::Unknown => None,
            Self::Told { peer, proxies } => proxies.client(*peer, headers),
        }
    }
}
