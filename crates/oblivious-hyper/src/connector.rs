//! Connections; for a gateway, only to addresses that its policy permits.
//!
//! A name is looked up once for each connection, the addresses that the policy does not permit are
//! dropped, and the connection goes to one of the others. Between the check and the connection
//! there is no second look-up, which could give a different answer (DNS rebinding).

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
#[cfg(feature = "egress")]
use oblivious_gateway::TargetPolicy;
use oblivious_service::BoxError;
use thiserror::Error;
use tower::service_fn;
use tower_service::Service;

use crate::moving_stream::MovingStream;
use crate::reading_on::ReadOn;

/// The default of [`Connector::with_connect_timeout`].
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Looks up the addresses of a name.
pub type Resolver = Arc<dyn Fn(String) -> Resolving + Send + Sync>;

/// The addresses of a name, once they are known.
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

async fn look_up(name: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
}

/// A connection, with TLS only on the way to a proxy.
type Stream = MaybeHttpsStream<Tcp>;

type Tcp = TokioIo<ReadOn<MovingStream>>;

/// What HTTP goes over.
pub(crate) type Io = MaybeHttpsStream<Stream>;

/// The policy permits none of the target's addresses.
#[derive(Clone, Copy, Debug, Error)]
#[error(
    "the target has no address that the policy permits: name the address in a rule, or mark the \
     host as internal, if it is meant to be reached"
)]
pub struct AddressError;

/// The URL is not one of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("this is not the URL of a proxy: write http[s]://HOST:PORT, without a user name")]
pub struct ProxyError;

/// Opens TCP connections, if there is a policy only to addresses that it permits: a connector for
/// hyper's clients.
///
/// ```
/// use oblivious_gateway::{Origin, TargetPolicy};
/// use oblivious_hyper::Connector;
///
/// let policy = TargetPolicy::from("https://example.com".parse::<Origin>()?);
/// // Over it comes TLS, as over any other connector, and then hyper's client.
/// let tls = oblivious_hyper::tls::client_config(None)?;
/// let connector = hyper_rustls::HttpsConnectorBuilder::new()
///     .with_tls_config(tls)
///     .https_only()
///     .enable_all_versions()
///     .wrap_connector(Connector::guarded(policy));
/// # let _ = connector;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Connector {
    #[cfg(feature = "egress")]
    policy: Option<Arc<TargetPolicy>>,
    resolver: Resolver,
    /// Fixed addresses of servers, which are not looked up, by host in lower case and port.
    known: HashMap<(String, u16), Vec<IpAddr>>,
    proxy: Option<Proxy>,
    connect_timeout: Duration,
}

/// An HTTP proxy.
#[derive(Clone)]
struct Proxy {
    uri: Uri,
    /// For the connection to it, which may be https.
    tls: rustls::ClientConfig,
}

impl Connector {
    /// Connects to any server.
    pub fn unguarded() -> Self {
        Self {
            #[cfg(feature = "egress")]
            policy: None,
            resolver: Arc::new(|name| Box::pin(look_up(name))),
            known: HashMap::new(),
            proxy: None,
            connect_timeout: CONNECT_TIMEOUT,
        }
    }

    /// Connects to any server through an HTTP proxy, with CONNECT (RFC 9110 §9.3.6), for clients
    /// that fetch keys without showing their address.
    ///
    /// The proxy learns the name of the server and looks it up; the server sees the proxy's
    /// address. TLS to the server ends there. If the URL of the proxy is https, the way to it goes
    /// through `tls` too, so that nobody else on it learns the name of the server.
    ///
    /// # Errors
    /// If the URL of the proxy is not an http or https URL with a host, or has a user name.
    pub fn through_proxy(uri: Uri, tls: rustls::ClientConfig) -> Result<Self, ProxyError> {
        let is_http = [Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&uri.scheme());
        let host = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        if !is_http || host.is_none_or(|authority| authority.host().is_empty()) {
            return Err(ProxyError);
        }
        Ok(Self { proxy: Some(Proxy { uri, tls }), ..Self::unguarded() })
    }

    /// Connects only where [`TargetPolicy::permits_address`] says yes.
    #[cfg(feature = "egress")]
    pub fn guarded(policy: TargetPolicy) -> Self {
        Self { policy: Some(Arc::new(policy)), ..Self::unguarded() }
    }

    /// Looks names up with `resolver` instead of the system's.
    #[must_use]
    pub fn with_resolver(mut self, resolver: Resolver) -> Self {
        self.resolver = resolver;
        self
    }

    /// Connects to these addresses for this name and port, without looking it up. The certificate
    /// must still be for the name.
    #[must_use]
    pub fn with_addresses(mut self, host: &str, port: u16, addresses: Vec<IpAddr>) -> Self {
        self.known.insert((host.to_ascii_lowercase(), port), addresses);
        self
    }

