//! An Oblivious HTTP relay (RFC 9458): passes encapsulated requests on to gateways, without
//! anything that tells whose they are.
//!
//! ```sh
//! cargo run --release --example relay -- --gateway https://gateway.example/gateway
//! ```
//!
//! `--help` lists all settings; each is also a key of the file that `--config` names, and a
//! variable: `--body-limit` is `body-limit` there and `RELAY_BODY_LIMIT` in the environment.

mod client_addresses;
mod gateway_tls;
mod health;
mod limited;
mod reloading;
mod route_settings;
mod routes;
mod settings;

use std::process::ExitCode;

use examples::server::Serving;
use examples::settings::Source;
use examples::shutdown::Draining;
use examples::{admin, logging, program};
use oblivious_http::relay::{Relay, Routes, describe_metrics};
use oblivious_http::service::Live;
use oblivious_hyper::{ClientAddresses, ClientTls, HttpClient};
use rustls::ServerConfig;

use crate::health::WithHealth;
use crate::reloading::Reloading;
use crate::settings::Settings;

// Separate threads answer the requests.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    program::run(Prepared::new, Prepared::run).await
}

/// A relay whose settings are all valid.
struct Prepared {
    settings: Settings,
    tls: Option<ServerConfig>,
    client_addresses: ClientAddresses,
    client_tls: Live<ClientTls>,
    routes: Live<Routes>,
    relay: Relay<HttpClient>,
}

impl Prepared {
    fn new(settings: Settings) -> anyhow::Result<Self> {
        logging::init(settings.observation.log_format, "info");
        let routes = Live::new(routes::routes(&settings, None)?);
        let client_tls = Live::new(gateway_tls::client_tls(&settings.gateways)?);
        let http_client = HttpClient::with_live_tls(client_tls.clone());
        let relay = limited::relay(&settings, routes.clone(), http_client)?;
        let client_addresses = client_addresses::client_addresses(&settings.clients)?;
        let tls = settings.server.tls(None)?;
        Ok(Self { settings, tls, client_addresses, client_tls, routes, relay })
    }

    async fn run(self, source: Source<Settings>) -> anyhow::Result<()> {
        let Self { settings, tls, client_addresses, client_tls, routes, relay } = self;
        let draining = Draining::default();
        if let Some(address) = &settings.observation.admin {
            admin::serve(address, describe_metrics, draining.clone(), || None).await?;
        }
        for route in routes::all(&settings.gateways) {
            tracing::info!(route = route.label(), gateway = route.gateway, "route");
        }
        if tls.is_none() {
            tracing::warn!("serving http: let only a TLS proxy in front connect to this port");
        }
        let tls = tls.map(Live::new);
        let app = WithHealth::new(&settings.server.health_path, relay);
        let server = settings.server.clone();
        let connections = settings.connections.clone();
        let stall = settings.limits.idle_timeout;
        Reloading { source, settings, routes, client_tls, tls: tls.clone() }.start();
        let serving = Serving { connections, stall, client_addresses, tls, draining };
        server.serve(serving, app).await
    }
}
