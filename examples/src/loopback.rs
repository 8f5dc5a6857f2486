//! Parties on this machine, for demonstrations: each on a free port of loopback, with TLS.

use axum::Router;
use http::Uri;
use oblivious_http::gateway::GatewayKeys;
use oblivious_http::hpke::{KeyPair, KeyRing, Provider};
use oblivious_http::keys::{KemId, SymmetricSuite};
use oblivious_http::service::Live;
use oblivious_hyper::{HttpClient, self_signed, server, tls};
use tokio::net::TcpListener;

/// A server that runs until the program ends.
#[derive(Clone, Debug)]
pub struct Party {
    origin: String,
    authority: String,
}

impl Party {
    /// Serves a router.
    ///
    /// # Errors
    /// If nothing can listen on loopback, or there is no certificate to be had.
    pub async fn start(router: Router) -> anyhow::Result<Self> {
        let (config, authority) = self_signed(&["localhost"])?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let origin = format!("https://localhost:{}", listener.local_addr()?.port());
        tokio::spawn(server::serve(listener, Some(config), router, std::future::pending()));
        Ok(Self { origin, authority })
    }

    /// Its origin, as `https://localhost:PORT`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The URI of one of its resources.
    ///
    /// # Errors
    /// If `path_and_query` is not that of a URI.
    pub fn uri(&self, path_and_query: &str) -> anyhow::Result<Uri> {
        Ok(format!("{}{path_and_query}", self.origin).parse()?)
    }
}

/// An HTTP client, with connections of its own, that trusts the certificates of these parties.
///
/// # Errors
/// If TLS cannot be set up.
pub fn http_client(parties: &[&Party]) -> anyhow::Result<HttpClient> {
    let authorities: String = parties.iter().map(|party| party.authority.as_str()).collect();
    Ok(HttpClient::new(tls::client_config(Some(&authorities))?))
}

/// Keys of a gateway: one, which lasts as long as the process.
///
/// # Errors
/// If the system gives no random bytes.
pub fn gateway_keys() -> anyhow::Result<Live<GatewayKeys>> {
    let pair = KeyPair::generate(KemId::X25519_HKDF_SHA256, Provider::default())?;
    let mut ring = KeyRing::new();
    ring.add(1, pair, vec![SymmetricSuite::HKDF_SHA256_AES_128_GCM])?;
    Ok(Live::new(GatewayKeys::from(ring)))
}
