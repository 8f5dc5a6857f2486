//! The way out of a gateway: connections go only to addresses that its policy permits.
//!
//! A name is looked up once for each connection, the addresses that the policy does not permit
//! are dropped, and the connection goes to one of the others. There is no second look-up between
//! the check and the connection whose answer could be a different one (DNS rebinding).

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use oblivious_http::gateway::TargetPolicy;
use oblivious_http::service::BoxError;
use thiserror::Error;
use tokio::net::TcpStream;
use tower::service_fn;
use tower_service::Service;

use crate::http_client::{self, HttpClient};

/// How long it may take until a TCP connection stands.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Looks up the addresses of a name.
pub type Resolver = Arc<dyn Fn(String) -> Resolving + Send + Sync>;

/// The addresses of a name, when they are known.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// A client whose connections go only where `policy` permits. Names are looked up as the system
/// does.
///
/// A request to a target that has no permitted address fails as if the target could not be
/// reached: the gateway answers with an encapsulated 502, from which nobody learns what names lead
/// to inside.
pub fn client(policy: TargetPolicy, tls: rustls::ClientConfig) -> HttpClient {
    client_with_resolver(policy, tls, Arc::new(|name| Box::pin(look_up(name))))
}

/// As [`client`], with a resolver of its own.
pub fn client_with_resolver(
    policy: TargetPolicy,
    tls: rustls::ClientConfig,
    resolver: Resolver,
) -> HttpClient {
    http_client::with_connector(tls, Connector { policy: Some(Arc::new(policy)), resolver })
}

async fn look_up(name: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
}

/// Every address of the target is one that the policy does not permit.
#[derive(Clone, Copy, Debug, Error)]
#[error(
    "the target has no address that the policy permits: name the address in a rule, or mark the \
     host as internal, if it is meant to be reached"
)]
pub struct AddressRefused;

/// Connects to the addresses that a policy permits, or to any if there is none.
#[derive(Clone)]
pub(crate) struct Connector {
    policy: Option<Arc<TargetPolicy>>,
    resolver: Resolver,
}

impl Connector {
    pub(crate) fn unguarded() -> Self {
        Self { policy: None, resolver: Arc::new(|name| Box::pin(look_up(name))) }
    }

    /// Whether requests to `uri` may have a `host` for which HTTP/2 has no place.
    pub(crate) fn needs_http1(&self, uri: &Uri) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.is_destination(uri))
    }

    async fn connect(self, uri: Uri) -> Result<TokioIo<TcpStream>, BoxError> {
        let host = uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let mut addresses = match bare.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => (self.resolver)(host.to_owned()).await?,
        };
        if let Some(policy) = &self.policy {
            addresses.retain(|&address| policy.permits_address(&uri, address));
            if addresses.is_empty() {
                return Err(AddressRefused.into());
            }
        }
        // An address in the URI is taken from there, and it is the one just checked.
        let addresses: Vec<_> = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
        let mut tcp = HttpConnector::new_with_resolver(service_fn(move |_: Name| {
            let addresses = addresses.clone();
            async move { Ok::<_, io::Error>(addresses.into_iter()) }
        }));
        tcp.set_connect_timeout(Some(CONNECT_LIMIT));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        Ok(tcp.call(uri).await?)
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}