    /// Sets how long it may take to open a connection, from the look-up of the name to the end of
    /// the TLS handshake. Ten seconds by default.
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// The addresses of `host`, which is that of `uri` without brackets.
    async fn addresses(&self, uri: &Uri, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let default = if uri.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
        let port = uri.port_u16().unwrap_or(default);
        match self.known.get(&(host.to_ascii_lowercase(), port)) {
            Some(known) => Ok(known.clone()),
            None => (self.resolver)(host.to_owned()).await,
        }
    }

    #[cfg(feature = "egress")]
    pub(crate) fn is_guarded(&self) -> bool {
        self.policy.is_some()
    }

    #[cfg(not(feature = "egress"))]
    pub(crate) fn is_guarded(&self) -> bool {
        false
    }

    /// Whether requests to `uri` may have a `host` that HTTP/2 cannot express.
    #[cfg(feature = "egress")]
    pub(crate) fn needs_http1(&self, uri: &Uri) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.is_destination(uri))
    }

    #[cfg(not(feature = "egress"))]
    pub(crate) fn needs_http1(&self, _: &Uri) -> bool {
        false
    }

    /// The `addresses` that a connection for `uri` may go to.
    #[cfg(feature = "egress")]
    fn permitted(&self, uri: &Uri, addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, AddressError> {
        let Some(policy) = &self.policy else { return Ok(addresses) };
        let permitted: Vec<_> =
            addresses.into_iter().filter(|&address| policy.permits_address(uri, address)).collect();
        if permitted.is_empty() { Err(AddressError) } else { Ok(permitted) }
    }

    #[cfg(not(feature = "egress"))]
    fn permitted(&self, _: &Uri, addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, AddressError> {
        Ok(addresses)
    }

    async fn connect(mut self, uri: Uri) -> Result<Stream, BoxError> {
        match self.proxy.take() {
            Some(Proxy { uri: proxy, tls }) => {
                let tcp = service_fn(move |proxy| self.clone().connect_directly(proxy));
                // The proxy is asked in HTTP/1.1.
                let either = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
                let direct = either.enable_http1().wrap_connector(tcp);
                Ok(Tunnel::new(proxy, direct).call(with_port(uri)?).await?)
            }
            None => Ok(Stream::Http(self.connect_directly(uri).await?)),
        }
    }

    async fn connect_directly(self, uri: Uri) -> Result<Tcp, BoxError> {
        let host = uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addresses = self.permitted(&uri, self.addresses(&uri, bare).await?)?;
        // An address in the URI is used as it is, and is the one just checked.
        let addresses: Vec<_> = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
        let mut tcp = HttpConnector::new_with_resolver(service_fn(move |_: Name| {
            let addresses = addresses.clone();
            async move { Ok::<_, io::Error>(addresses.into_iter()) }
        }));
        tcp.set_connect_timeout(Some(self.connect_timeout));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let stream = tcp.call(uri).await?.into_inner();
        Ok(TokioIo::new(ReadOn::new(MovingStream::new(stream))))
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

/// A URI with the port of its scheme, where it names none: a tunnel without one would lead to the
/// port of https.
fn with_port(uri: Uri) -> Result<Uri, http::Error> {
    if uri.port().is_some() || uri.scheme() != Some(&Scheme::HTTP) {
        return Ok(uri);
    }
    let authority = format!("{}:80", uri.host().unwrap_or_default());
    Uri::builder().scheme(Scheme::HTTP).authority(authority).path_and_query("/").build()
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_tunnel_leads_to_the_port_of_the_scheme() {
        for (uri, expected) in [
            ("http://example.com/keys", "http://example.com:80/"),
            ("http://[2001:db8::1]/keys", "http://[2001:db8::1]:80/"),
            ("http://example.com:8080/keys", "http://example.com:8080/keys"),
            ("https://example.com/keys", "https://example.com/keys"),
        ] {
            assert_eq!(with_port(uri.parse().unwrap()).unwrap().to_string(), expected);
        }
    }

    #[tokio::test]
    async fn a_name_with_known_addresses_is_not_looked_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let nothing: Resolver = Arc::new(|_| Box::pin(async { Ok(Vec::new()) }));
        let mut connector = Connector::unguarded().with_resolver(nothing).with_addresses(
            "Server.invalid",
            port,
            vec!["127.0.0.1".parse().unwrap()],
        );
        let uri = |port: u16| format!("http://server.invalid:{port}/").parse().unwrap();
        assert!(connector.call(uri(port)).await.is_ok());
        assert!(connector.call(uri(port ^ 1)).await.is_err(), "it is for one port");
    }
}
