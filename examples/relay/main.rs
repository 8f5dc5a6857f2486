//! An Oblivious HTTP relay (RFC 9458): passes encapsulated requests on to gateways, and nothing
//! that tells whose they are.
//!
//! ```sh
//! cargo run --release --example relay -- --gateway https://gateway.example/gateway
//! ```
//!
//! `--help` tells all settings; each is also a key of the file that `--config` names, and a
//! variable: `--body-limit` is `body-limit` there and `RELAY_BODY_LIMIT` in the environment.

mod reloading;
mod routes;
mod settings;

use std::process::ExitCode;

use anyhow::Context;
use axum::Router;
use axum::routing::get;
use examples::settings::Source;
use examples::shutdown::Draining;
use examples::{admin, logging, program};
use http::Request;
use oblivious_http::relay::Relay;
use oblivious_http::service::{Live, Pseudonym};
use oblivious_hyper::{HttpClient, tls};
use rustls::ServerConfig;
use tower::{ServiceExt, service_fn};

use crate::reloading::Reloading;
use crate::settings::Settings;

// Requests are answered by threads of their own.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    program::run(Prepared::new, Prepared::run).await
}

/// A relay whose settings are all valid.
struct Prepared {
    settings: Settings,
    tls: Option<ServerConfig>,
    http_client: HttpClient,
    pseudonym: Pseudonym,
    relay: Relay<HttpClient>,
}

impl Prepared {
    fn new(settings: Settings) -> anyhow::Result<Self> {
        logging::init(settings.observation.log_format, "info");
        let pseudonym = match &settings.gateways.via {
            Some(name) => Pseudonym::new(name).context("--via is wrong")?,
            None => Pseudonym::random("relay"),
        };
        let client_tls = tls::client_config_with_file(settings.gateways.ca.as_deref())?;
        let http_client = HttpClient::new(client_tls);
        let relay = routes::relay(&settings, pseudonym.clone(), http_client.clone())?;
        let tls = settings.server.tls(None)?;
        Ok(Self { settings, tls, http_client, pseudonym, relay })
    }

    async fn run(self, source: Source<Settings>) -> anyhow::Result<()> {
        let Self { settings, tls, http_client, pseudonym, relay } = self;
        let draining = Draining::default();
        if let Some(address) = &settings.observation.admin {
            admin::serve(address, || {}, draining.clone(), || None).await?;
        }
        for route in routes::routes(&settings)? {
            tracing::info!(path = route.path, gateway = route.gateway, "route");
        }
        if tls.is_none() {
            tracing::warn!("serving http: only a TLS proxy in front may connect to this port");
        }
        let (relay, tls) = (Live::new(relay), tls.map(Live::new));
        let current = relay.clone();
        let service = service_fn(move |request: Request<_>| {
            Relay::clone(&current.current()).oneshot(request)
        });
        let app = Router::new()
            .route(&settings.server.health_path, get(|| async { "ok\n" }))
            .fallback_service(service);
        let (server, connections) = (settings.server.clone(), settings.connections.clone());
        let stall = settings.limits.timeout;
        Reloading { source, settings, http_client, pseudonym, relay, tls: tls.clone() }.start();
        server.serve(&connections, stall, tls, draining, app).await
    }
}
