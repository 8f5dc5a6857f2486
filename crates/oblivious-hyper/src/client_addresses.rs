//! How a server learns the addresses of its clients.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use oblivious_service::{ClientAddress, TrustedProxies};

/// Where a server knows the addresses of its clients from, which it puts into the extensions of
/// requests as [`ClientAddress`]es.
///
/// Choose what the machines in front really do. An address that anyone can claim is worse than
/// none.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum ClientAddresses {
    /// From their connections: clients connect to the server itself.
    #[default]
    Socket,
    /// From the header of the PROXY protocol, version 1 or 2, that every connection begins with,
    /// before TLS. A connection without one is closed, so only the balancer gets through; still,
    /// let nothing else connect to this port.
    ProxyProtocol,
    /// From a field of the request, if the connection comes from a proxy in these networks.
    Proxies(Arc<TrustedProxies>),
}

impl From<TrustedProxies> for ClientAddresses {
    fn from(proxies: TrustedProxies) -> Self {
        Self::Proxies(Arc::new(proxies))
    }
}

/// What is known of the client once it has connected.
#[derive(Clone)]
pub(crate) enum ConnectionClient {
    Known(ClientAddress),
    Unknown,
    /// Each request says.
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
