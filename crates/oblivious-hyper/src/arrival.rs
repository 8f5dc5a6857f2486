//! Who a connection comes from, which each of its requests says.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use http::request::Parts;
use tokio::net::TcpStream;

use crate::client_addresses::{ClientAddresses, ConnectionClient};
use crate::proxy_protocol::{self, ProxiedFor};

/// The address of the peer of a connection, in the extensions of every request that came over it.
/// Its `Debug` does not show it. Behind a balancer or a proxy it is theirs; that of the client is a
/// [`ClientAddress`](oblivious_service::ClientAddress).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

impl fmt::Debug for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerAddr").finish_non_exhaustive()
    }
}

/// In the extensions of every request that came over a connection whose peer showed a certificate
/// of a trusted authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientCertificate;

/// A connection of which only the peer is known so far.
pub(crate) struct Arriving {
    pub(crate) peer: SocketAddr,
    pub(crate) addresses: ClientAddresses,
}

/// What the requests of a connection have in common.
#[derive(Clone)]
pub(crate) struct Arrival {
    pub(crate) peer: SocketAddr,
    pub(crate) client: ConnectionClient,
    /// The peer has shown a certificate.
    pub(crate) certificate: bool,
}

impl Arriving {
    /// Finds out who the client is, if the connection says so.
    pub(crate) async fn arrive(self, stream: &mut TcpStream) -> io::Result<Arrival> {
        let own = self.peer.ip();
        let client = match self.addresses {
            ClientAddresses::Socket => ConnectionClient::Known(own.into()),
            ClientAddresses::Proxies(proxies) => ConnectionClient::Told { peer: own, proxies },
            ClientAddresses::ProxyProtocol => match proxy_protocol::read(stream).await? {
                ProxiedFor::Client(client) => ConnectionClient::Known(client.into()),
                ProxiedFor::Itself => ConnectionClient::Known(own.into()),
                ProxiedFor::Unknown => ConnectionClient::Unknown,
            },
        };
        Ok(Arrival { peer: self.peer, client, certificate: false })
    }
}

impl Arrival {
    /// Says so in the head of a request.
    pub(crate) fn mark(&self, head: &mut Parts) {
        if let Some(client) = self.client.of_request(&head.headers) {
            head.extensions.insert(client);
        }
        head.extensions.insert(PeerAddr(self.peer));
        if self.certificate {
            head.extensions.insert(ClientCertificate);
        }
    }
}
