//! The TLS of an HTTP client, which may differ from server to server.

use std::collections::HashMap;
use std::fmt;

use http::Uri;
use rustls::ClientConfig;

/// The TLS of connections to servers: one configuration for all, and others for some, such as a
/// gateway that asks its relay for a certificate.
///
/// ```no_run
/// use oblivious_hyper::{ClientTls, HttpClient, tls};
/// use oblivious_hyper::tls::{Identity, Roots};
/// use oblivious_service::Live;
///
/// let identity =
///     Identity { certificate: "relay.pem".as_ref(), key: "relay-key.pem".as_ref() };
/// let pinned = Roots::Only("gateway-ca.pem".as_ref());
/// let tls = ClientTls::new(tls::client_config(None)?)
///     .with(&"https://gateway.example".parse()?, tls::client_config_with(pinned, Some(identity))?);
/// // Replaced, for instance when certificates have been renewed, it is for connections to come.
/// let tls = Live::new(tls);
/// let http_client = HttpClient::with_live_tls(tls.clone());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ClientTls {
    default: ClientConfig,
    by_server: HashMap<Server, ClientConfig>,
}

/// The host, in lower case, and the port.
type Server = (String, u16);

impl ClientTls {
    /// The same for all servers.
    pub fn new(mut default: ClientConfig) -> Self {
        // The HTTP client adds the versions that it speaks.
        default.alpn_protocols.clear();
        Self { default, by_server: HashMap::new() }
    }

    /// Another configuration for the server of `uri`, of which host and port count.
    #[must_use]
    pub fn with(mut self, uri: &Uri, mut config: ClientConfig) -> Self {
        config.alpn_protocols.clear();
        self.by_server.insert(server(uri), config);
        self
    }

    pub(crate) fn of(&self, uri: &Uri) -> ClientConfig {
        if self.by_server.is_empty() {
            return self.default.clone();
        }
        self.by_server.get(&server(uri)).unwrap_or(&self.default).clone()
    }
}

fn server(uri: &Uri) -> Server {
    (uri.host().unwrap_or_default().to_ascii_lowercase(), uri.port_u16().unwrap_or(443))
}

impl From<ClientConfig> for ClientTls {
    fn from(config: ClientConfig) -> Self {
        Self::new(config)
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}
